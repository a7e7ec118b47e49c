"""The numbers in an ONNX file that decide how much memory it takes, and its scales.

What is huge, and what is no scale, is in `tests.hostile`; here is what must pass, and the ways to
write a number down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile
from edgenet.runner import onnx_network
from edgenet.runner.onnx_file import check_self_contained, read_metadata


def _check(folder: Path, nodes: list[onnx.NodeProto], *constants: TensorProto) -> None:
    graph = helper.make_graph(nodes, "graph", [], [], list(constants))
    path = folder / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    check_self_contained(path)


def _constant(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def _node(operator: str, *inputs: str, output: str = "made", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def test_a_size_may_be_put_together_from_constants_and_shapes(tmp_path: Path) -> None:
    """As exporters write it for a free batch: the batch's size beside fixed ones."""
    _check(
        tmp_path,
        [
            _node("Shape", "picture", output="shape"),
            _node("Gather", "shape", "first", output="batch"),
            _node("Constant", output="rest", value_ints=[10, 20]),
            _node("Concat", "batch", "rest", output="size", axis=0),
            _node("ConstantOfShape", "size", output="zeros"),
            _node("Equal", "size", "minus", output="free"),
            _node("Where", "free", "zeros", "size", output="full"),
            _node("Expand", "x", "full"),
        ],
        _constant("first", [0]),
        _constant("minus", [-1]),
    )


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_size_that_comes_from_the_picture_is_refused(tmp_path: Path, nodes: int) -> None:
    """Four white pixels, multiplied, are four billion."""
    chain = [
        _node("Cast", "picture", output="numbers", to=TensorProto.INT64),
        _node("Flatten", "numbers", output="flat"),
        _node("Expand", "x", "flat" if nodes == 3 else "picture"),
    ]
    with pytest.raises(CorruptFile, match="computed by what is not in the file"):
        _check(tmp_path, chain[-nodes:])


def _typed(values: list[int]) -> TensorProto:
    return helper.make_tensor("size", TensorProto.INT64, [len(values)], values)


def _as_node(values: list[int], **attributes: Any) -> list[onnx.NodeProto]:
    return [_node("Constant", output="size", **attributes), _node("ConstantOfShape", "size")]


@pytest.mark.parametrize("values", [[1 << 31], [1 << 13, 1 << 13], [-(1 << 40)]])
def test_a_huge_size_is_found_however_it_is_written(tmp_path: Path, values: list[int]) -> None:
    """As raw bytes, as a list, and as a node with a tensor or with integers."""
    made = [_node("ConstantOfShape", "size")]
    tensor = _constant("inner", values)
    for nodes, constants in (
        (made, [_constant("size", values)]),
        (made, [_typed(values)]),
        (_as_node(values, value=tensor), []),
        (_as_node(values, value_ints=values), []),
    ):
        with pytest.raises(CorruptFile, match="makes a tensor of a size of"):
            _check(tmp_path, nodes, *constants)


def test_a_size_in_a_sparse_tensor_is_refused(tmp_path: Path) -> None:
    """Nobody writes one there, and its numbers would have to be put together."""
    sparse = helper.make_sparse_tensor(
        _constant("values", [1 << 31]), _constant("indices", [0]), [1]
    )
    node = helper.make_node("Constant", [], ["size"])
    node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    node.attribute[0].sparse_tensor.CopyFrom(sparse)
    with pytest.raises(CorruptFile, match="is computed by"):
        _check(tmp_path, [node, _node("ConstantOfShape", "size")])


def test_a_sparse_tensor_that_is_huge_when_it_is_written_out_is_refused(tmp_path: Path) -> None:
    """Ten bytes a runtime turns into gigabytes."""
    sparse = helper.make_sparse_tensor(
        _constant("values", [1.0]), _constant("indices", [0]), [1 << 30]
    )
    graph = helper.make_graph([], "graph", [], [])
    graph.sparse_initializer.append(sparse)
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(CorruptFile, match="sparse tensor claims"):
        check_self_contained(path)


