"""What pictures a folder of class folders holds, by their names alone."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edgenet.errors import DataUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("train", "validation", "test")

_PART_OF_FOLDER = {"train": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}
_LAYOUTS = "lay it out as DIR/CLASS/pictures, or as DIR/train/CLASS/pictures with val/ and test/"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A file in a class folder.

    Attributes:
        path: Relative to the listed folder, with ``/``.
        label: Position of its class in the class names.
        part: Position in :data:`PARTS`; 0 where the layout has no parts.
        size_bytes: Its length; -1 when it cannot be asked for.
        modified_ns: Its time of modification; -1 when it cannot be asked for.
    """

    path: str
    label: int
    part: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All pictures of a folder, in an order that does not depend on the file system."""

    folder: Path
    class_names: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def digest(self, *facts: object) -> str:
        """Return a SHA-256 that changes with any file's name, length or time, or with ``facts``."""
        rows = [(p.path, p.part, p.size_bytes, p.modified_ns) for p in self.pictures]
        content = [str(self.folder.resolve()), self.class_names, rows, facts]
        return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogateescape")).hexdigest()


def list_pictures(folder: Path) -> Listing:
    """List the files of all class folders; hidden files and folders are left out.

    Where the folder is cut into ``train``, ``val`` (or ``valid``, ``validation``) and ``test``,
    which hold class folders, that decides which part a picture belongs to. Otherwise every folder
    is a class, and so may be one named ``train`` that holds pictures alone. Folders inside a class
    folder belong to that class.

    Raises:
        UsageError: The layout is neither of the two, or there are fewer than two classes.
        DataUnavailable: A folder cannot be read, or there are no pictures.
    """
    roots = _part_folders(folder) or [folder]
    class_names = tuple(sorted({path.name for root in roots if root for path in _folders(root)}))
    if not class_names:
        raise DataUnavailable(f"{folder} holds no class folders", _LAYOUTS)
    if len(class_names) == 1:
        message = f"{folder} holds one class only ({class_names[0]}); there is nothing to learn"
        raise UsageError(message, _LAYOUTS)
    pictures = tuple(
        _picture(folder, file, label, part)
        for part, root in enumerate(roots)
        if root
        for label, name in enumerate(class_names)
        for file in _files(root / name)
    )
    if not pictures:
        raise DataUnavailable(f"the class folders of {folder} are empty", _LAYOUTS)
    listing = Listing(folder=folder, class_names=class_names, pictures=pictures)
    _check_classes(listing)
    return listing


def _part_folders(folder: Path) -> list[Path | None] | None:
    """Return the folders of train, validation and test (None for one that is absent), if any."""
    found: list[Path | None] = [None] * len(PARTS)
    others = []
    for path in _folders(folder):
        part = _PART_OF_FOLDER.get(path.name)
        if part is None:
            others.append(path.name)
        elif found[part] is not None:
            raise UsageError(f"{folder} holds both {found[part]} and {path}", "keep one of them")
        else:
            found[part] = path
    train = found[0]
    present = [path for path in found if path is not None]
    a_vehicle = bool(others) and present == [train] and not any(map(_folders, present))
    if not present or a_vehicle:
        return None
    if others:
        first = present[0].name
        raise UsageError(f"{folder} mixes parts ({first}) and classes ({others[0]})", _LAYOUTS)
    if train is None:
        raise UsageError(f"{folder} holds no folder train", _LAYOUTS)
    for path in present:
        if not _folders(path):
            raise DataUnavailable(f"{path} holds no class folders", _LAYOUTS)
    return found


def _check_classes(listing: Listing) -> None:
    """Refuse a class that no training picture shows.

    Raises:
        UsageError: There is one.
    """
    shown = {picture.label for picture in listing.pictures if picture.part == 0}
    for label, name in enumerate(listing.class_names):
        if label not in shown:
            message = f"{listing.folder}: no training picture is of the class {name!r}"
            raise UsageError(message, "add some, or remove the folder of that class")


def _folders(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        _refuse(error)
    return [path for path in paths if path.is_dir() and not path.name.startswith(".")]


def _files(folder: Path) -> Iterator[Path]:
    """Walk a class folder, which may be absent, in a fixed order."""
    if not folder.is_dir():
        return
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def _refuse(error: OSError) -> NoReturn:
    raise DataUnavailable(f"cannot read the folder {error.filename}: {error.strerror}") from error


def _picture(folder: Path, file: Path, label: int, part: int) -> Picture:
    try:
        status = file.stat()
        size_bytes, modified_ns = status.st_size, status.st_mtime_ns
    except OSError:  # a dangling link, say: decoding will tell why it is no picture
        size_bytes, modified_ns = -1, -1
    path = file.relative_to(folder).as_posix()
    return Picture(
        path=path, label=label, part=part, size_bytes=size_bytes, modified_ns=modified_ns
    )
