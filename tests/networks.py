"""Which networks of the table stand for the others in the tests that are always run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

STAND_FOR_OTHERS = (
    "mlp-small",  # no convolution
    "lenet5",  # tanh, average pooling
    "lenet5-relu",
    "lenet5-1998",  # trained poolings, a table of connections, distances
    "lenet5-2k",  # the narrowest
    "cnn3",  # batch normalisation
    "teacher",  # sums of two branches
)
"""What the others have, these have, too; the others are left to the slow tests."""


def marked(name: str) -> tuple[pytest.MarkDecorator, ...]:
    """Return the marks of a network: none, or ``slow`` if another stands for it."""
    return () if name in STAND_FOR_OTHERS else (pytest.mark.slow,)


def networks(names: Iterable[str]) -> list[Any]:
    """Return every network as a parameter, those that another stands for marked as slow."""
    return [pytest.param(name, marks=marked(name)) for name in names]
