"""Successive halving: many candidates trained briefly, few of them longer, one in the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgenet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One round: so many candidates, each trained from its first weights for so many epochs.

    Attributes:
        candidates: How many are left.
        epochs: Of each; a schedule ends with them.
    """

    candidates: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good a candidate is after a round.

    Attributes:
        accuracy: Share of the validation split right.
        loss: Mean over the validation split, in nats: decides between equal accuracies.
    """

    accuracy: float
    loss: float


def plan_rungs(candidates: int, *, first_epochs: int, eta: int, epochs: int) -> tuple[Rung, ...]:
    """Return the rounds by which one of ``candidates`` is found; none where there is but one.

    Every round keeps one candidate of ``eta`` and trains it ``eta`` times as long, so that all
    rounds cost about the same. A round of ``epochs`` is the last: a longer one is not wanted.

    Args:
        candidates: In the first round, 1 or more.
        first_epochs: Of every candidate in the first round.
        eta: 2 or more.
        epochs: Of a whole training.

    Raises:
        UsageError: A number is below its least.

    Source:
        Jamieson, Talwalkar 2016, arXiv:1502.07943, figure 3.
    """
    for name, value, least in (
        ("candidates", candidates, 1),
        ("first epochs", first_epochs, 1),
        ("eta", eta, 2),
    ):
        if value < least:
            raise UsageError(f"the search's {name} must be {least} or more, not {value}")
    rungs: list[Rung] = []
    length = first_epochs
    while candidates > 1 and (not rungs or rungs[-1].epochs < epochs):
        rungs.append(Rung(candidates=candidates, epochs=min(length, epochs)))
        candidates, length = max(1, candidates // eta), length * eta
    return tuple(rungs)


def epochs_of(rungs: Sequence[Rung]) -> int:
    """Return the epochs of all trainings together."""
    return sum(rung.candidates * rung.epochs for rung in rungs)


def halve(candidates: int, rungs: Sequence[Rung], score: Callable[[int, Rung], Score]) -> int:
    """Return which candidate is left: the best of the last round.

    Args:
        candidates: How many, at least those of the first round.
        rungs: The rounds; with none the first candidate is left.
        score: Gives the number of a candidate, from 0, and the round its score. Of candidates
            with the same score the lower number stays.

    Raises:
        UsageError: There are fewer candidates than the first round takes.
    """
    if rungs and rungs[0].candidates > candidates:
        raise UsageError(f"{rungs[0].candidates} candidates are to run, and there are {candidates}")
    left = list(range(candidates))
    for rung in rungs:
        left = left[: rung.candidates]
        scores = {number: score(number, rung) for number in left}
        left.sort(key=lambda number: (*_best_first(scores[number]), number))
    return left[0]


def _best_first(score: Score) -> tuple[float, float]:
    """Return a key that sorts better scores first; a loss that is no number is the worst."""
    return -score.accuracy, math.inf if math.isnan(score.loss) else score.loss
