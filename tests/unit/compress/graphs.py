"""A small ONNX classifier with every kind of layer that can be quantized, made without torch."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 8, 6)  # C, H, W
CLASSES = 4
LAYERS = ("conv", "left", "right", "hidden", "plain", "output")
CREST = 16
"""Largest over root-mean-square value that weights and activations of sane networks stay below."""
OPSET, IR = 21, 10  # the first in which onnx's reference evaluator has Q and DQ


def classifier(*, opset: int = OPSET, seed: int = 0) -> onnx.ModelProto:
    """Return a network of two convolutions beside each other, Gemm both ways, and MatMul."""
    draw = np.random.Generator(np.random.PCG64(seed))

    def tensor(name: str, *shape: int) -> TensorProto:
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 100
        values = draw.normal(size=shape) * np.sqrt(2 / fan_in)
        return numpy_helper.from_array(values.astype(np.float32), name)

    nodes = [
        helper.make_node("Cast", ["input"], ["pixels"], name="pixels", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "pixel_scale"], ["unit"], name="unit"),
        helper.make_node("Conv", ["unit", "conv.weight", "conv.bias"], ["c"], name="conv/Conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Conv", ["r", "left.weight"], ["l"], name="left/Conv", pads=[1] * 4),
        helper.make_node("Conv", ["r", "right.weight"], ["s"], name="right/Conv"),
        helper.make_node("Add", ["l", "s"], ["a"], name="add"),
        helper.make_node("Tanh", ["a"], ["t"], name="tanh"),
        helper.make_node("Flatten", ["t"], ["f"], name="flatten"),
        helper.make_node(
            "Gemm", ["f", "hidden.weight", "hidden.bias"], ["h"], name="hidden/Gemm", transB=1
        ),
        helper.make_node("Gemm", ["h", "plain.weight"], ["g"], name="plain/Gemm"),
        helper.make_node("MatMul", ["g", "output.weight"], ["m"], name="output/MatMul"),
        helper.make_node("Add", ["m", "output.bias"], ["logits"], name="bias"),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["N", *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        [
            numpy_helper.from_array(np.float32(1 / 255), "pixel_scale"),
            tensor("conv.weight", 5, 1, 3, 3),
            tensor("conv.bias", 5),
            tensor("left.weight", 3, 5, 3, 3),
            tensor("right.weight", 3, 5, 1, 1),
            tensor("hidden.weight", 24, 3 * 6 * 4),
            tensor("hidden.bias", 24),
            tensor("plain.weight", 24, 18),
            tensor("output.weight", 18, CLASSES),
            tensor("output.bias", CLASSES),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR)
    helper.set_model_props(model, {"edgenet": '{"labels": ["a", "b", "c", "d"]}'})
    return model


def content(**options: int) -> bytes:
    """Return the classifier as a file's content."""
    written: bytes = classifier(**options).SerializeToString()
    return written


def pictures(n: int = 60, seed: int = 0) -> NDArray[np.uint8]:
    """Return random pictures uint8 [n, C, H, W] of random brightness."""
    draw = np.random.Generator(np.random.PCG64(seed))
    brightness = draw.uniform(0.2, 1, (n, 1, 1, 1))
    return (draw.integers(0, 256, (n, *SHAPE)) * brightness).astype(np.uint8)


def sqnr_floor_db(nodes: int) -> float:
    """Return the SQNR that rounding to 8 bits leaves after this many nodes in a row.

    A value rounded to steps of max/127 has the error power (max/127)²/12, and so an SQNR of
    12·127² over the crest factor squared. Every node rounds an input and a weight, and the errors
    of 2·nodes roundings add up in power.
    """
    return 10 * float(np.log10(12 * 127**2 / CREST**2 / (2 * nodes)))