def test_a_range_of_tiny_steps_is_refused(tmp_path: Path) -> None:
    """From 0 to 1, a trillion numbers."""
    constants = [_constant("a", 0.0), _constant("b", 1.0), _constant("c", 1e-12)]
    with pytest.raises(CorruptFile, match="small steps"):
        _check(tmp_path, [_node("Range", "a", "b", "c")], *constants)


@pytest.mark.parametrize("trips", ["", "many"])
def test_a_loop_without_a_small_number_of_trips_is_refused(tmp_path: Path, trips: str) -> None:
    """It would hang whoever opens the file."""
    body = helper.make_graph([], "body", [], [])
    node = _node("Loop", trips, "true", body=body)
    with pytest.raises(CorruptFile, match="the Loop that makes 'made'"):
        _check(tmp_path, [node], _constant("many", [1 << 62]))
    _check(tmp_path, [_node("Loop", "few", "", body=body)], _constant("few", [3]))


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Conv", {"pads": [0, 0, 1 << 20, 0]}),
        ("MaxPool", {"pads": [0, 0, 1 << 20, 0], "kernel_shape": [2, 2]}),
        ("ConvTranspose", {"output_shape": [1 << 16, 1 << 16]}),
        ("ConvTranspose", {"strides": [1 << 16, 1]}),
        ("Pad", {"pads": [0, 1 << 31]}),
        ("Upsample", {"scales": [1.0, 1.0, 1e6, 1e6]}),
        ("RandomUniform", {"shape": [1 << 40]}),
    ],
)
def test_a_huge_size_in_an_attribute_is_refused(
    tmp_path: Path, operator: str, attributes: dict[str, Any]
) -> None:
    """Older operator sets, and operators that take theirs from nowhere else."""
    with pytest.raises(CorruptFile, match=f"the {operator} that makes 'made'"):
        _check(tmp_path, [_node(operator, "x", "y", **attributes)])


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("position", [1, 4, 6])
def test_scales_of_every_type_and_of_the_operator_format_are_looked_at(
    tmp_path: Path, kind: Any, position: int
) -> None:
    """One of a thousand is enough."""
    scales = np.full(1000, 0.5, kind)
    inputs = [f"i{number}" for number in range(8)]
    node = _node("QLinearConv", *inputs)
    _check(tmp_path, [node], _constant(inputs[position], scales))
    scales[700] = np.nan
    with pytest.raises(CorruptFile, match="a scale that is not a positive number"):
        _check(tmp_path, [node], _constant(inputs[position], scales))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_scales_that_are_listed_are_looked_at(tmp_path: Path, kind: int) -> None:
    """Numbers of 16 bits are listed as the integers that their bits are."""
    node = _node("DequantizeLinear", "x", "scale")
    for value, good in ((0.5, True), (float("inf"), False), (-0.5, False)):
        tensor = helper.make_tensor("scale", kind, [1], [value])
        if good:
            _check(tmp_path, [node], tensor)
        else:
            with pytest.raises(CorruptFile, match="not a positive number"):
                _check(tmp_path, [node], tensor)


def test_a_scale_whose_values_are_not_there_is_refused(tmp_path: Path) -> None:
    """Two claimed, one held."""
    tensor = _constant("scale", np.array([0.5], np.float32))
    tensor.dims[0] = 2
    with pytest.raises(CorruptFile, match="cannot be read"):
        _check(tmp_path, [_node("DequantizeLinear", "x", "scale")], tensor)


