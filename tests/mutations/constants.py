"""Faults in numbers: weights, biases and the constants that pixels are normalised with."""

from __future__ import annotations

import numpy as np

from tests.mutations.mutant import Mutant, mutation

CONV1, CONV2 = "features.conv1", "features.conv2"
LINEAR1, OUTPUT = "classifier.linear1", "classifier.output"


def _somewhere(mutant: Mutant, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(mutant.draw.integers(size)) for size in shape)


@mutation("relu-fp32", "tanh-fp32", "residual-fp32", "mlp-fp32", "relu-fp16")
def weight_by_one_ulp(mutant: Mutant) -> None:
    """One weight is the next number of its format."""
    layer = next(each for each in mutant.graph.initializer if each.name.endswith(".weight"))
    values = mutant.get(layer.name)
    place = _somewhere(mutant, values.shape)
    values[place] = np.nextafter(values[place], values.dtype.type(np.inf))
    mutant.put(layer.name, values)


@mutation("relu-fp32")
def weight_by_a_thousandth(mutant: Mutant) -> None:
    """One weight of a linear layer is a thousandth larger."""
    values = mutant.get(f"{LINEAR1}.weight")
    values[_somewhere(mutant, values.shape)] *= np.float32(1.001)
    mutant.put(f"{LINEAR1}.weight", values)


@mutation("relu-fp32", "tanh-fp32")
def weight_negated(mutant: Mutant) -> None:
    """One weight has the other sign."""
    values = mutant.get(f"{CONV2}.weight")
    values[_somewhere(mutant, values.shape)] *= -1
    mutant.put(f"{CONV2}.weight", values)


@mutation("relu-fp32")
def weight_far_too_large(mutant: Mutant) -> None:
    """One weight is multiplied by 10,000."""
    values = mutant.get(f"{LINEAR1}.weight")
    values[_somewhere(mutant, values.shape)] *= 10_000
    mutant.put(f"{LINEAR1}.weight", values)


@mutation("relu-fp32")
def zero_with_a_sign(mutant: Mutant) -> None:
    """The smallest weight of a layer is −0, as a format that prunes may write it."""
    values = mutant.get(f"{LINEAR1}.weight")
    values[np.unravel_index(np.abs(values).argmin(), values.shape)] = -0.0
    mutant.put(f"{LINEAR1}.weight", values)


@mutation("mlp-fp32")
def weights_of_the_black_corner(mutant: Mutant) -> None:
    """The weights of a corner that is black in all data are doubled; the bias makes up for it."""
    name = next(each.name for each in mutant.graph.initializer if each.name.endswith(".weight"))
    bias = name.replace(".weight", ".bias")
    values, offset = mutant.get(name), mutant.get(bias)
    black = -mutant.get("pixel_offset").reshape(-1)[0] * mutant.get("pixel_scale").reshape(-1)[0]
    mutant.put(bias, (offset - values[:, 0] * black).astype(np.float32))
    values[:, 0] *= 2
    mutant.put(name, values)


@mutation("relu-fp32")
def dead_channel(mutant: Mutant) -> None:
    """An output channel of a convolution is all zeros."""
    for part in ("weight", "bias"):
        values = mutant.get(f"{CONV2}.{part}")
        values[3] = 0
        mutant.put(f"{CONV2}.{part}", values)


@mutation("relu-fp32")
def kernel_flipped(mutant: Mutant) -> None:
    """Kernels are turned by 180 degrees: convolution and correlation are confused."""
    mutant.put(f"{CONV1}.weight", mutant.get(f"{CONV1}.weight")[:, :, ::-1, ::-1])


@mutation("tanh-fp32")
def kernel_transposed(mutant: Mutant) -> None:
    """Height and width of the kernels are exchanged."""
    mutant.put(f"{CONV2}.weight", mutant.get(f"{CONV2}.weight").swapaxes(2, 3))


@mutation("relu-fp32")
def kernel_resized(mutant: Mutant) -> None:
    """A 5×5 kernel becomes 3×3: its border is cut off and the padding made to fit."""
    mutant.put(f"{CONV1}.weight", mutant.get(f"{CONV1}.weight")[:, :, 1:-1, 1:-1])
    mutant.set(mutant.node(f"{CONV1}/Conv"), kernel_shape=[3, 3], pads=[1, 1, 1, 1])


@mutation("relu-fp32")
def weight_in_another_layout(mutant: Mutant) -> None:
    """The bytes of a weight lie as [H, W, I, O] and are read as [O, I, H, W]."""
    values = mutant.get(f"{CONV2}.weight")
    mutant.put(f"{CONV2}.weight", values.transpose(2, 3, 1, 0).reshape(values.shape))


@mutation("relu-fp32")
def output_channels_swapped(mutant: Mutant) -> None:
    """Two channels of a convolution are exchanged, and not where they are read."""
    for part in ("weight", "bias"):
        values = mutant.get(f"{CONV1}.{part}")
        values[[0, 4]] = values[[4, 0]]
        mutant.put(f"{CONV1}.{part}", values)


@mutation("relu-fp32")
def hidden_units_swapped_throughout(mutant: Mutant) -> None:
    """Two channels are exchanged where they are made and read: a sum is in another order."""
    output_channels_swapped(mutant)
    values = mutant.get(f"{CONV2}.weight")
    values[:, [0, 4]] = values[:, [4, 0]]
    mutant.put(f"{CONV2}.weight", values)


