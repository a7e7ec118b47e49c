"""Data sets as uint8 arrays: the table of names, and loading one by name or folder.

A data set is one file with a ``load`` function and one line in :data:`TABLE`. Other packages add
theirs with an entry point of the group ``edgenet.data``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgenet.data.split import Dataset, SkippedFile, Split, stratified_indices
from edgenet.errors import UsageError, unknown_name
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.preprocess import MAX_INPUT_SIDE, MODES

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "TABLE",
    "Dataset",
    "Loader",
    "SkippedFile",
    "Split",
    "check_name",
    "load",
    "names",
    "stratified_indices",
]

TABLE = {
    "mnist": "edgenet.data.mnist:load",
    "fashion-mnist": "edgenet.data.fashion_mnist:load",
}


class Loader(Protocol):
    """What a line of the table names."""

    def __call__(
        self,
        *,
        split_seed: int,
        image_size: tuple[int, int] | None,
        mode: str | None,
        progress: ProgressCallback,
    ) -> Dataset:
        """Load the data set; a size or mode that it cannot have is a :class:`UsageError`."""


def names() -> tuple[str, ...]:
    """Return every name that :func:`load` understands, those of other packages included."""
    return (*TABLE, *(point.name for point in _entry_points()))


def check_name(name_or_folder: str | os.PathLike[str]) -> None:
    """Refuse, without loading anything, what is neither a data set's name nor a folder.

    Raises:
        UsageError: It is neither; the hint has the nearest name.
    """
    known = str(name_or_folder) in names()
    if not known and not Path(name_or_folder).is_dir():
        raise _no_data(name_or_folder)


def load(
    name_or_folder: str | os.PathLike[str],
    *,
    split_seed: int = 0,
    image_size: int | tuple[int, int] | None = None,
    mode: str | None = None,
    progress: ProgressCallback = ignore,
) -> Dataset:
    """Load a data set by its name, or the folder of that path.

    Args:
        name_or_folder: A name of :func:`names`, or a folder: of class folders of pictures, or of
            the four IDX files of MNIST's form. A name wins over a folder; ``./mnist`` is a folder.
        split_seed: Decides which training pictures validate (and, where a folder has no part for
            it, test); 0 or more.
        image_size: (height, width) in pixels, or the side of a square; None takes the data's own.
        mode: ``L`` (grey) or ``RGB``; None takes the data's own.
        progress: Told of downloads and conversions.

    Raises:
        UsageError: The name is unknown, or a value or the folder's layout cannot be.
        DataUnavailable: The data are absent or cannot be read.
        CorruptFile: A file of a published data set is damaged.
    """
    size = _checked_size(image_size)
    if split_seed < 0:
        raise UsageError(f"the split seed must be 0 or more, not {split_seed}")
    if mode is not None and mode not in MODES:
        raise unknown_name("picture mode", mode, MODES)
    loader = _find(str(name_or_folder))
    if loader is not None:
        return loader(split_seed=split_seed, image_size=size, mode=mode, progress=progress)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise _no_data(name_or_folder)
    from edgenet.data import folder as pictures
    from edgenet.data import idx_folder

    found = idx_folder.load(folder, split_seed=split_seed, image_size=size, mode=mode)
    if found is not None:
        return found
    return pictures.load(
        folder, split_seed=split_seed, image_size=size, mode=mode, progress=progress
    )


def _find(name: str) -> Loader | None:
    reference = TABLE.get(name)
    if reference is not None:
        module, attribute = reference.split(":")
        found: Loader = getattr(importlib.import_module(module), attribute)
        return found
    for point in _entry_points():
        if point.name == name:
            loader: Loader = point.load()
            return loader
    return None


def _checked_size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if not all(1 <= side <= MAX_INPUT_SIDE for side in size):
        message = (
            f"a picture's sides must be 1 to {MAX_INPUT_SIDE} pixels, not {size[0]} x {size[1]}"
        )
        raise UsageError(message)
    return size


def _no_data(name_or_folder: str | os.PathLike[str]) -> UsageError:
    """Tell a missing folder, a file and a misspelt name apart."""
    path = Path(name_or_folder)
    if path.exists():
        return UsageError(f"{path} is a file", "name a data set, or a folder of class folders")
    if os.sep in str(name_or_folder):
        return UsageError(f"there is no folder {path}", "name a data set, or a folder that exists")
    error = unknown_name("data set", str(name_or_folder), names())
    error.hint = f"{error.hint} (nor is there a folder of that name)"
    return error


def _entry_points() -> tuple[EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group="edgenet.data"))
