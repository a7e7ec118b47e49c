"""What was not measured, and why: no figure is left out in silence."""

from __future__ import annotations

from edgenet.report.costs import ENERGY, ENERGY_FIGURES
from edgenet.report.document import Document, Row, Timing
from edgenet.report.format import plain
from edgenet.report.table import Cell, Table, table

_NO_TIME = "the launcher's clock is not this machine's"
_NO_MEMORY = "the system does not tell a process's peak memory"
_NO_SHARED_PAGES = "this kernel does not tell the pages that processes share"
_NO_GPU = "no GPU ran it, or its runtime does not tell"
_WHY = {
    "process_to_first_ms": _NO_TIME,
    "baseline_mib": _NO_MEMORY,
    "peak_mib": _NO_MEMORY,
    "baseline_pss_mib": _NO_SHARED_PAGES,
    "pss_mib": _NO_SHARED_PAGES,
    "gpu_mib": _NO_GPU,
    "gpu_p50_us": _NO_GPU,
}
_UNTOLD = "the results do not say why"
_FEW = "no process finished"
_END_TO_END = "end to end"


def missing(document: Document) -> Table:
    """Return every figure that is null, with its reason; what shares the reason is one row."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for row in document.rows:
        for name, place, why in _of_row(row):
            names = lacking.setdefault((why, name, place), [])
            if row.name not in names:
                names.append(row.name)
    grouped: dict[tuple[str, tuple[str, ...]], dict[str, list[str]]] = {}
    for (why, name, place), names in lacking.items():
        places = grouped.setdefault((why, tuple(names)), {}).setdefault(name, [])
        places += [place] if place else []
    everywhere = len(document.rows)
    rows: list[tuple[Cell, ...]] = [
        (
            plain(why),
            plain("; ".join(name + _at(places) for name, places in figures.items())),
            "all" if len(names) == everywhere else plain(", ".join(names)),
        )
        for (why, names), figures in grouped.items()
    ]
    return table("Figures that are null", ("why", "figures", "configurations"), rows)


def _at(places: list[str]) -> str:
    """Return where a figure is null: at some batch sizes, end to end, or both."""
    batches = [place for place in places if place != _END_TO_END]
    told = [f" at batch {', '.join(batches)}"] if batches else []
    return " and".join([*told, *([f" {_END_TO_END}"] if _END_TO_END in places else [])])


def _of_row(row: Row) -> list[tuple[str, str, str]]:
    """Return name, place and reason of every figure that is null."""
    ran = bool(row.figures.get("processes"))
    unknown = {name for name, value in row.figures.items() if value is None}
    unknown |= {
        name for name in row.reasons if name != ENERGY and getattr(row, name, None) in (None, ())
    }
    if row.accuracy is None:
        unknown.add("accuracy")
    if not ran:
        return [(name, "", _FEW) for name in sorted(unknown)]
    known = {**(_WHY if row.timed_by_us else {}), **row.reasons}
    known.update(dict.fromkeys(ENERGY_FIGURES, row.reasons.get(ENERGY, _UNTOLD)))
    untold = _UNTOLD if row.timed_by_us else f"{row.timed_by} times itself"
    found = [(name, "", known.get(name, untold)) for name in sorted(unknown)]
    if row.accuracy and row.accuracy.change_reason:
        found.append(("accuracy against the parent", "", row.accuracy.change_reason))
    for place, timing in _timings(row):
        for name, value in timing.figures.items():
            if value is None:
                found.append((name, place, _why(timing, name)))
    return found


def _why(timing: Timing, name: str) -> str:
    told = timing.reasons.get(name)
    if told is None:
        return _WHY.get(name, _UNTOLD)
    _, counted, needed = told.partition(" queries; ")
    return f"too few queries: {needed}" if counted else told  # how many there are, a table has


def _timings(row: Row) -> list[tuple[str, Timing]]:
    """Return the figures by batch size and end to end, each with where it belongs to."""
    timings = [(str(timing.batch), timing) for timing in row.timings]
    return timings + ([(_END_TO_END, row.end_to_end)] if row.end_to_end else [])