def test_countless_nodes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is noted, which takes memory."""
    monkeypatch.setattr(onnx_network, "MAX_NODES", 10)
    with pytest.raises(CorruptFile, match="more than 10 nodes"):
        _check(tmp_path, [_node("Relu", "x") for _ in range(11)])


def _functions(calls: dict[str, list[str]], domain: str = "own") -> onnx.ModelProto:
    """Return a network that calls the first of these functions, which call others."""
    model = helper.make_model(helper.make_graph([], "graph", [], []))
    for name, called in calls.items():
        nodes = [helper.make_node(each, ["x"], ["y"], domain=domain) for each in called]
        model.functions.append(helper.make_function(domain, name, ["x"], ["y"], nodes, []))
    model.graph.node.append(helper.make_node(next(iter(calls)), ["x"], ["y"], domain=domain))
    return model


def _check_model(folder: Path, model: onnx.ModelProto) -> None:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    check_self_contained(path)


def test_functions_that_stand_for_a_huge_network_are_refused(tmp_path: Path) -> None:
    """Thirty, each of which calls the next twice, are a billion nodes when they are written out."""
    doubling = {f"f{n}": [f"f{n + 1}"] * 2 for n in range(30)}
    with pytest.raises(CorruptFile, match="functions stand for more than 100000 nodes"):
        _check_model(tmp_path, _functions(doubling))
    single = {f"f{n}": [f"f{n + 1}"] for n in range(30)}
    _check_model(tmp_path, _functions(single))


@pytest.mark.parametrize(
    ("domain", "called_by"), [("own", "own"), ("", "ai.onnx"), ("ai.onnx", "")]
)
def test_functions_that_call_themselves_are_refused(
    tmp_path: Path, domain: str, called_by: str
) -> None:
    """Directly or in a circle, and by either name of ONNX's own domain."""
    model = _functions({"f": ["g"], "g": ["f"]}, domain)
    for function in model.functions:
        function.node[0].domain = called_by
    with pytest.raises(CorruptFile, match="in a circle"):
        _check_model(tmp_path, model)


def test_a_function_may_have_the_name_of_an_operator_that_it_calls(tmp_path: Path) -> None:
    """Of another domain, as exporters have it."""
    model = _functions({"Relu": ["Relu"]})
    model.functions[0].node[0].domain = ""
    _check_model(tmp_path, model)


@pytest.mark.parametrize("shape", [[0, 1 << 20, 1 << 20], [0, 1 << 31]])
def test_huge_sizes_of_nothing_are_refused(tmp_path: Path, shape: list[int]) -> None:
    """An empty tensor takes no memory; one that is made by the rest of its sizes does."""
    with pytest.raises(CorruptFile, match="the Reshape that makes 'made'"):
        _check(tmp_path, [_node("Reshape", "x", "sizes")], _constant("sizes", shape))
    empty = TensorProto(name="x", data_type=TensorProto.FLOAT, dims=shape)
    with pytest.raises(CorruptFile, match=r"empty tensor has huge sizes|more than 2\^31"):
        _check(tmp_path, [_node("Shape", "x")], empty)


def test_a_shape_may_be_computed_and_large(tmp_path: Path) -> None:
    """As ShuffleNet's is; the weights of VGG's first linear layer have a hundred million."""
    _check(
        tmp_path,
        [
            _node("Shape", "picture", output="shape"),
            _node("Div", "shape", "two", output="half"),
            _node("Concat", "half", "sizes", output="both", axis=0),
            _node("Reshape", "picture", "both"),
            _node("Reshape", "weights", "sizes", output="other"),
        ],
        _constant("two", [2]),
        _constant("sizes", [4096, 25088]),
    )


def test_long_names_are_refused(tmp_path: Path) -> None:
    """A name of a megabyte for each of ten thousand nodes."""
    with pytest.raises(CorruptFile, match="names are too long"):
        _check(tmp_path, [_node("Relu", "x" * 5000)])


def test_metadata_are_read_without_the_package_onnx(tmp_path: Path) -> None:
    """By their key; and not where they are longer than any that we write."""
    model = helper.make_model(helper.make_graph([], "graph", [], []))
    helper.set_model_props(model, {"other": "x", "edgenet": '{"é": 1}'})
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert read_metadata(path, "edgenet") == '{"é": 1}'.encode()
    assert read_metadata(path, "absent") is None
    helper.set_model_props(model, {"edgenet": "x" * 1_100_000})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CorruptFile, match=r"model\.onnx: the metadata in it exceeds"):
        read_metadata(path, "edgenet")
