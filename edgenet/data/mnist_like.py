"""Data sets in MNIST's form: four IDX files, of pictures and labels to train and to test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgenet.data import idx
from edgenet.data.split import Dataset, Split, stratified_indices
from edgenet.errors import CorruptFile, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
VALIDATION_FRACTION = 1 / 12  # 5,000 of 60,000


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a data set before its files are read.

    Attributes:
        name: Name in the table of data sets.
        class_names: By label.
        mean: Of training pixels in [0, 1].
        std: Of training pixels in [0, 1].
        polarity: ``light-on-dark``, ``dark-on-light`` or None.
        may_flip: Whether a mirrored picture still shows its class.
        md5: Of the four unpacked files, in the order of :data:`FILES`.
    """

    name: str
    class_names: tuple[str, ...]
    mean: float
    std: float
    polarity: str | None
    may_flip: bool
    md5: tuple[str, ...]


class Arrays(NamedTuple):
    """The content of the four files: images uint8 [N, H, W] and labels uint8 [N]."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def find_files(folder: Path) -> dict[str, Path] | None:
    """Look for the four files in ``folder``, plain or ``.gz``; None when one is missing.

    Some distributions write ``train-images.idx3-ubyte``; that is taken, too.
    """
    found = {}
    for name in FILES:
        spellings = (name, name.replace("-idx", ".idx"))
        candidates = [folder / (base + suffix) for base in spellings for suffix in (".gz", "")]
        existing = [path for path in candidates if path.is_file()]
        if not existing:
            return None
        found[name] = existing[0]
    return found


def read_files(files: Mapping[str, Path]) -> tuple[Arrays, tuple[str, ...]]:
    """Read the four files.

    Returns:
        Their content, and the MD5 of each in the order of :data:`FILES`.

    Raises:
        DataUnavailable: A file cannot be read.
        CorruptFile: A file is damaged, or the four do not fit each other.
    """
    with ThreadPoolExecutor(len(FILES)) as pool:  # zlib and hashlib let other threads run
        content = list(pool.map(_read, (files[name] for name in FILES)))
    arrays = Arrays(*(array for array, _ in content))
    for images, labels in (arrays[:2], arrays[2:]):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or 0 in images.shape:
            folder = files[FILES[0]].parent
            raise CorruptFile(f"{folder}: images {images.shape} and labels {labels.shape} differ")
    return arrays, tuple(md5 for _, md5 in content)


def load(files: Mapping[str, Path], facts: Facts, *, split_seed: int) -> Dataset:
    """Read the four files of a known data set and check that they are the published ones.

    Raises:
        DataUnavailable: A file cannot be read.
        CorruptFile: A file is not the published one.
    """
    arrays, md5s = read_files(files)
    for name, md5, published in zip(FILES, md5s, facts.md5, strict=True):
        if md5 != published:
            message = f"{files[name]} is not the published file: its content has MD5 {md5}"
            raise CorruptFile(message, f"remove it and get {facts.name} again")
    return assemble(arrays, facts, split_seed=split_seed)


def assemble(arrays: Arrays, facts: Facts, *, split_seed: int) -> Dataset:
    """Cut the training pictures into train and validation; the test pictures stay as they are."""
    whole = _split("train", arrays.train_images, arrays.train_labels, facts.class_names)
    fractions = (1 - VALIDATION_FRACTION, VALIDATION_FRACTION)
    train, validation = stratified_indices(whole.labels, fractions, split_seed)
    return Dataset(
        name=facts.name,
        train=whole.take(train),
        validation=whole.take(validation, "validation"),
        test=_split("test", arrays.test_images, arrays.test_labels, facts.class_names),
        mean=(facts.mean,),
        std=(facts.std,),
        polarity=facts.polarity,
        may_flip=facts.may_flip,
    )


def check_form(
    name: str, shape: tuple[int, int], image_size: tuple[int, int] | None, mode: str | None
) -> None:
    """Refuse another size or mode than the data set's own, which is grey.

    Raises:
        UsageError: ``image_size`` or ``mode`` differs.
    """
    if image_size not in (None, shape) or mode not in (None, "L"):
        message = f"{name} has grey pictures of {shape[0]} x {shape[1]} pixels"
        raise UsageError(message, "a size or mode of your choice is for folders of pictures")


def _read(path: Path) -> tuple[NDArray[np.uint8], str]:
    array = idx.read(path)
    return array, idx.md5_of(array)


def _split(
    name: str, images: NDArray[np.uint8], labels: NDArray[np.uint8], class_names: tuple[str, ...]
) -> Split:
    return Split(
        name=name,
        images=images[:, np.newaxis],
        labels=labels.astype(np.int64),
        class_names=class_names,
    )
