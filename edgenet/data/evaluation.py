"""A split on disk, for measuring processes to map into memory: what a job names by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.data.cache import cached_folder
from edgenet.files import cache_root

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.data.split import Split

SCHEMA = "edgenet.evaluation/1"


def write_evaluation_set(split: Split, root: Path | None = None) -> Path:
    """Write ``split`` into a folder named by its digest, unless it already lies there whole.

    The folder holds ``images.npy`` (uint8 [N, C, H, W], not compressed), ``labels.npy``
    (int64 [N]) and ``meta.json`` (digest, split, shape, class names, files with their SHA-256).

    Args:
        split: What to write.
        root: Where such folders are kept; by default ``evaluation`` in edgenet's cache.

    Returns:
        The folder.

    Raises:
        EdgenetError: The disk is full, or the place cannot be written.
    """
    path = (cache_root() / "evaluation" if root is None else root) / split.digest

    def write(folder: Path) -> dict[str, Any]:
        np.save(folder / "images.npy", np.ascontiguousarray(split.images), allow_pickle=False)
        np.save(folder / "labels.npy", split.labels, allow_pickle=False)
        return {
            "digest": split.digest,
            "split": split.name,
            "shape": list(split.images.shape),
            "class_names": list(split.class_names),
        }

    cached_folder(path, SCHEMA, write)
    return path
