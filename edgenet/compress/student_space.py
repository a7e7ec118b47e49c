"""The students that may be had for a budget: members of the LeNet family that use it up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from edgenet.compress.budget import MEASURES, Budget
from edgenet.errors import UsageError
from edgenet.models import ModelSpec, OptionValue, variant
from edgenet.models.summary import Summary, summarise

ValueT = TypeVar("ValueT")

MODEL = "lenet5-relu"
"""Whose options describe every student."""

NAMED = ("lenet5-relu", "lenet5-17k", "lenet5-5k", "lenet5-3k", "lenet5-2k")
"""Students that have a name, the largest first."""

KERNELS = (5, 3)
HIDDEN_LAYERS = (0, 1, 2)
GROWTHS = (1.0, 1.5, 2.0, 2.5, 3.0)
"""Channels of the second convolution for one of the first."""
HEADS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Units of the first hidden layer for one channel of the second convolution."""
TAPERS = (0.5, 0.75, 1.0)
"""Units of the second hidden layer for one of the first."""

LEAST_CHANNELS = 2
LEAST_WIDTH = 4
_MOST = 4096  # channels, or units: beyond it nothing is a small student
LEAST_SHARE = 0.8
"""How much of the budget a candidate uses where that can be had."""
_DRAWS_A_CANDIDATE = 8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What tells two students apart.

    Attributes:
        channels: Of the two convolutions.
        widths: Of the hidden layers, none to two.
        kernel: Side of the square kernels.
    """

    channels: tuple[int, int]
    widths: tuple[int, ...]
    kernel: int

    def options(self) -> dict[str, OptionValue]:
        """Return the options of :data:`MODEL` that make it this student."""
        return {
            "channels": list(self.channels),
            "widths": list(self.widths),
            "kernel": self.kernel,
        }


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A student that keeps the budget.

    Attributes:
        shape: What it is.
        name: Its own, if it has one in the table of models; else empty.
        summary: What it costs.
    """

    shape: Shape
    name: str = ""
    summary: Summary


