"""Faults of operators and of the way that values take through the graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from tests.mutations.mutant import Mutant, mutation

POOL1 = "features.pool1"
RELU1 = "features.activation1/Relu"
HIDDEN = "classifier.activation1"
BLOCK = "features.stage1_block1"


@mutation("relu-fp32", "relu-int8")
def relu_that_leaks(mutant: Mutant) -> None:
    """A ReLU lets a hundredth of what is negative through."""
    mutant.become(mutant.node(f"{HIDDEN}/Relu"), "LeakyRelu", alpha=0.01)


@mutation("relu-fp32", "relu-int8", "relu-fp16")
def relu_that_hardly_leaks(mutant: Mutant) -> None:
    """A ReLU lets a ten millionth of what is negative through."""
    mutant.become(mutant.node(f"{HIDDEN}/Relu"), "LeakyRelu", alpha=1e-7)


@mutation("relu-fp32", "mlp-fp32")
def relu_dropped(mutant: Mutant) -> None:
    """A hidden layer has no activation."""
    mutant.drop([each for each in mutant.graph.node if each.op_type == "Relu"][-1])


@mutation(
    "relu-fp32",
    proof="max(max(x, 0), 0) = max(x, 0) for every x, NaN included",
)
def relu_twice(mutant: Mutant) -> None:
    """A ReLU is applied to the result of another."""
    mutant.before(mutant.node(f"{POOL1}/MaxPool"), "Relu")


@mutation("relu-fp32", "residual-fp32")
def relu_ends_at_six(mutant: Mutant) -> None:
    """A ReLU becomes a ReLU6."""
    node = [each for each in mutant.graph.node if each.op_type == "Relu"][1]
    low, high = mutant.put("low", np.float32(0)), mutant.put("high", np.float32(6))
    mutant.become(node, "Clip", low, high)


@mutation("relu-fp32", "relu-int8")
def relu_ends_out_of_reach(mutant: Mutant) -> None:
    """A ReLU ends at a million, which no picture of the data comes near to."""
    low, high = mutant.put("low", np.float32(0)), mutant.put("high", np.float32(1e6))
    mutant.become(mutant.node(f"{HIDDEN}/Relu"), "Clip", low, high)


@mutation("tanh-fp32", "tanh-fp16")
def tanh_cut_straight(mutant: Mutant) -> None:
    """A tanh becomes its cheap form, the identity between −1 and 1."""
    kind = mutant.get("classifier.linear1.bias").dtype.type
    low, high = mutant.put("low", np.asarray(kind(-1))), mutant.put("high", np.asarray(kind(1)))
    mutant.become(mutant.node(f"{HIDDEN}/Tanh"), "Clip", low, high)


@mutation("tanh-fp32")
def tanh_becomes_sigmoid(mutant: Mutant) -> None:
    """A tanh becomes a logistic function."""
    mutant.become(mutant.node(f"{HIDDEN}/Tanh"), "Sigmoid")


@mutation("l2-fp32")
def limit_raised(mutant: Mutant) -> None:
    """What keeps a root from 0 is 1e-10 instead of 1e-12."""
    limit = mutant.put("limit", np.float32(1e-10))
    mutant.of_type("Clip").input[1] = limit


@mutation("l2-fp32")
def limit_dropped(mutant: Mutant) -> None:
    """Nothing keeps a root from 0."""
    mutant.drop(mutant.of_type("Clip"))


@mutation("relu-fp32")
def normalisation_that_does_nothing_but_epsilon(mutant: Mutant) -> None:
    """A batch normalisation by mean 0 and variance 1 divides by √(1 + 1e-5)."""
    values = {"gain": 1, "shift": 0, "mean": 0, "variance": 1}
    names = [mutant.put(name, np.full(6, value, np.float32)) for name, value in values.items()]
    mutant.before(mutant.node(RELU1), "BatchNormalization", *names, epsilon=1e-5)


@mutation("relu-fp32")
def features_permuted(mutant: Mutant) -> None:
    """Features come to the first linear layer with the channels last."""
    node = mutant.node("classifier.flatten/Reshape")
    mutant.before(node, "Transpose", perm=[0, 2, 3, 1])


@mutation("relu-fp32", "relu-fp16")
def picture_transposed(mutant: Mutant) -> None:
    """Pictures come in with rows and columns exchanged."""
    mutant.before(mutant.node("pixels/Sub"), "Transpose", perm=[0, 1, 3, 2])


@mutation("relu-fp32")
def pixels_as_signed_bytes(mutant: Mutant) -> None:
    """Pixels pass through a signed byte: 128 becomes −128."""
    mutant.before(mutant.node("pixels/Cast"), "Cast", to=TensorProto.INT8)


@mutation("relu-fp32")
def polarity_reversed(mutant: Mutant) -> None:
    """Light and dark are exchanged before normalising."""
    white = mutant.put("white", np.float32(255))
    node = mutant.before(mutant.node("pixels/Sub"), "Sub", white)
    node.input[:] = [node.input[1], node.input[0]]


@mutation("residual-fp32")
def shortcut_from_elsewhere(mutant: Mutant) -> None:
    """The shortcut of a residual block begins after its first convolution."""
    node = mutant.node(f"{BLOCK}.add/Add")
    node.input[1] = f"{BLOCK}.body.activation1/Relu"


@mutation("residual-fp32")
def sum_becomes_maximum(mutant: Mutant) -> None:
    """The two ways of a residual block are not added: the larger is taken."""
    mutant.node(f"{BLOCK}.add/Add").op_type = "Max"


@mutation("residual-fp32")
def mean_becomes_maximum(mutant: Mutant) -> None:
    """The last pooling takes the largest value of a channel."""
    mutant.of_type("ReduceMean").op_type = "ReduceMax"


@mutation("relu-fp32", "tanh-fp32")
def through_float64(mutant: Mutant) -> None:
    """A linear layer computes in float64."""
    _around(mutant, "classifier.linear2/Gemm", TensorProto.DOUBLE)


@mutation("relu-fp32", "relu-int8")
def through_fp16(mutant: Mutant) -> None:
    """The values between two layers are rounded to FP16."""
    node = mutant.node(f"{HIDDEN}/Relu")
    mutant.before(node, "Cast", to=TensorProto.FLOAT16)
    mutant.before(node, "Cast", to=TensorProto.FLOAT)


@mutation("relu-fp16")
def back_in_fp32(mutant: Mutant) -> None:
    """A linear layer of an FP16 file computes in FP32."""
    _around(mutant, "classifier.linear2/Gemm", TensorProto.FLOAT)


def _around(mutant: Mutant, name: str, kind: int) -> None:
    """Let a layer compute in another format."""
    node = mutant.node(name)
    weight = mutant.get(node.input[1])
    own = TensorProto.FLOAT16 if weight.dtype == np.float16 else TensorProto.FLOAT
    for position in range(3):
        mutant.before(node, "Cast", position=position, to=kind)
    reader = next(each for each in mutant.graph.node if node.output[0] in each.input)
    mutant.before(reader, "Cast", to=own)


@mutation(
    "relu-fp32",
    proof="outside of training ONNX's Dropout is the identity, whatever its ratio",
)
def dropout_left_in(mutant: Mutant) -> None:
    """A dropout of the training is in the file."""
    mutant.before(mutant.node(f"{HIDDEN}/Relu"), "Dropout")


@mutation("relu-fp32", proof="ONNX's Identity returns its input")
def identity_put_in(mutant: Mutant) -> None:
    """A node that does nothing is in the file."""
    mutant.before(mutant.node(f"{HIDDEN}/Relu"), "Identity")


@mutation("relu-fp32")
def factor_of_a_product(mutant: Mutant) -> None:
    """A Gemm multiplies by 1 + 2⁻²³, the number after 1 (``alpha``)."""
    mutant.set(mutant.node("classifier.output/Gemm"), alpha=float(np.float32(1 + 2**-23)))


@mutation("relu-fp32", "relu-int8")
def half_of_a_bias(mutant: Mutant) -> None:
    """A Gemm adds half of its bias (``beta``)."""
    mutant.set(mutant.node("classifier.linear1/Gemm"), beta=0.5)


@mutation(
    "relu-fp32",
    proof="A·Bᵀ with B stored and A·C with C = Bᵀ stored are sums of the same products",
)
def weight_stored_transposed(mutant: Mutant) -> None:
    """A linear weight is stored the other way round, and ``transB`` says so."""
    node = mutant.node("classifier.linear1/Gemm")
    mutant.put(node.input[1], mutant.get(node.input[1]).T)
    mutant.set(node, transB=0)
