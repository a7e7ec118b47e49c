"""The walk over an ONNX file before a runtime may load it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile
from edgenet.runner import onnx_file
from edgenet.runner.onnx_file import check_self_contained


def _tensor(location: str | None = None, dims: tuple[int, ...] = (2,)) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "weights")
    if location is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return tensor


def _in_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(helper.make_graph([], "graph", [], [], [tensor]))


def _in_constant(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["value"], value=tensor)
    return helper.make_model(helper.make_graph([node], "graph", [], []))


def _in_branch(tensor: TensorProto) -> onnx.ModelProto:
    branch = helper.make_graph([], "branch", [], [], [tensor])
    empty = helper.make_graph([], "empty", [], [])
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=empty)
    return helper.make_model(helper.make_graph([node], "graph", [], []))


def _in_function(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "f", [], ["y"], [node], opsets)
    return helper.make_model(helper.make_graph([], "graph", [], []), functions=[function])


def _in_sparse(tensor: TensorProto) -> onnx.ModelProto:
    sparse = onnx.SparseTensorProto(values=tensor, indices=_tensor(), dims=[2])
    graph = helper.make_graph([], "graph", [], [])
    graph.sparse_initializer.append(sparse)
    return helper.make_model(graph)


def _in_training(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(helper.make_graph([], "graph", [], []))
    model.training_info.add().algorithm.CopyFrom(helper.make_graph([], "a", [], [], [tensor]))
    return model


PLACES = [_in_initializer, _in_constant, _in_branch, _in_function, _in_sparse, _in_training]
Place = Callable[[TensorProto], onnx.ModelProto]


def _check(folder: Path, content: bytes) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    check_self_contained(path)


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_inside_the_file_passes_wherever_it_is(tmp_path: Path, place: Place) -> None:
    """What an exporter writes is not refused."""
    _check(tmp_path, place(_tensor()).SerializeToString())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["weights.bin", "../../etc/passwd", "/etc/passwd"])
def test_external_data_are_refused_wherever_they_are(
    tmp_path: Path, place: Place, location: str
) -> None:
    """The runtime would follow the path; nothing of the bundle vouches for what lies there."""
    with pytest.raises(CorruptFile, match=r"model\.onnx: a tensor has its data in another file"):
        _check(tmp_path, place(_tensor(location)).SerializeToString())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dims", [(1 << 40,), (1 << 16, 1 << 16), (-1,)])
def test_a_tensor_that_claims_to_be_huge_is_refused(
    tmp_path: Path, place: Place, dims: tuple[int, ...]
) -> None:
    """A shape takes ten bytes in the file and terabytes in memory."""
    with pytest.raises(CorruptFile, match="elements"):
        _check(tmp_path, place(_tensor(dims=dims)).SerializeToString())


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    """A parser that follows them recurses as deep as the file says."""
    graph = helper.make_graph([], "innermost", [], [])
    for _ in range(20):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        del node.attribute[1:]
        graph = helper.make_graph([node], "graph", [], [])
    with pytest.raises(CorruptFile, match="too deeply"):
        _check(tmp_path, helper.make_model(graph).SerializeToString())


def test_a_file_of_countless_fields_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bytes a field: two gigabytes would keep the walk busy for an hour."""
    monkeypatch.setattr(onnx_file, "MAX_FIELDS", 1000)
    with pytest.raises(CorruptFile, match="more than 1000 fields"):
        _check(tmp_path, b"\x08\x01" * 1001)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x3a\xff", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20, b"\x0b", b"PK\x03\x04 archive"],
)
def test_what_is_no_protobuf_is_refused(tmp_path: Path, content: bytes) -> None:
    """Lengths beyond the end, numbers without one, groups."""
    with pytest.raises(CorruptFile, match="not an ONNX file"):
        _check(tmp_path, content)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_makes_the_walk_raise_anything_but_a_corrupt_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes changed anywhere in a real file."""
    content = bytearray(_in_branch(_tensor()).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CorruptFile):
        _check(tmp_path_factory.mktemp("damaged"), bytes(content))