class StudentSpace:
    """The members of the family that keep a budget.

    A member is two convolutions, each with ReLU and max pooling, none to two hidden layers, and
    square kernels of 5 or 3 for both.

    Args:
        spec: Of :data:`MODEL`, without options: says which pictures and how many classes.
        budget: The most that a student may cost.

    Raises:
        UsageError: No member is within the budget, or the pictures are too small for any.
    """

    def __init__(self, spec: ModelSpec, budget: Budget) -> None:
        self._spec = spec
        self._budget = budget
        self._known: dict[Shape, Summary] = {}
        self._bases = self._within_budget()

    def draw(self, count: int, *, seed: int) -> tuple[Candidate, ...]:
        """Return up to ``count`` different candidates: the largest with a name, then drawn ones.

        Proportions are drawn, and with them the largest student within the budget is taken; what
        is left of it goes to the second convolution and the first hidden layer. Candidates below
        80 % of the budget come last, and only where there are not enough above. The draw is from a
        bit generator whose stream NumPy guarantees, so that a seed always means the same ones.

        Args:
            count: How many, 1 or more.
            seed: 0 or more.
        """
        found: dict[Shape, str] = dict(self._named()[:1])
        spare: dict[Shape, str] = {}
        draws = _Draws(seed)
        for _ in range(count * _DRAWS_A_CANDIDATE):
            if len(found) >= count:
                break
            shape = self._drawn(draws)
            enough = self._cost(shape) >= LEAST_SHARE * self._budget.limit
            (found if enough else spare).setdefault(shape, "")
        fullest = sorted(spare.items(), key=lambda item: -self._cost(item[0]))
        chosen = dict(itertools.islice({**found, **dict(fullest)}.items(), count))
        return tuple(
            Candidate(shape=shape, name=name, summary=self._summary(shape))
            for shape, name in chosen.items()
        )

    def _within_budget(self) -> list[Shape]:
        """Return the smallest student of every kernel and depth that keeps the budget."""
        smallest: list[Shape] = []
        refused: UsageError | None = None
        for kernel, hidden in itertools.product(KERNELS, HIDDEN_LAYERS):
            shape = Shape(
                channels=(LEAST_CHANNELS, LEAST_CHANNELS),
                widths=(LEAST_WIDTH,) * hidden,
                kernel=kernel,
            )
            try:
                self._cost(shape)
            except UsageError as error:  # such kernels leave nothing of these pictures
                refused = error
                continue
            smallest.append(shape)
        if not smallest and refused:
            raise refused
        least = min(map(self._cost, smallest))
        if least > self._budget.limit:
            raise UsageError(
                f"no student has {self._budget.describe()} or less on these pictures",
                f"the smallest has {self._budget.describe(least)}",
            )
        return [shape for shape in smallest if self._fits(shape)]

    def _named(self) -> list[tuple[Shape, str]]:
        """Return the students with a name that keep the budget, the most expensive first."""
        shapes: list[tuple[Shape, str]] = []
        for name in NAMED:
            own = variant(name).options
            shape = Shape(channels=own.channels, widths=own.widths, kernel=own.kernel)
            try:
                if self._fits(shape):
                    shapes.append((shape, name))
            except UsageError:  # these pictures are too small for it
                continue
        return sorted(shapes, key=lambda item: -self._cost(item[0]))

    def _drawn(self, draws: _Draws) -> Shape:
        """Return the largest student of drawn proportions."""
        base = draws.one_of(self._bases)
        growth, head, taper = (draws.one_of(shares) for shares in (GROWTHS, HEADS, TAPERS))
        head_first = draws.one_of((True, False))

        def scaled(first: int) -> Shape:
            second = max(LEAST_CHANNELS, round(first * growth))
            widths = (second * head, second * head * taper)[: len(base.widths)]
            return Shape(
                channels=(first, second),
                widths=tuple(max(LEAST_WIDTH, round(width)) for width in widths),
                kernel=base.kernel,
            )

        if not self._fits(scaled(LEAST_CHANNELS)):  # these proportions are too much
            shape = base
        else:
            shape = scaled(_largest(LEAST_CHANNELS, _MOST, lambda n: self._fits(scaled(n))))
        fills = [(_with_second, shape.channels[1])]
        fills += [(_with_hidden, width) for width in shape.widths[:1]]
        for fill, size in reversed(fills) if head_first else fills:
            shape = _filled(shape, fill, size, self._fits)
        return shape

    def _fits(self, shape: Shape) -> bool:
        return self._cost(shape) <= self._budget.limit

    def _cost(self, shape: Shape) -> int:
        return MEASURES[self._budget.measure](self._summary(shape))

    def _summary(self, shape: Shape) -> Summary:
        if shape not in self._known:
            self._known[shape] = summarise(replace(self._spec, options=shape.options()))
        return self._known[shape]


class _Draws:
    """Choices by a seed."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def one_of(self, values: Sequence[ValueT]) -> ValueT:
        """Return one of the values, each as likely as any other."""
        return values[int(self._bits.random_raw()) * len(values) >> 64]


def _filled(
    shape: Shape, fill: Callable[[Shape, int], Shape], size: int, fits: Callable[[Shape], bool]
) -> Shape:
    """Return ``shape`` with as much more of one size as there is room for, up to its double."""
    return fill(shape, _largest(0, size, lambda more: fits(fill(shape, more))))


def _with_second(shape: Shape, more: int) -> Shape:
    first, second = shape.channels
    return replace(shape, channels=(first, second + more))


def _with_hidden(shape: Shape, more: int) -> Shape:
    first, *others = shape.widths
    return replace(shape, widths=(first + more, *others))


def _largest(least: int, most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number that fits, of ``least``, which does, to ``most``."""
    step = 1
    while least + step <= most and fits(least + step):
        least, step = least + step, 2 * step
    misfit = min(least + step, most + 1)
    while misfit - least > 1:
        middle = (least + misfit) // 2
        least, misfit = (middle, misfit) if fits(middle) else (least, middle)
    return least
