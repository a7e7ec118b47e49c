"""What a model file says of itself: the JSON object that edgenet puts inside it.

The kind of file is seen from its first bytes, so a format needs no row here unless it keeps its
metadata in a way of its own.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile
from edgenet.runner.archive import FAULTS, MAX_MEMBERS, check_directory
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.onnx_file import read_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.runner.bundle import Manifest

KEY = "edgenet"
FIELDS = ("labels", "preprocessing", "probability")
"""Fields of the manifest that the model file carries too."""

_MAX_BYTES = 1 << 20
_MAGIC_BYTES = 4
_ARCHIVE = b"PK\x03\x04"
_PLAN_SUFFIXES = (".engine", ".rtx")
_PLANS = (b"ptrt", b"ftrt", b"vtrt")  # TensorRT, its versions before 8, TensorRT for RTX


def embedded_metadata(path: Path) -> dict[str, Any] | None:
    """Return the metadata within a model file, or None if it carries none of edgenet's.

    Reads ONNX files (``metadata_props``) and PyTorch's archives (an extra file). TensorRT's plans
    have no place for it: theirs is in the ONNX file beside them that they were built from.

    Raises:
        CorruptFile: The file or the metadata in it cannot be parsed.
    """
    with path.open("rb") as file:
        magic = file.read(_MAGIC_BYTES)
    if path.suffix in _PLAN_SUFFIXES:
        if magic not in _PLANS:
            raise CorruptFile(f"{path} is not a TensorRT plan")
        return embedded_metadata(path.with_name("model.onnx"))
    text = _from_archive(path) if magic == _ARCHIVE else read_metadata(path, KEY)
    if text is None:
        return None
    try:
        values = parse_json(text)
    except FieldError as error:
        raise CorruptFile(f"{path}: the metadata in it: {error}") from error
    if not isinstance(values, dict):
        raise CorruptFile(f"{path}: the metadata in it is not an object")
    return values


def contradictions(manifest: Manifest, embedded: dict[str, Any]) -> tuple[str, ...]:
    """Return the fields in which a model file and its manifest say different things."""
    declared = manifest.to_json()
    return tuple(name for name in FIELDS if embedded.get(name) != declared[name])


def _from_archive(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            check_directory(file, MAX_MEMBERS)
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(f"/extra/{KEY}.json"):
                        _check_length(path, member)
                        return archive.read(member)
    except FieldError as error:
        raise CorruptFile(f"{path}: {error}") from error
    except FAULTS as error:
        raise CorruptFile(f"{path} is not a whole archive: {error}") from error
    return None


def _check_length(path: Path, member: zipfile.ZipInfo) -> None:
    if member.file_size > _MAX_BYTES:
        raise CorruptFile(f"{path}: the metadata in it exceeds {_MAX_BYTES:,} bytes")
