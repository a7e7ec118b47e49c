"""Faults of attributes: padding, pooling, strides, groups."""

from __future__ import annotations

import numpy as np

from tests.mutations.mutant import Mutant, mutation

CONV1, CONV2 = "features.conv1/Conv", "features.conv2/Conv"
POOL1, POOL2 = "features.pool1", "features.pool2"
BLOCK = "features.stage1_block1"


@mutation("relu-fp32", "relu-int8", "relu-fp16")
def padding_shifted(mutant: Mutant) -> None:
    """A convolution pads 1 above and 3 below instead of 2 and 2: its result has the same size."""
    mutant.set(mutant.node(CONV1), pads=[1, 1, 3, 3])


@mutation("relu-fp32")
def padding_repeats_the_border(mutant: Mutant) -> None:
    """The first convolution pads with the border's pixels instead of 0."""
    node = mutant.node(CONV1)
    mutant.set(node, pads=[0, 0, 0, 0])
    sizes = mutant.put("sizes", np.array([0, 0, 2, 2, 0, 0, 2, 2]))
    mutant.before(node, "Pad", sizes, mode="edge")


@mutation("padded-fp32")
def pixels_padded_by_reflection(mutant: Mutant) -> None:
    """Raw pictures are padded by their own reflection; the data have black borders."""
    mutant.set(mutant.of_type("Pad"), mode="reflect")


@mutation("padded-fp32")
def pixels_padded_with_white(mutant: Mutant) -> None:
    """Raw pictures are padded with 255."""
    node = mutant.of_type("Pad")
    del node.input[2:]
    node.input.append(mutant.put("white", np.float32(255)))


@mutation("padded-fp32")
def padded_after_normalising(mutant: Mutant) -> None:
    """Zeros are padded to normalised pixels: grey of the mean and not black."""
    pad = mutant.of_type("Pad")
    pad_inputs = list(pad.input[1:])
    mutant.drop(pad)
    mutant.before(mutant.of_type("Conv"), "Pad", *pad_inputs, mode="constant")


@mutation(
    "relu-fp32",
    proof="SAME_UPPER pads (k − 1) = 4 zeros in all where the stride is 1, half of them before: "
    "[2, 2, 2, 2], which is what stood there",
)
def padding_named_same(mutant: Mutant) -> None:
    """A convolution's padding is given by ``auto_pad`` SAME_UPPER and not by numbers."""
    mutant.set(mutant.node(CONV1), pads=None, auto_pad="SAME_UPPER")


@mutation("relu-fp32")
def largest_becomes_mean(mutant: Mutant) -> None:
    """A max pooling takes the average."""
    mutant.become(
        mutant.node(f"{POOL1}/MaxPool"), "AveragePool", kernel_shape=[2, 2], strides=[2, 2]
    )


@mutation("tanh-fp32")
def mean_becomes_largest(mutant: Mutant) -> None:
    """An average pooling takes the largest."""
    mutant.become(
        mutant.node(f"{POOL2}/AveragePool"), "MaxPool", kernel_shape=[2, 2], strides=[2, 2]
    )


@mutation("relu-fp32")
def pooling_of_one(mutant: Mutant) -> None:
    """A pooling looks at one of its four values, with the same stride."""
    mutant.set(mutant.node(f"{POOL2}/MaxPool"), kernel_shape=[1, 1])


@mutation("relu-fp32")
def pooling_overlaps(mutant: Mutant) -> None:
    """A pooling looks at 3×3 values and pads by 1 on one side: its result has the same size."""
    mutant.set(mutant.node(f"{POOL1}/MaxPool"), kernel_shape=[3, 3], pads=[1, 1, 0, 0])


@mutation("relu-fp32")
def pooling_dilated(mutant: Mutant) -> None:
    """A pooling looks at every other value, with the same stride and size of result."""
    mutant.set(mutant.node(f"{POOL1}/MaxPool"), dilations=[2, 2], pads=[0, 0, 1, 1])


@mutation(
    "tanh-fp32",
    proof="pads are [0, 0, 0, 0] and 28 = 14·2: no window holds a padded value, so it makes no "
    "difference whether they count",
)
def padding_not_counted(mutant: Mutant) -> None:
    """An average pooling does not count padded values (``count_include_pad`` 0)."""
    mutant.set(mutant.node(f"{POOL1}/AveragePool"), count_include_pad=0)


@mutation(
    "relu-fp32",
    proof="the input's 28 is a multiple of the stride 2: the number of windows, 14, is an integer "
    "before it is rounded",
)
def sizes_rounded_up(mutant: Mutant) -> None:
    """A pooling rounds the size of its result up (``ceil_mode`` 1)."""
    mutant.set(mutant.node(f"{POOL1}/MaxPool"), ceil_mode=1)


@mutation(
    "relu-fp32",
    proof="storage_order says how MaxPool numbers its second result, the positions; the node has "
    "one result",
)
def positions_column_by_column(mutant: Mutant) -> None:
    """A max pooling numbers positions column by column (``storage_order`` 1)."""
    mutant.set(mutant.node(f"{POOL1}/MaxPool"), storage_order=1)


@mutation("residual-fp32")
def kernel_dilated(mutant: Mutant) -> None:
    """A 3×3 convolution looks at every other value, padded by 2: its result has the same size."""
    mutant.set(mutant.node(f"{BLOCK}.body.conv1/Conv"), dilations=[2, 2], pads=[2, 2, 2, 2])


@mutation("residual-fp32")
def stride_begins_elsewhere(mutant: Mutant) -> None:
    """A convolution of stride 2 pads on one side only, as TensorFlow does for even sizes."""
    node = mutant.node("features.stage2_block1.body.conv1/Conv")
    mutant.set(node, pads=[0, 0, 2, 2])


@mutation("residual-fp32")
def channels_in_groups(mutant: Mutant) -> None:
    """A convolution is in two groups, each of which sees half of the channels."""
    name = f"{BLOCK}.body.conv2"
    values = mutant.get(f"{name}.weight")
    half = values.shape[1] // 2
    cut = np.concatenate([values[:half, :half], values[half:, half:]])
    mutant.put(f"{name}.weight", cut)
    mutant.set(mutant.node(f"{name}/Conv"), group=2)
