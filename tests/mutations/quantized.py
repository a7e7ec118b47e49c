"""Faults that only INT8 and FP16 files can have: scales, zero points, axes, rounding."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from tests.mutations.mutant import Mutant, mutation

CONV1, CONV2, LINEAR1 = "features.conv1", "features.conv2", "classifier.linear1"


@mutation("relu-int8", "residual-int8")
def input_scale_by_a_hundredth(mutant: Mutant) -> None:
    """The scale of a layer's input is a hundredth too large: no value saturates."""
    name = _scales(mutant)[1]
    mutant.put(name, np.asarray(mutant.get(name) * np.float32(1.01), np.float32))


@mutation("relu-int8")
def input_scale_by_one_ulp(mutant: Mutant) -> None:
    """The scale of a layer's input is the next number of float32."""
    name = _scales(mutant)[1]
    mutant.put(name, np.asarray(np.nextafter(mutant.get(name), np.float32(np.inf))))


@mutation("relu-int8")
def input_scale_doubled(mutant: Mutant) -> None:
    """The scale of a layer's input is twice what it should be: a bit is lost."""
    name = _scales(mutant)[2]
    mutant.put(name, np.asarray(mutant.get(name) * 2, np.float32))


@mutation("relu-int8")
def input_scales_exchanged(mutant: Mutant) -> None:
    """Two layers have each other's input scales."""
    first, second = _scales(mutant)[:2]
    left, right = mutant.get(first), mutant.get(second)
    mutant.put(first, right)
    mutant.put(second, left)


@mutation("relu-int8")
def weight_scale_by_one_ulp(mutant: Mutant) -> None:
    """The scale of one output channel is the next number of float32."""
    values = mutant.get(f"{CONV2}.weight_scale")
    values[3] = np.nextafter(values[3], np.float32(np.inf))
    mutant.put(f"{CONV2}.weight_scale", values)


@mutation("relu-int8")
def weight_scales_in_another_order(mutant: Mutant) -> None:
    """The scales of a weight's output channels are in reverse order."""
    mutant.put(f"{CONV2}.weight_scale", mutant.get(f"{CONV2}.weight_scale")[::-1])


@mutation("relu-int8")
def one_scale_for_all_channels(mutant: Mutant) -> None:
    """All channels of a weight have the largest of their scales."""
    values = mutant.get(f"{CONV2}.weight_scale")
    mutant.put(f"{CONV2}.weight_scale", np.full_like(values, values.max()))


@mutation("residual-int8")
def scales_on_the_input_channels(mutant: Mutant) -> None:
    """The scales of a weight with as many inputs as outputs are on axis 1."""
    name = "features.stage1_block1.body.conv1.weight"
    mutant.set(_dequantizer(mutant, name), axis=1)


@mutation("relu-int8")
def integer_off_by_one(mutant: Mutant) -> None:
    """One integer of a weight is the next one."""
    values = mutant.get(f"{LINEAR1}.weight")
    place = tuple(int(mutant.draw.integers(size)) for size in values.shape)
    values[place] += 1 if values[place] < 127 else -1
    mutant.put(f"{LINEAR1}.weight", values)


@mutation("relu-int8")
def weights_cut_not_rounded(mutant: Mutant) -> None:
    """The integers of a weight were cut towards 0, not rounded to nearest."""
    scales = mutant.get(f"{CONV1}.weight_scale").reshape(-1, 1, 1, 1)
    cut = np.trunc(mutant.unfolded[f"{CONV1}.weight"] / scales)
    mutant.put(f"{CONV1}.weight", cut.astype(np.int8))


@mutation("relu-int8")
def asymmetric_activations(mutant: Mutant) -> None:
    """The zero point of all activations is 3."""
    mutant.put("zero_point", np.asarray(np.int8(3)))


@mutation("relu-int8")
def zero_point_of_a_weight(mutant: Mutant) -> None:
    """The zero point of one output channel is 1."""
    values = mutant.get(f"{CONV2}.weight_zero_point")
    values[5] = 1
    mutant.put(f"{CONV2}.weight_zero_point", values)


@mutation("relu-int8")
def input_left_unrounded(mutant: Mutant) -> None:
    """A layer's weight is quantized and its input is not."""
    mutant.drop(mutant.node(f"{LINEAR1}/QuantizeLinear"))
    mutant.drop(mutant.node(f"{LINEAR1}/DequantizeLinear"))


