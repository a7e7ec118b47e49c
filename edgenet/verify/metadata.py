"""What a model file says of itself: the JSON object that edgenet puts inside it.

The kind of file is seen from its first bytes, so a format needs no row here unless it keeps its
metadata in a way of its own.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile
from edgenet.runner.fields import FieldError, parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.runner.bundle import Manifest

KEY = "edgenet"
FIELDS = ("labels", "preprocessing", "probability")
"""Fields of the manifest that the model file carries too."""

_MAX_BYTES = 1 << 20
_ARCHIVE = b"PK\x03\x04"


def embedded_metadata(path: Path) -> dict[str, Any] | None:
    """Return the metadata within a model file, or None if it carries none of edgenet's.

    Reads ONNX files (``metadata_props``) and PyTorch's archives (an extra file).

    Raises:
        CorruptFile: The file or the metadata in it cannot be parsed.
    """
    with path.open("rb") as file:
        is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE
    text = _from_archive(path) if is_archive else _from_onnx(path)
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
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(f"/extra/{KEY}.json"):
                    if member.file_size > _MAX_BYTES:
                        message = f"{path}: the metadata in it exceeds {_MAX_BYTES:,} bytes"
                        raise CorruptFile(message)
                    return archive.read(member)
    except zipfile.BadZipFile as error:
        raise CorruptFile(f"{path} is not a whole archive: {error}") from error
    return None


def _from_onnx(path: Path) -> bytes | None:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise CorruptFile(f"{path} is not an ONNX file") from error
    return next((p.value.encode() for p in model.metadata_props if p.key == KEY), None)
