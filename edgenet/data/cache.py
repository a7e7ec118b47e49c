"""Folders under the cache root that are written whole, described, and checked before reuse."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from edgenet.files import new_folder_atomically, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DESCRIPTION = "meta.json"

log = logging.getLogger(__name__)


def cached_folder(
    path: Path, schema: str, write: Callable[[Path], dict[str, Any]]
) -> dict[str, Any]:
    """Reuse the folder ``path`` when it is whole, or write it anew.

    It is whole when its ``meta.json`` has this ``schema`` and every file named there has the
    recorded length and SHA-256.

    Args:
        path: Where the folder is, or will appear with all of its content at once.
        schema: Name and version of what lies in it.
        write: Puts the files into the (temporary) folder it is given and returns facts, plain
            JSON values, which ``meta.json`` keeps.

    Returns:
        The content of ``meta.json``: the facts, ``schema`` and ``files``.

    Raises:
        EdgenetError: The disk is full, or the cache cannot be written.
    """
    found = _read_whole(path, schema)
    if found is not None:
        return found
    try:
        with new_folder_atomically(path, overwrite=True) as folder:
            facts = write(folder)
            meta = {**facts, "schema": schema, "files": _describe(folder)}
            (folder / DESCRIPTION).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    except OSError:
        # Another process may have put the same folder there first.
        found = _read_whole(path, schema)
        if found is None:
            raise
        return found
    return meta


def _describe(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return {file.name: {"sha256": sha256_of(file), "bytes": file.stat().st_size} for file in files}


def _read_whole(path: Path, schema: str) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        meta: dict[str, Any] = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        whole = meta["schema"] == schema and all(
            (path / name).stat().st_size == file["bytes"]
            and sha256_of(path / name) == file["sha256"]
            for name, file in meta["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if whole:
        return meta
    log.info("the cache folder %s is not whole, and is written anew", path)
    return None