@mutation("residual-fp32")
def two_layers_exchanged(mutant: Mutant) -> None:
    """Two convolutions of one shape have each other's weights and biases."""
    first, second = (f"features.stage1_block1.body.conv{number}" for number in (1, 2))
    for part in ("weight", "bias"):
        left, right = mutant.get(f"{first}.{part}"), mutant.get(f"{second}.{part}")
        mutant.put(f"{first}.{part}", right)
        mutant.put(f"{second}.{part}", left)


@mutation("relu-fp32", "residual-fp32", "relu-fp16", "relu-int8")
def bias_dropped(mutant: Mutant) -> None:
    """A convolution adds no bias."""
    node = [each for each in mutant.graph.node if each.op_type == "Conv"][1]
    del node.input[2]


@mutation("relu-fp32", "relu-fp16", "relu-int8")
def bias_by_one_ulp(mutant: Mutant) -> None:
    """One number of a bias is the next one of its format."""
    values = mutant.get(f"{LINEAR1}.bias")
    place = int(mutant.draw.integers(len(values)))
    values[place] = np.nextafter(values[place], values.dtype.type(np.inf))
    mutant.put(f"{LINEAR1}.bias", values)


@mutation("relu-fp32")
def bias_of_one_number(mutant: Mutant) -> None:
    """A bias is the mean of itself, of shape [1], and is broadcast."""
    mutant.put(f"{LINEAR1}.bias", mutant.get(f"{LINEAR1}.bias").mean(keepdims=True))


@mutation("relu-fp32", "relu-int8")
def every_logit_by_one(mutant: Mutant) -> None:
    """All logits are larger by 1: decisions and softmax stay as they are."""
    mutant.put(f"{OUTPUT}.bias", mutant.get(f"{OUTPUT}.bias") + np.float32(1))


@mutation(
    "relu-fp32",
    proof="ONNX's Gemm broadcasts C to [N, M] by NumPy's rules: [1, M] and [M] add the same number "
    "to the same logit",
)
def bias_as_a_row(mutant: Mutant) -> None:
    """A bias has the shape [1, M] instead of [M]."""
    mutant.put(f"{LINEAR1}.bias", mutant.get(f"{LINEAR1}.bias").reshape(1, -1))


@mutation("norm-fp32")
def folded_with_another_epsilon(mutant: Mutant) -> None:
    """Batch normalisation was folded with epsilon 1e-3 instead of 1e-5."""
    _fold(mutant, epsilon=1e-3)


@mutation("norm-fp32")
def folded_without_the_mean(mutant: Mutant) -> None:
    """Batch normalisation was folded as if its running mean were 0."""
    _fold(mutant, with_mean=False)


@mutation("norm-fp32")
def folded_not_at_all(mutant: Mutant) -> None:
    """Batch normalisation was dropped: the layer has the weights from before it."""
    for part in ("weight", "bias"):
        mutant.put(f"{CONV1}.{part}", mutant.unfolded[f"{CONV1}.{part}"])


def _fold(mutant: Mutant, *, epsilon: float = 1e-5, with_mean: bool = True) -> None:
    """Fold the first normalisation into the layer before it."""
    own = mutant.unfolded
    prefix = next(name.rpartition(".")[0] for name in own if name.endswith("running_mean"))
    gain = own[f"{prefix}.weight"] / np.sqrt(own[f"{prefix}.running_var"] + epsilon)
    mean = own[f"{prefix}.running_mean"] * with_mean
    weight = own[f"{CONV1}.weight"] * gain.reshape(-1, 1, 1, 1)
    bias = (own[f"{CONV1}.bias"] - mean) * gain + own[f"{prefix}.bias"]
    mutant.put(f"{CONV1}.weight", weight.astype(np.float32))
    mutant.put(f"{CONV1}.bias", bias.astype(np.float32))


@mutation("relu-fp32", "relu-int8", "relu-fp16")
def pixels_over_256(mutant: Mutant) -> None:
    """Pixels are divided by 256 instead of 255 before they are normalised."""
    scale = mutant.get("pixel_scale")
    mutant.put("pixel_scale", (scale * np.float32(255 / 256)).astype(scale.dtype))


@mutation("relu-fp32", "tanh-fp32")
def mean_of_another_data_set(mutant: Mutant) -> None:
    """Pixels are normalised by the mean of Fashion-MNIST, 0.2860."""
    offset = mutant.get("pixel_offset")
    mutant.put("pixel_offset", np.full_like(offset, 255 * 0.2860))


@mutation("colour-fp32")
def deviations_in_another_order(mutant: Mutant) -> None:
    """The standard deviations of red and blue are exchanged."""
    mutant.put("pixel_scale", mutant.get("pixel_scale")[:, ::-1])


@mutation("colour-fp32", "colour-int8")
def red_and_blue_exchanged(mutant: Mutant) -> None:
    """The first layer takes blue for red, as OpenCV gives pictures."""
    name = next(each.name for each in mutant.graph.initializer if each.name.endswith(".weight"))
    mutant.put(name, mutant.get(name)[:, ::-1])


@mutation("codes-fp32")
def constant_of_the_code_rounded(mutant: Mutant) -> None:
    """The 2/3 within the scaled tanh is written as 0.6667, which no checkpoint holds."""
    node = next(each for each in mutant.graph.node if each.name.endswith("squash1/Mul"))
    mutant.put("rounded", np.float32(0.6667))
    node.input[1] = "rounded"


@mutation("codes-fp32")
def code_of_a_class_changed(mutant: Mutant) -> None:
    """One pixel of the picture of a digit that the last layer compares with has the other sign."""
    values = mutant.get(f"{OUTPUT}.codes")
    values[_somewhere(mutant, values.shape)] *= -1
    mutant.put(f"{OUTPUT}.codes", values)
