"""What an ONNX file computes a size from: bounds that hold, and nothing where that is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile
from edgenet.runner.onnx_file import check_self_contained


def _node(operator: str, *inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def _check(folder: Path, nodes: list[onnx.NodeProto], **constants: Any) -> None:
    stored = [
        numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()
    ]
    model = helper.make_model(helper.make_graph(nodes, "graph", [], [], stored))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    check_self_contained(path)


def _size_of(*nodes: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Make a tensor of the size that these nodes compute as ``size``."""
    return [*nodes, _node("ConstantOfShape", "size", output="made")]


def test_a_padding_to_a_multiple_passes_whatever_the_picture(tmp_path: Path) -> None:
    """As PyTorch's exporter writes it for Swin: ``(7 - height % 7) % 7``, and zeros before it."""
    nodes = [
        _node("Shape", "features", output="shape"),
        _node("Gather", "shape", "axis", output="height", axis=0),
        _node("Mod", "height", "window", output="over", fmod=0),
        _node("Sub", "window", "over", output="missing"),
        _node("Mod", "missing", "window", output="padding", fmod=0),
        _node("Unsqueeze", "padding", "first", output="row"),
        _node("Concat", "first", "row", output="pads", axis=0),
        _node("Shape", "pads", output="lengths"),
        _node("Gather", "lengths", "zero", output="length", axis=0),
        _node("Sub", "eight", "length", output="size"),
        _node("ConstantOfShape", "size", output="rest"),
        _node("Concat", "pads", "rest", output="all", axis=0),
        _node("Pad", "features", "all", output="made"),
    ]
    _check(tmp_path, nodes, axis=1, window=7, first=[0], zero=0, eight=8)


@pytest.mark.parametrize(
    ("operator", "first", "second", "passes"),
    [
        ("Add", 8_000_000, 8_000_000, True),
        ("Add", 9_000_000, 9_000_000, False),
        ("Sub", 9_000_000, -9_000_000, False),
        ("Mul", 4000, 4000, True),
        ("Mul", -60_000, -60_000, False),
        ("Mul", 1 << 40, 1 << 40, False),
        ("Div", -60_000, 7, True),
        ("Div", 60_000, 0, False),
        ("Mod", -60_000, 7, True),
        ("Mod", 60_000, -7, False),
        ("Max", 1 << 30, 1, False),
        ("Min", 1 << 30, 1, True),
    ],
)
def test_numbers_that_are_known_are_computed(
    tmp_path: Path, operator: str, first: int, second: int, passes: bool
) -> None:
    """What is computed from them is looked at as if it were written down."""
    nodes = _size_of(_node(operator, "first", "second", output="size"))
    if passes:
        _check(tmp_path, nodes, first=[first], second=[second])
        return
    with pytest.raises(CorruptFile, match="ConstantOfShape that makes 'made'"):
        _check(tmp_path, nodes, first=[first], second=[second])


@pytest.mark.parametrize(
    "nodes",
    [
        [_node("Mul", "height", "height", output="size")],
        [_node("Sub", "seven", "height", output="size")],
        [_node("Mod", "seven", "height", output="size")],
        [_node("Mod", "height", "seven", output="size", fmod=1)],
        [_node("Mod", "height", "seven", output="size", domain="own")],
        [_node("Mod", "float", "seven", output="size")],
        [_node("Mod", "size", "seven", output="size")],
        [
            _node("Mod", "height", "seven", output="size"),
            _node("Mul", "height", "height", output="size"),
        ],
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    """Another meaning of the operator, a circle, a name that is made twice."""
    first = [
        _node("Shape", "features", output="shape"),
        _node("Gather", "shape", "axis", output="height", axis=0),
    ]
    with pytest.raises(CorruptFile, match="is computed by"):
        _check(tmp_path, _size_of(*first, *nodes), axis=[1], seven=[7], float=[1e9])


def test_a_parameter_is_not_the_constant_of_its_name(tmp_path: Path) -> None:
    """A function whose parameter is called as a harmless constant is called with anything."""
    inside = [_node("ConstantOfShape", "size", output="y")]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "f", ["size"], ["y"], inside, opsets)
    decoy = numpy_helper.from_array(np.array([1]), "size")
    model = helper.make_model(helper.make_graph([], "graph", [], [], [decoy]))
    model.functions.append(function)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CorruptFile, match="is computed by"):
        check_self_contained(path)


def test_the_input_of_a_graph_within_a_graph_is_not_the_constant_of_its_name(
    tmp_path: Path,
) -> None:
    """What a loop hands on may grow with every trip."""
    inside = [_node("ConstantOfShape", "size", output="y")]
    size = helper.make_tensor_value_info("size", TensorProto.INT64, [1])
    body = helper.make_graph(inside, "body", [size], [])
    nodes = [_node("Loop", "trips", "", "start", output="made", body=body)]
    with pytest.raises(CorruptFile, match="is computed by"):
        _check(tmp_path, nodes, trips=3, start=[1], size=[1])
