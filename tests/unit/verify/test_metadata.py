"""What model files say of themselves, whatever kind of file it is."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import onnx
import pytest

from edgenet.errors import CorruptFile
from edgenet.verify.metadata import embedded_metadata

SAID = {"labels": ["é"]}


def _onnx(text: str) -> bytes:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], []))
    onnx.helper.set_model_props(model, {"other": "{}", "edgenet": text})
    return bytes(model.SerializeToString())


def _archive(text: str, name: str = "model/extra/edgenet.json") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def _write(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder / next(iter(files)).replace("_", ".")


@pytest.mark.parametrize("write", [_onnx, _archive])
def test_metadata_are_read_from_networks_and_archives(tmp_path: Path, write: object) -> None:
    """ONNX's properties, and an extra file of PyTorch's."""
    assert callable(write)
    assert embedded_metadata(_write(tmp_path, model_x=write(json.dumps(SAID)))) == SAID


@pytest.mark.parametrize(
    "content",
    [_onnx("").replace(b"edgenet", b"another"), _archive("", "x")],
    ids=["onnx", "archive"],
)
def test_a_file_of_others_has_none(tmp_path: Path, content: bytes) -> None:
    """That is no fault of the file."""
    assert embedded_metadata(_write(tmp_path, model_x=content)) is None


@pytest.mark.parametrize("magic", [b"ptrt", b"vtrt"])
def test_an_engine_has_those_of_the_network_beside_it(tmp_path: Path, magic: bytes) -> None:
    """A plan has no place for them."""
    plan = _write(tmp_path, model_rtx=magic + b"\0" * 40, model_onnx=_onnx(json.dumps(SAID)))
    assert embedded_metadata(plan) == SAID


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("model.engine", b"\x89PNG" * 9, "not a TensorRT plan"),
        ("model.rtx", b"", "not a TensorRT plan"),
        ("model.onnx", b"", "not an ONNX file"),
        ("model.onnx", b"\xff" * 30, "not an ONNX file"),
        ("model.onnx", _onnx("[" * 100_000), "nested too deeply"),
        ("model.onnx", _onnx('{"labels": NaN}'), "NaN"),
        ("model.onnx", _onnx("[1]"), "not an object"),
        ("model.onnx", _onnx("x" * 1_100_000), "exceeds"),
        ("model.pt2", _archive("x" * 1_100_000), "exceeds"),
        ("model.pt2", _archive("{"), "not JSON"),
        ("model.pt2", _archive("{}")[:-9], "not an archive"),
        ("model.pt2", _archive("{}").replace(b"model/extra", b"other/extra", 1), "whole archive"),
    ],
    ids=[
        "another-format",
        "empty-engine",
        "empty-onnx",
        "no-protobuf",
        "deep",
        "nan",
        "list",
        "long",
        "long-in-an-archive",
        "no-json",
        "cut",
        "another-name",
    ],
)
def test_what_is_no_metadata_is_a_corrupt_file(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    """It is data, whatever it claims to be."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptFile, match=complaint) as caught:
        embedded_metadata(tmp_path / name)
    assert name in caught.value.message
