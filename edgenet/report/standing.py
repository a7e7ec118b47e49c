"""What stands above the results: whose they are, and how many of them are to be believed."""

from __future__ import annotations

import datetime

from edgenet.report.document import INVALID, NOT_JUDGED, VALID, Document
from edgenet.report.environment import machine_name
from edgenet.report.format import listed, plain

OTHERS = "timed by others"
INTERRUPTED = "interrupted: not every process was run"
_OTHER_CLOCK = (
    "{} timed these, not edgenet: another clock, random inputs, and the GPU's part of a query "
    "alone. They are not to be compared with any other row."
)


def where(document: Document) -> str:
    """Return the machine and the time."""
    return ", ".join(part for part in (machine_name(document), when(document)) if part)


def others(document: Document) -> str:
    """Say whose figures those of other clocks are, and that they are not to be compared."""
    clocks = list(dict.fromkeys(plain(row.timed_by) for row in document.others))
    return _OTHER_CLOCK.format(listed(clocks))


def models(document: Document) -> str:
    """Return the names of the networks."""
    names = list(dict.fromkeys(plain(row.facts["model"]) for row in document.rows))
    return listed(names) if names else "nothing"


def standing(document: Document) -> str:
    """Return how many figures are valid, how many configurations failed, and what is not there."""
    words = [
        timing.verdict.word if row.timed_by_us else OTHERS
        for row in document.rows
        for timing in (*row.timings, *([row.end_to_end] if row.end_to_end else []))
    ]
    counts = {word: words.count(word) for word in (VALID, INVALID, NOT_JUDGED.word, OTHERS)}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    measurements = "1 measurement" if len(words) == 1 else f"{len(words)} measurements"
    said = f"{measurements}: {listed(parts)}." if parts else "Nothing was measured."
    failed = sum(row.failure is not None for row in document.rows)
    said += f" {failed} of {len(document.rows)} configurations failed." if failed else ""
    whole = "" if document.complete else f" It was {INTERRUPTED}."
    return said + whole


def when(document: Document) -> str:
    """Return when it was started, as people write it; empty where the results do not say."""
    told = document.environment.get("started")
    try:
        at = datetime.datetime.fromisoformat(str(told))
    except ValueError:
        return ""
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".strip()
