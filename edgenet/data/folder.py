"""A folder of class folders of pictures, of any size and mode, as a data set.

The pictures are decoded and brought to one size and mode once; the result is kept in the cache
under a digest of all names, lengths and times, so that any change of the folder is seen.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.data.cache import cached_folder
from edgenet.data.listing import PARTS, Listing, Picture, list_pictures
from edgenet.data.pixels import mean_and_std, polarity_of
from edgenet.data.split import Dataset, SkippedFile, Split, stratified_indices
from edgenet.errors import CorruptFile, DataUnavailable, EdgenetError, UsageError
from edgenet.files import cache_root
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.preprocess import Header, Preprocessing, decode, prepare, probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "edgenet.folder/1"
HELD_OUT_FRACTION = 0.1
LONGEST_SIDE = 64
SHORTEST_SIDE = 16

_REPORT_EVERY = 50

log = logging.getLogger(__name__)


def load(
    folder: Path,
    *,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    mode: str | None = None,
    progress: ProgressCallback = ignore,
) -> Dataset:
    """Load the pictures of a folder; its classes are sorted by name.

    Validation and test are the folder's own parts where it has them. One that it lacks is drawn
    from the training pictures by seed: a tenth of them, the classes in proportion.

    Args:
        folder: Laid out as :func:`edgenet.data.listing.list_pictures` says.
        split_seed: Decides what is drawn.
        image_size: (height, width) in pixels; see :func:`choose_form` for the default.
        mode: ``L`` or ``RGB``; see :func:`choose_form` for the default.
        progress: Told of every 50 pictures converted.

    Returns:
        The data set; files that are no pictures are listed in ``skipped``.

    Raises:
        UsageError: The layout or the number of pictures does not make a data set.
        DataUnavailable: A folder cannot be read, or no picture can.
        NotPossible: Pillow is not installed.
    """
    listing = list_pictures(folder)
    root = cache_root() / "folder"
    if image_size is None or mode is None:
        chosen = cached_folder(
            root / listing.digest("form"), SCHEMA, lambda _: choose_form(listing, progress)
        )
        image_size = image_size or (chosen["height"], chosen["width"])
        mode = mode or chosen["mode"]
    form = _form(image_size, mode)
    path = root / listing.digest(form.shape)
    meta = cached_folder(path, SCHEMA, lambda place: _convert(listing, form, place, progress))
    skipped = tuple(
        SkippedFile(path=folder / name, reason=reason) for name, reason in meta["skipped"]
    )
    images = np.load(path / "images.npy", mmap_mode="r", allow_pickle=False)
    index = np.load(path / "index.npy", allow_pickle=False)
    rows = _cut(listing, index, split_seed)
    splits = [
        Split(
            name=name,
            images=np.array(images[row]),
            labels=index[row, 0],
            class_names=listing.class_names,
        )
        for name, row in zip(PARTS, rows, strict=True)
    ]
    train, validation, test = splits
    mean, std = mean_and_std(train.images)
    return Dataset(
        name=folder.resolve().name,
        train=train,
        validation=validation,
        test=test,
        mean=mean,
        std=std,
        polarity=polarity_of(train.images),
        skipped=skipped,
    )


def choose_form(listing: Listing, progress: ProgressCallback = ignore) -> dict[str, Any]:
    """Choose a size and a mode from the pictures' headers.

    The size is the median height and width, reduced in proportion until the longer side is at
    most 64, each then rounded to a multiple of 4 and at least 16. (Pictures of 28 x 28 stay as
    they are.) The mode is ``L`` when every picture is grey, else ``RGB``.

    Returns:
        ``height``, ``width`` and ``mode``.

    Raises:
        DataUnavailable: No picture can be read.
        NotPossible: Pillow is not installed.
    """
    headers: list[Header] = []
    skipped: list[tuple[str, str]] = []
    total = len(listing.pictures)
    for done, picture in enumerate(listing.pictures, 1):
        try:
            headers.append(probe(listing.folder / picture.path))
        except (UsageError, CorruptFile) as error:
            skipped.append((picture.path, _reason(listing, picture, error)))
        _report(progress, "look at pictures", done, total)
    if not headers:
        raise _none_readable(listing, skipped)
    height = float(np.median([header.height for header in headers]))
    width = float(np.median([header.width for header in headers]))
    reduction = min(1.0, LONGEST_SIDE / max(height, width))
    sides = [max(SHORTEST_SIDE, 4 * round(side * reduction / 4)) for side in (height, width)]
    grey = all(header.grey for header in headers)
    return {"height": sides[0], "width": sides[1], "mode": "L" if grey else "RGB"}


def _form(image_size: tuple[int, int], mode: str) -> Preprocessing:
    """Return a block that says size and mode; its mean and deviation are not used here."""
    height, width = image_size
    return Preprocessing(mode, height, width, resize="stretch", mean=(0.0,), std=(1.0,))


def _convert(
    listing: Listing, form: Preprocessing, place: Path, progress: ProgressCallback
) -> dict[str, Any]:
    """Write ``images.npy``, uint8 [N, C, H, W], and ``index.npy``, int64 [N, 2]: label and part."""
    total = len(listing.pictures)
    _check_memory(total, form)
    images = np.empty((total, *form.shape), np.uint8)
    index: list[tuple[int, int]] = []
    skipped: list[tuple[str, str]] = []
    for done, picture in enumerate(listing.pictures, 1):
        try:
            images[len(index)] = prepare(decode(listing.folder / picture.path), form)
            index.append((picture.label, picture.part))
        except (UsageError, CorruptFile) as error:
            skipped.append((picture.path, _reason(listing, picture, error)))
        _report(progress, "convert pictures", done, total)
    if not index:
        raise _none_readable(listing, skipped)
    np.save(place / "images.npy", images[: len(index)], allow_pickle=False)
    np.save(place / "index.npy", np.array(index, np.int64), allow_pickle=False)
    return {"folder": str(listing.folder.resolve()), "skipped": skipped}


def _cut(listing: Listing, index: NDArray[np.int64], split_seed: int) -> list[NDArray[np.int64]]:
    """Return the rows of train, validation and test.

    Raises:
        UsageError: A part, or a class in training, would have no picture.
    """
    labels, parts = index.T
    expected = {picture.part for picture in listing.pictures}
    rows = [np.flatnonzero(parts == part) for part in range(len(PARTS))]
    for part in expected:
        if not len(rows[part]):
            raise UsageError(f"{listing.folder}: no picture of {PARTS[part]} can be read")
    absent = [part for part in (1, 2) if part not in expected]
    fractions = [1 - HELD_OUT_FRACTION * len(absent)] + [HELD_OUT_FRACTION] * len(absent)
    pool = rows[0]
    drawn = stratified_indices(labels[pool], fractions, split_seed)
    for part, choice in zip([0, *absent], drawn, strict=True):
        rows[part] = pool[choice]
        if not len(choice):
            message = (
                f"{listing.folder} has too few pictures ({len(index)}) for a {PARTS[part]} part"
            )
            raise UsageError(message, "add pictures: ten a class at the very least")
    unseen = set(range(len(listing.class_names))) - set(labels[rows[0]].tolist())
    if unseen:
        name = listing.class_names[min(unseen)]
        message = f"{listing.folder}: no training picture of the class {name!r} can be read"
        raise UsageError(message, "replace its pictures, or remove its folder")
    return rows


def _check_memory(n: int, form: Preprocessing) -> None:
    """Refuse to start on pictures that memory cannot hold twice: as one array, and as splits.

    Raises:
        UsageError: They are too many or too large.
    """
    channels, height, width = form.shape
    needed, free = 2 * n * channels * height * width, _available_bytes()
    if needed > free:
        message = f"{n} pictures of {height} x {width} need {needed / 2**30:.1f} GiB of memory"
        raise UsageError(f"{message}; {free / 2**30:.1f} are free", "choose a smaller image size")


def _available_bytes() -> int:
    """Return how much memory can be had without swapping; physical memory where none can tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return int(kib) << 10
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _reason(listing: Listing, picture: Picture, error: EdgenetError) -> str:
    """Return the message without the path, which is kept beside it."""
    return error.message.replace(str(listing.folder / picture.path), "it")


def _none_readable(listing: Listing, skipped: list[tuple[str, str]]) -> DataUnavailable:
    path, reason = skipped[0]
    message = f"none of the {len(skipped)} files in {listing.folder} can be read as a picture"
    return DataUnavailable(message, f"the first is {path}: {reason}")


def _report(progress: ProgressCallback, task: str, done: int, total: int) -> None:
    if done % _REPORT_EVERY == 0 or done == total:
        progress(Step(task=task, done=done, total=total, unit="picture", final=done == total))
