"""A made-up training and made-up answers of a network, for tests of the figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgenet.data import Split
from edgenet.figures.answers import Answers

RECORDS = [
    {
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "validation_loss": 1.2 / epoch,
        "train_accuracy": 1 - 0.3 / epoch,
        "validation_accuracy": 1 - 0.4 / epoch,
        "lr": 0.01 / epoch,
    }
    for epoch in range(1, 6)
]
"""Five epochs of a training."""


def answers_to(
    labels: Sequence[int],
    predictions: Sequence[int],
    names: Sequence[str] = ("ant", "bee", "cow"),
    *,
    confidence: Sequence[float] | None = None,
    shape: tuple[int, int, int] = (1, 8, 8),
) -> Answers:
    """Return answers to random pictures uint8 [N, C, H, W], each given with its confidence."""
    n, k = len(labels), len(names)
    sure = np.full(n, 0.9) if confidence is None else np.array(confidence)
    probabilities = np.repeat((1 - sure)[:, None] / (k - 1), k, axis=1)
    probabilities[np.arange(n), list(predictions)] = sure
    split = Split(
        name="test",
        images=np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8),
        labels=np.array(labels, np.int64),
        class_names=tuple(names),
    )
    return Answers(title="net on data", split=split, probabilities=probabilities)


def words_of(figure: Path) -> list[str]:
    """Return the texts of an SVG in the order in which they were drawn."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", figure.with_suffix(".svg").read_text("utf-8"))


def pictures_in(figure: Path) -> int:
    """Return how many pictures an SVG has embedded."""
    return figure.with_suffix(".svg").read_text("utf-8").count("<image ")
