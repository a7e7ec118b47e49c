"""The results as CSV: one line a configuration and batch size, every figure unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from edgenet.report.document import Document, Figures, Row, Timing
from edgenet.report.format import plain

_FACTS = ("model", "format", "precision", "runtime", "device")
_ANSWERS = ("accuracy", "low", "high", "correct", "n")
_NOTHING: list[tuple[str, Timing | None]] = [("", None)]
_FORMULA = ("=", "+", "-", "@")


def spreadsheet(document: Document) -> str:
    """Return the whole file: a line for each scenario and batch size of each configuration.

    Columns are named as in ``result.json``; those of a row's accuracy begin with ``accuracy``, and
    its figures by batch size follow ``scenario``, with both ends of their 95 % intervals as
    ``_low`` and ``_high``. What is null is empty.
    """
    of_row = _names(row.figures for row in document.rows)
    of_timing = _names(_figures(timing) for row in document.rows for _, timing in _timings(row))
    answers = {name: name if name == "accuracy" else f"accuracy_{name}" for name in _ANSWERS}
    columns = [
        *("configuration", *_FACTS, "timed_by", *of_row),
        *answers.values(),
        *("scenario", *of_timing),
        *("verdict", "reasons", "failure"),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_text, columns))
    for row in document.rows:
        accuracy = [None if row.accuracy is None else getattr(row.accuracy, key) for key in answers]
        for scenario, timing in _timings(row) or _NOTHING:
            figures = _figures(timing)
            writer.writerow(
                [
                    *map(_text, (row.name, *(row.facts[name] for name in _FACTS), row.timed_by)),
                    *(row.figures.get(name) for name in of_row),
                    *accuracy,
                    scenario,
                    *(figures.get(name) for name in of_timing),
                    *map(_text, _judgement(row, timing)),
                ]
            )
    return text.getvalue()


def _timings(row: Row) -> list[tuple[str, Timing | None]]:
    timings: list[tuple[str, Timing | None]] = [("latency", timing) for timing in row.timings]
    return timings + ([("end-to-end", row.end_to_end)] if row.end_to_end else [])


def _figures(timing: Timing | None) -> Figures:
    """Return the figures, and both ends of their intervals; none where nothing was timed."""
    if timing is None:
        return {}
    ends = {
        f"{name}_{end}": value
        for name, interval in timing.intervals.items()
        for end, value in zip(("low", "high"), interval, strict=True)
    }
    return {**timing.figures, **ends}


def _judgement(row: Row, timing: Timing | None) -> tuple[str, str, str]:
    reasons = timing.verdict.reasons if timing else ()
    told = "; ".join(f"{code}: {detail}" for code, detail in reasons)
    failure = row.failure.reason if row.failure else ""
    return (timing.verdict.word if timing else "", told, failure)


def _names(groups: Iterable[Figures]) -> list[str]:
    """Return the names that any of them has, each once."""
    return list(dict.fromkeys(name for figures in groups for name in figures))


def _text(text: str) -> str:
    """Return a text as one printable line that no spreadsheet takes for a formula."""
    line = plain(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
