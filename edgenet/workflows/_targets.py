"""``targets``: the machines that edgenet deploys on, and what each of them can and cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgenet.export import ENGINES
from edgenet.export import TABLE as EXPORTS
from edgenet.targets import TABLE, Possibility, Target, load_target, possible

FORMATS = tuple(dict.fromkeys((*EXPORTS, *ENGINES)))
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether a network in one format and precision can run on a target.

    Attributes:
        format: A name of the table of formats.
        precision: ``fp32``, ``fp16`` or ``int8``.
        possibility: The answer, with the reason and what to do instead where it is no.
    """

    format: str
    precision: str
    possibility: Possibility

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "format": self.format,
            "precision": self.precision,
            **self.possibility.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class TargetExplanation:
    """A target's row, and the answer for every format and precision.

    Attributes:
        target: The row.
        answers: In the order of the table of formats.
    """

    target: Target
    answers: tuple[Answer, ...]

    @property
    def refused(self) -> tuple[Answer, ...]:
        """What the target cannot do."""
        return tuple(answer for answer in self.answers if not answer.possibility.possible)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "target": self.target.to_json(),
            "answers": [answer.to_json() for answer in self.answers],
        }


def list_targets() -> tuple[Target, ...]:
    """Return the rows of all targets, in the table's order."""
    return tuple(TABLE.values())


def explain_target(name: str) -> TargetExplanation:
    """Tell what a target is and what can run there.

    Raises:
        UsageError: No target has that name.
    """
    target = load_target(name)
    answers = tuple(
        Answer(format=each, precision=precision, possibility=possible(target, each, precision))
        for each in FORMATS
        for precision in PRECISIONS
    )
    return TargetExplanation(target=target, answers=answers)