@mutation("relu-int8")
def layer_left_in_fp32(mutant: Mutant) -> None:
    """A layer that the scheme quantizes is in FP32, with the checkpoint's weight."""
    input_left_unrounded(mutant)
    name = f"{LINEAR1}.weight"
    mutant.drop(_dequantizer(mutant, name))
    mutant.put(name, mutant.unfolded[name])


@mutation("relu-int8")
def scale_of_the_pair_differs(mutant: Mutant) -> None:
    """A DQ multiplies by a tenth more than its Q divided by."""
    node = mutant.node(f"{LINEAR1}/DequantizeLinear")
    scale = mutant.get(node.input[1])
    node.input[1] = mutant.put("another_scale", np.asarray(scale * np.float32(1.1), np.float32))


@mutation("relu-int8")
def bias_in_int32(mutant: Mutant) -> None:
    """A bias is rounded to INT32 by the product of both scales, as other quantizers do."""
    scales = mutant.get(f"{LINEAR1}.weight_scale") * mutant.get(f"{LINEAR1}.input_scale")
    name = f"{LINEAR1}.bias"
    mutant.put(name, np.rint(mutant.get(name) / scales).astype(np.int32))
    inputs = [name, mutant.put("bias_scale", scales)]
    made = helper.make_node("DequantizeLinear", inputs, ["bias"], name="bias", axis=0)
    layer = mutant.node(f"{LINEAR1}/Gemm")
    layer.input[2] = "bias"
    mutant.graph.node.insert(0, made)


@mutation("residual-int8")
def rounded_before_the_pooling(mutant: Mutant) -> None:
    """The values before a max pooling are rounded once more, by the scale of after it."""
    name = _scales(mutant)[1]
    node = mutant.of_type("MaxPool")
    mutant.before(node, "QuantizeLinear", name, "zero_point")
    mutant.before(node, "DequantizeLinear", name, "zero_point")


@mutation("relu-int8")
def logits_rounded(mutant: Mutant) -> None:
    """The logits are rounded, too, to steps of their largest over 127."""
    scale = mutant.put("logits_scale", np.asarray(np.float32(0.2)))
    mutant.after_all("QuantizeLinear", scale, "zero_point")
    node = mutant.node("added")
    node.output[0] = "integers"
    names = ["integers", scale, "zero_point"]
    mutant.graph.node.append(helper.make_node("DequantizeLinear", names, ["logits"], name="back"))


@mutation("relu-fp16")
def weights_cut_to_fp16(mutant: Mutant) -> None:
    """FP16 weights were cut towards 0, not rounded to nearest."""
    exact = mutant.unfolded[f"{LINEAR1}.weight"]
    cut = exact.astype(np.float16)
    beyond = np.abs(cut.astype(np.float32)) > np.abs(exact)
    cut[beyond] = np.nextafter(cut[beyond], np.float16(0))
    mutant.put(f"{LINEAR1}.weight", cut)


@mutation("relu-fp16")
def pixels_normalised_in_fp16(mutant: Mutant) -> None:
    """Pixels are rounded to FP16 before they are normalised, and the constants with them."""
    for name in ("pixel_offset", "pixel_scale"):
        mutant.put(name, mutant.get(name).astype(np.float16))
    mutant.set(mutant.node("pixels/Cast"), to=onnx.TensorProto.FLOAT16)
    mutant.drop(mutant.node("pixels/Mul/half"))


@mutation("l2-fp16")
def limit_lost_in_fp16(mutant: Mutant) -> None:
    """What keeps a root from 0 became 0 in FP16."""
    node = mutant.of_type("Clip")
    node.input[1] = mutant.put("limit", np.asarray(np.float16(0)))


def _scales(mutant: Mutant) -> list[str]:
    """Return the names of the scales of layers' inputs, in the order of the graph."""
    nodes = [each for each in mutant.graph.node if each.op_type == "QuantizeLinear"]
    return list(dict.fromkeys(node.input[1] for node in nodes))


def _dequantizer(mutant: Mutant, weight: str) -> onnx.NodeProto:
    """Return what reads a stored weight."""
    found: list[onnx.NodeProto] = [node for node in mutant.graph.node if weight in node.input]
    return found[0]
