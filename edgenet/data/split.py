"""Labelled pictures in memory, and cutting them into parts that nothing but a seed decides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgenet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Pictures for one purpose.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        images: uint8 [N, C, H, W].
        labels: int64 [N], positions in ``class_names``.
        class_names: One name a class.

    Raises:
        UsageError: The arrays do not fit each other.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise UsageError(f"{self.name}: images must be uint8 [N, C, H, W]")
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise UsageError(f"{self.name}: labels must be int64 [N], one a picture")
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            raise UsageError(f"{self.name}: labels must be from 0 to {len(self.class_names) - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the shape, the class names, the images and the labels."""
        facts = {"shape": list(self.images.shape), "class_names": list(self.class_names)}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, np.dtype("<i8")).data)
        return digest.hexdigest()

    def take(self, indices: NDArray[np.int64], name: str | None = None) -> Split:
        """Copy the pictures at ``indices``, int64 [n], in that order."""
        return Split(
            name=self.name if name is None else name,
            images=self.images[indices],
            labels=self.labels[indices],
            class_names=self.class_names,
        )


@dataclass(frozen=True, kw_only=True)
class SkippedFile:
    """A file that was to be a picture, and why it is none."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Three disjoint splits, and what is known of the training pictures.

    Attributes:
        name: Name in the table of data sets, or the folder's name.
        train: What is fitted.
        validation: What every choice looks at.
        test: What is only reported.
        mean: One a channel, of training pixels in [0, 1].
        std: One a channel, of training pixels in [0, 1].
        polarity: ``light-on-dark`` or ``dark-on-light`` by the borders of the training pictures;
            None where they are mixed.
        may_flip: Whether a picture mirrored left to right still shows its class; no digit does.
        skipped: Files that could not be read and are in no split.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    polarity: str | None
    may_flip: bool = True
    skipped: tuple[SkippedFile, ...] = ()


def stratified_indices(
    labels: NDArray[np.int64], fractions: Sequence[float], seed: int
) -> list[NDArray[np.int64]]:
    """Cut positions into parts that all have the classes in the same proportions.

    A part's length is its fraction of the whole, rounded, and a class's share of a part is off by
    about one picture at most. The first part gets at least one picture of every class. The draw is
    from a bit generator whose stream NumPy guarantees, so that a seed means the same split always.

    Args:
        labels: int64 [N].
        fractions: Of the whole, a part each; they add up to 1.
        seed: 0 or more.

    Returns:
        For every part ascending positions, int64 [n].
    """
    classes, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ticket = np.random.PCG64(seed).random_raw(len(labels))
    drawn = np.lexsort((ticket, members))
    rank = np.empty(len(labels), np.int64)
    rank[drawn] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Each class is spread evenly over [0, 1): cutting there cuts all classes alike.
    position = np.where(rank == 0, 0.0, (rank + 0.5) / counts[members])
    order = np.lexsort((ticket, position))
    ends = np.rint(np.cumsum(fractions)[:-1] * len(labels)).astype(np.int64)
    ends = np.maximum(ends, len(classes))
    return [np.sort(part) for part in np.split(order, ends)]
