"""Who is the best, said with its figure and with how sure it is."""

from __future__ import annotations

from typing import Any

from edgenet.report.best import claims
from edgenet.report.read import document_of
from tests.results import INVALID, accuracy, external, latency, queries, row


def _said(*rows: dict[str, Any]) -> dict[str, str]:
    content = {"schema": "edgenet.bench/2", "rows": rows, "complete": True, "environment": {}}
    return {claim.title: claim.text for claim in claims(document_of(content))}


def _row(name: str, p50_us: float, medians: tuple[float, float], **changes: Any) -> dict[str, Any]:
    timing = {**latency(queries(0, 700, 30), 1), "p50_us": p50_us, "process_p50_us": medians}
    timing["verdict"] = changes.pop("verdict", timing["verdict"])
    return row(name, latency=[timing], **changes)


def test_a_clear_winner_is_named_with_its_figure() -> None:
    """And with the batch size that it holds at."""
    said = _said(_row("a", 30.25, (30, 31)), _row("b", 40, (39, 41), size_bytes=9))
    assert said["fastest"] == "fastest: a (p50 30.2 µs at batch 1)"
    assert said["smallest"] == "smallest: b (9 B on disk)"
    assert said["Pareto set"].startswith("Pareto set: a and b (no other is at least as good in ")
    assert "most accurate" not in said


def test_what_the_processes_do_not_tell_apart_is_said() -> None:
    """A median that lies among another's processes is not the faster one for certain."""
    said = _said(_row("a", 30, (29, 33)), _row("b", 31, (32, 35)), _row("c", 40, (39, 41)))
    assert said["fastest"].endswith("its processes differ by as much from those of b)")


def test_what_is_not_valid_wins_only_where_nothing_is_and_says_so() -> None:
    """The fastest of all was measured beside another program."""
    fast, slow = _row("a", 30, (29, 31), verdict=INVALID), _row("b", 40, (39, 41))
    assert _said(fast, slow)["fastest"] == "fastest: b (p50 40.0 µs at batch 1)"
    alone = _said(fast)
    assert alone["fastest"] == "fastest: a (p50 30.0 µs at batch 1; no row is VALID)"
    assert alone["Pareto set"].endswith("at once; no row is VALID)")


def test_old_results_were_not_judged() -> None:
    """That is neither VALID nor INVALID."""
    assert _said(_row("a", 30, (29, 31), verdict=None))["fastest"].endswith("batch 1, not judged)")


def test_accuracies_that_their_intervals_do_not_tell_apart_are_named() -> None:
    """One picture of 10,000 is no difference."""
    best = accuracy(None, None, correct=9962, accuracy=0.9962)
    worse = accuracy(None, None, correct=9000, accuracy=0.9, low=0.89, high=0.91)
    elsewhere = accuracy(None, None, digest="another")
    said = _said(
        _row("a", 30, (29, 31), accuracy=best),
        _row("b", 40, (39, 41), accuracy=accuracy(None, None)),
        _row("c", 41, (40, 42), accuracy=worse),
        _row("d", 42, (41, 43), accuracy=elsewhere),
    )
    assert said["most accurate"] == (
        "most accurate: a (99.62 % of 10,000 pictures; 95 % intervals do not tell b apart from it)"
    )


def test_another_clock_never_wins() -> None:
    """11 µs by another program are not faster than 30 of ours."""
    other = row("t", timed_by="trtexec", external=[external()])
    assert "a" in _said(_row("a", 30, (29, 31)), other)["fastest"]
    assert _said(other) == {}
