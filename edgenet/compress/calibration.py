"""The pictures that decide the ranges of activations: from the training split, drawn by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.data import Split

DEFAULT_COUNT = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationSet:
    """Pictures to calibrate with, and where they came from.

    Attributes:
        split: The pictures, in the order of the training split; its digest names the set.
        seed: What decided the draw.
        left_out: Training pictures that also occur, pixel for pixel, in a held-out split, and so
            could not be drawn.
    """

    split: Split
    seed: int
    left_out: int

    @property
    def images(self) -> NDArray[np.uint8]:
        """The pictures, uint8 [n, C, H, W]."""
        return self.split.images

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of them: ``n``, ``seed``, ``digest`` and ``left_out``."""
        return {
            "n": len(self.split),
            "seed": self.seed,
            "digest": self.split.digest,
            "left_out": self.left_out,
        }


def draw_calibration_set(
    train: Split, held_out: Iterable[Split], *, count: int | None = None, seed: int = 0
) -> CalibrationSet:
    """Draw pictures of the training split, the same number of every class.

    A class with too few gives all it has, and the others fill up. The draw is from a bit generator
    whose stream NumPy guarantees, so that a seed means the same pictures always.

    Args:
        train: The training split, and no other.
        held_out: Validation and test: a picture that occurs in them is not drawn.
        count: How many; None draws 500, or all where there are fewer.
        seed: 0 or more.

    Raises:
        UsageError: The split is not one for training, the seed is negative, or there are fewer
            pictures than asked for.
    """
    if train.name != "train":
        raise UsageError(
            f"the calibration pictures would come from the {train.name} split",
            "draw them from the training split: what is tested with must not be fitted to",
        )
    if seed < 0:
        raise UsageError(f"the calibration seed must be 0 or more, not {seed}")
    seen = {digest for split in held_out for digest in _digests(split.images)}
    usable = np.array([digest not in seen for digest in _digests(train.images)], bool)
    available = int(usable.sum())
    wanted = min(DEFAULT_COUNT, available) if count is None else count
    if not 1 <= wanted <= available:
        raise UsageError(
            f"{wanted:,} calibration pictures cannot be drawn from {available:,}",
            "the training pictures count that occur in no other split",
        )
    drawn = _balanced_order(train.labels, usable, seed)[:wanted]
    return CalibrationSet(
        split=train.take(np.sort(drawn), "calibration"),
        seed=seed,
        left_out=len(train) - available,
    )


def _balanced_order(
    labels: NDArray[np.int64], usable: NDArray[np.bool_], seed: int
) -> NDArray[np.int64]:
    """Return the usable positions in the order drawn: the first of every class, then the second."""
    ticket = np.random.PCG64(seed).random_raw(len(labels))
    positions = np.flatnonzero(usable)
    by_class = positions[np.lexsort((ticket[positions], labels[positions]))]
    counts = np.bincount(labels[positions])
    turn = np.arange(len(by_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[np.lexsort((ticket[by_class], turn))]


def _digests(images: NDArray[np.uint8]) -> list[bytes]:
    """Return a content hash for every picture."""
    return [hashlib.sha256(picture).digest() for picture in np.ascontiguousarray(images)]
