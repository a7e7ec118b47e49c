"""The pictures that a network is explained with: those it was made for, and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenet.data import fashion_mnist, load, mnist_like
from edgenet.errors import CorruptFile, DataUnavailable, UsageError
from edgenet.export.bundle import golden_rows
from edgenet.files import cache_root
from edgenet.progress import ProgressCallback
from edgenet.runner.preprocess import Preprocessing, decode, prepare
from edgenet.workflows.export_parent import ParentNetwork

if TYPE_CHECKING:
    from edgenet.data import Split
    from edgenet.workflows._predict import PredictResult

Images = NDArray[np.uint8]

NOISE = "uniform noise"
INVERTED = "inverted"
_OTHER_DATA = ("mnist", "fashion-mnist")
_MOST_SHOWN = 10
_NOISE_SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What there is to explain a network with.

    Attributes:
        splits: ``validation`` and ``test``; empty where the data could not be had.
        unknown: Kinds of pictures that the network was not made for, each uint8 [N, C, H, W].
        own: The user's pictures that could be read, by name, each uint8 [C, H, W].
        left_out: What is not looked at, with the reason.
    """

    splits: Mapping[str, Split]
    unknown: Mapping[str, Images]
    own: Mapping[str, Images]
    left_out: tuple[str, ...]

    def shown(self) -> dict[str, Images]:
        """Return the pictures whose maps are drawn, each uint8 [C, H, W], by what they are.

        The user's own, or one test picture of every class, ten at most; then one of every kind
        that the network was not made for.
        """
        known = dict(list(self.own.items())[:_MOST_SHOWN])
        if not known:
            test = self.splits["test"]
            for label, name in list(enumerate(test.class_names))[:_MOST_SHOWN]:
                rows = np.flatnonzero(test.labels == label)
                if len(rows):
                    known[name] = test.images[rows[0]]
        return {**known, **{name: images[0] for name, images in self.unknown.items()}}


def collect(
    checkpoint: Path,
    rule: Preprocessing,
    labels: tuple[str, ...],
    *,
    data: str | None,
    own: PredictResult | None,
    samples: int,
    progress: ProgressCallback,
) -> Material:
    """Load and make the pictures.

    Args:
        checkpoint: The network's file, which says what it was trained on.
        rule: How a picture becomes its input.
        labels: Its classes. A data set that has the same ones is none that it does not know.
        data: Data set to take instead of its own.
        own: What ``predict`` made of the user's pictures, or None.
        samples: Pictures of a kind at most, spread evenly over it.
        progress: Told of pictures that are converted.

    Raises:
        UsageError: The data do not fit the network.
        DataUnavailable: They are not here, and they were asked for or there is nothing else.
    """
    pictures = _own_images(own, rule) if own else {}
    left_out: list[str] = []
    splits: Mapping[str, Split] = {}
    try:
        splits = ParentNetwork.load(checkpoint, data, progress).splits
    except (DataUnavailable, UsageError) as error:
        if data is not None or not pictures:
            raise
        left_out.append(f"how sure the network is of known and unknown pictures: {error.message}")
    draw = np.random.Generator(np.random.PCG64(_NOISE_SEED))
    unknown = {NOISE: draw.integers(0, 256, (samples, *rule.shape), dtype=np.uint8)}
    if splits:
        unknown[INVERTED] = 255 - chosen(splits["test"], samples).images
        for name in _OTHER_DATA:
            found = _other(name, labels, left_out)
            if found is not None:
                images = chosen(found, samples).images
                unknown[name] = np.stack([prepare(i.transpose(1, 2, 0), rule) for i in images])
    return Material(splits=splits, unknown=unknown, own=pictures, left_out=tuple(left_out))


def chosen(split: Split, most: int) -> Split:
    """Return at most so many pictures of a split, spread evenly over it."""
    return split.take(golden_rows(len(split), most))


def _own_images(own: PredictResult, rule: Preprocessing) -> dict[str, Images]:
    """Return the pictures that ``predict`` could read, prepared as it prepared them."""
    return {
        row.picture: prepare(decode(row.picture), rule, invert=row.inverted)
        for row in own.predictions
        if row.error is None
    }


def _other(name: str, labels: tuple[str, ...], left_out: list[str]) -> Split | None:
    """Return another data set's test split, if it is on this machine and has other classes."""
    if name == fashion_mnist.FACTS.name:
        cache = cache_root() / "data" / name
        if not any(map(mnist_like.find_files, (fashion_mnist.DEBIAN_FOLDER, cache))):
            left_out.append(
                f"{name} as an unknown data set: it is not on this machine; to get it, install "
                "Debian's package dataset-fashion-mnist, or evaluate or train on it once online"
            )
            return None
    try:
        test = load(name).test
    except CorruptFile as error:
        left_out.append(f"{name} as an unknown data set: {error.message}")
        return None
    return None if test.class_names == labels else test
