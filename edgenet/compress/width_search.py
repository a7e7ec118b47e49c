"""Which widths to give a network that is to cost less: greedily, one channel after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from edgenet.compress.budget import Budget
from edgenet.compress.widths import Width, resized, shapes
from edgenet.errors import UsageError
from edgenet.models import ModelSpec

LEAST = 2
"""Channels that a layer keeps, where it has so many: one alone carries one number a place."""


class WidthSearch:
    """Sizes for the widths of a network, taken down from what they are.

    Args:
        spec: The network.
        widths: What may vary.
        curves: For every width what is missed with the first, the second, … channel gone, ascending
            float64 [size]; None leaves the width as it is.
        budget: Says how costs are counted.
    """

    def __init__(
        self,
        spec: ModelSpec,
        widths: Sequence[Width],
        curves: Sequence[Tensor | None],
        budget: Budget,
    ) -> None:
        self._spec, self._widths, self._curves, self._budget = spec, widths, curves, budget
        self._names = shapes(spec).keys()
        self._costs: dict[tuple[int, ...], int | None] = {}
        self._start = tuple(width.size for width in widths)

    def smallest(self) -> int:
        """Return the cost of the network with as few channels as may be left."""
        sizes = tuple(
            size if curve is None else min(LEAST, size)
            for size, curve in zip(self._start, self._curves, strict=True)
        )
        for _ in self._start:
            cost = self._cost(sizes)
            if cost is not None:
                return cost
            sizes = _changed(sizes, 0, 1)
        raise UsageError(f"{self._spec.name} cannot be built with the smallest widths")

    def down_to(self, goal: int, *, fill: bool) -> tuple[int, ...]:
        """Return sizes with which the network costs no more than ``goal``.

        Args:
            goal: By the budget's measure; not below :meth:`smallest`.
            fill: Give back channels for which there is room in the end, the last removed first.
        """
        sizes, removed = self._start, list[int]()
        saved = [self._saved(place) for place in range(len(sizes))]
        while (self._cost(sizes) or 0) > goal:
            least_missed = sorted(
                range(len(sizes)), key=lambda place: self._next_score(place, sizes) / saved[place]
            )
            steps = ((place, self._without_one(sizes, place)) for place in least_missed)
            step = next(((place, after) for place, after in steps if after is not None), None)
            if step is None:
                break
            place, after = step
            removed += [place] * (sizes[place] - after[place])
            sizes = after
        return self._filled(sizes, removed, goal) if fill else sizes

    def _filled(self, sizes: tuple[int, ...], removed: list[int], goal: int) -> tuple[int, ...]:
        for place in reversed(removed):
            more = _changed(sizes, place, 1)
            cost = self._cost(more)
            if cost is not None and cost <= goal:
                sizes = more
        return sizes

    def _without_one(self, sizes: tuple[int, ...], place: int) -> tuple[int, ...] | None:
        """Return sizes with one channel less, or more where that changes the layers."""
        if self._curves[place] is None:
            return None
        for less in range(1, sizes[place] - min(LEAST, self._start[place]) + 1):
            after = _changed(sizes, place, -less)
            if self._cost(after) is not None:
                return after
        return None

    def _next_score(self, place: int, sizes: tuple[int, ...]) -> float:
        """Return what would be missed with one channel less of a width."""
        curve, gone = self._curves[place], self._start[place] - sizes[place]
        return math.inf if curve is None or gone >= len(curve) else float(curve[gone])

    def _saved(self, place: int) -> float:
        """Return what a channel of a width costs, at the sizes of the start."""
        after = self._without_one(self._start, place)
        if after is None:
            return 1.0
        less = (self._cost(self._start) or 0) - (self._cost(after) or 0)
        return max(1, less) / (self._start[place] - after[place])

    def _cost(self, sizes: tuple[int, ...]) -> int | None:
        """Return the cost of the network of these sizes; None where its layers are others."""
        if sizes not in self._costs:
            spec = resized(self._spec, self._widths, sizes)
            alike = shapes(spec).keys() == self._names
            self._costs[sizes] = self._budget.cost(spec) if alike else None
        return self._costs[sizes]


def _changed(sizes: tuple[int, ...], place: int, by: int) -> tuple[int, ...]:
    return (*sizes[:place], sizes[place] + by, *sizes[place + 1 :])
