"""Which configuration is the best for this machine, in words, and how sure that is.

Who wins is decided by `edgenet.bench.best`, for new results and old ones alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from edgenet.bench.best import Best
from edgenet.bench.best import best as compare
from edgenet.bench.row import Row as Measured
from edgenet.report.document import NOT_JUDGED, Document, Row, Timing
from edgenet.report.format import figure, listed


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One superlative.

    Attributes:
        title: Such as ``fastest``.
        rows: Names of the configurations that it is about; empty where there is none.
        detail: Figure, conditions and how sure it is.
    """

    title: str
    rows: tuple[str, ...]
    detail: str

    @property
    def text(self) -> str:
        """The claim as one line."""
        return f"{self.title}: {listed(self.rows) if self.rows else 'none'} ({self.detail})"


def winners(document: Document) -> Best | None:
    """Compare the rows; None where our clock timed nothing."""
    # Rows that were read have every attribute that the comparison asks of rows just measured.
    return compare(cast("Sequence[Measured]", document.rows))


def claims(document: Document) -> tuple[Claim, ...]:
    """Say who is the fastest, the smallest and the most accurate, and the Pareto set."""
    found = winners(document)
    if found is None:
        return ()
    said = [_fastest(document, found), _smallest(document, found)]
    if found.most_accurate:
        said.append(_most_accurate(document, found))
    axes = listed(found.axes)
    detail = f"no other is at least as good in {axes} at once{_doubt(found)}"
    return (*said, Claim(title="Pareto set", rows=found.pareto, detail=detail))


def _fastest(document: Document, found: Best) -> Claim:
    timings = {row.name: timing for row in document.own if (timing := row.at(found.batch))}
    first = timings[found.fastest[0]]
    said = f"p50 {figure('p50_us', first.p50_us)} µs at batch {found.batch}"
    said += ", not judged" if first.verdict == NOT_JUDGED else _doubt(found)
    close = [
        name
        for name, timing in timings.items()
        if name not in found.fastest and timing.verdict.valid and _touch(first, timing)
    ]
    if close:
        said += f"; its processes differ by as much from those of {listed(close)}"
    return Claim(title="fastest", rows=found.fastest, detail=said)


def _smallest(document: Document, found: Best) -> Claim:
    size = _row(document, found.smallest).size_bytes
    return Claim(
        title="smallest", rows=found.smallest, detail=f"{figure('size_bytes', size)} on disk"
    )


def _most_accurate(document: Document, found: Best) -> Claim:
    first = _row(document, found.most_accurate).accuracy
    if first is None:
        raise ValueError("the most accurate row has no accuracy")
    said = f"{figure('accuracy', first.accuracy)} of {first.n:,} pictures"
    close = [
        row.name
        for row in document.own
        if row.name not in found.most_accurate
        and row.accuracy
        and row.accuracy.digest == first.digest
        and row.accuracy.high >= first.low
    ]
    if close:
        whom = "them" if len(found.most_accurate) > 1 else "it"
        said += f"; 95 % intervals do not tell {listed(close)} apart from {whom}"
    return Claim(title="most accurate", rows=found.most_accurate, detail=said)


def _touch(first: Timing, other: Timing) -> bool:
    """Whether the medians of the two's processes overlap."""
    return min(other.process_p50_us) <= max(first.process_p50_us)


def _row(document: Document, names: tuple[str, ...]) -> Row:
    return next(row for row in document.own if row.name == names[0])


def _doubt(found: Best) -> str:
    return "" if found.believed else "; no row is VALID"
