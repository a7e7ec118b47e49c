"""Which configuration is the best for this machine, as far as the figures say.

Only what was timed by our own clock competes: figures of two clocks are never compared. Rows whose
figures of time are to be believed compete for them alone; where there is none, the others do, and
the answer says so. Accuracies are compared on the same pictures only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgenet.bench.row import Row


@dataclass(frozen=True, kw_only=True)
class Best:
    """Names of rows; several where they have the same figure, none where no row has it.

    Attributes:
        batch: The batch size whose median latency counts; the least that was measured.
        fastest: Of the least median latency.
        smallest: Of the smallest model file.
        most_accurate: Of the most pictures right.
        pareto: Those that no other row is at least as good as in latency, size and accuracy at
            once.
        believed: The rows that competed in latency are VALID; if not, none is.
        axes: What the Pareto set is over.
    """

    batch: int
    fastest: tuple[str, ...]
    smallest: tuple[str, ...]
    most_accurate: tuple[str, ...]
    pareto: tuple[str, ...]
    believed: bool
    axes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return asdict(self)


def best(rows: Sequence[Row]) -> Best | None:
    """Compare the rows of a result; None where our clock timed nothing."""
    ran = [row for row in rows if row.timed_by_us and row.latency]
    if not ran:
        return None
    batch = min(latency.batch for row in ran for latency in row.latency)
    timed = [row for row in ran if row.at(batch)]
    valid = [row for row in timed if _is_valid(row, batch)]
    contenders = valid or timed
    digest = next((row.accuracy.digest for row in (*contenders, *ran) if row.accuracy), None)
    judged = [row for row in contenders if row.accuracy and row.accuracy.digest == digest]
    compared = judged or contenders

    def latency(row: Row) -> float:
        at = row.at(batch)
        return at.p50_us if at else 0.0

    def mistakes(row: Row) -> float:
        return row.accuracy.n - row.accuracy.correct if row.accuracy else 0

    costs: list[Callable[[Row], float]] = [latency, lambda row: row.size_bytes]
    costs += [mistakes] if judged else []
    answered = [row for row in ran if row.accuracy and row.accuracy.digest == digest]
    return Best(
        batch=batch,
        fastest=_least(contenders, latency),
        smallest=_least(ran, lambda row: row.size_bytes),
        most_accurate=_least(answered, mistakes),
        pareto=_undominated(compared, costs),
        believed=bool(valid),
        axes=("latency", "size", "accuracy")[: len(costs)],
    )


def _is_valid(row: Row, batch: int) -> bool:
    at = row.at(batch)
    return at is not None and at.verdict.valid and row.failure is None


def _least(rows: Sequence[Row], cost: Callable[[Row], float]) -> tuple[str, ...]:
    least = min(map(cost, rows), default=None)
    return tuple(row.name for row in rows if cost(row) == least)


def _undominated(rows: Sequence[Row], costs: Sequence[Callable[[Row], float]]) -> tuple[str, ...]:
    points = {row.name: tuple(cost(row) for cost in costs) for row in rows}
    return tuple(
        name
        for name, own in points.items()
        if not any(
            other != own and all(theirs <= mine for theirs, mine in zip(other, own, strict=True))
            for other in points.values()
        )
    )
