"""How long work tells its caller what it is doing: one small value, passed to a callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Figure = float | int | str | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One report from a long job.

    Attributes:
        task: What is being done, such as ``train`` or ``convert pictures``.
        done: How much of it is done, from 0 to ``total``.
        total: How much there is; 0 when that is not known.
        unit: What ``done`` and ``total`` count: ``epoch``, ``picture``, ``process``.
        figures: Named values worth showing beside the bar; units end the names.
        final: This is the last report of a unit of work, worth a line of its own in a log.
    """

    task: str
    done: float
    total: float
    unit: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    final: bool = False


ProgressCallback = Callable[[Step], None]


def ignore(step: Step) -> None:
    """Take a report and do nothing: the default callback."""
