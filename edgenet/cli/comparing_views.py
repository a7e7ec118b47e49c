"""How a comparison looks on a terminal: the finding first, then what it rests on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgenet.cli import bench_view
from edgenet.cli.console import Output
from edgenet.cli.views import bytes_text, percent

if TYPE_CHECKING:
    from edgenet.bench.compare import Ratio
    from edgenet.bench.comparison import Comparison, Side, Times
    from edgenet.workflows import Baselined, CompareResult


def compared(out: Output, result: CompareResult) -> None:
    """Show one sentence for each finding, then the figures of both, then the conditions."""
    for sentence in result.sentences:
        out.line(sentence)
    for one in result.comparisons:
        if result.sentences:
            out.line()
        _comparison(out, one)
    for reason, whose in _without_answers(result.comparisons):
        out.note(f"accuracy is not compared{whose}: {reason}")
    for note in result.notes:
        out.note(note)
    if result.unmatched:
        out.note(f"not compared, since only one has it: {'; '.join(result.unmatched)}")
    if result.untimed:
        out.warn(f"B has no times of {'; '.join(result.untimed)}")
    if result.times_reason:
        out.warn(f"no times are compared: {result.times_reason}")
    for one in result.comparisons:
        for said in _by_batches(one, [times.invalid for times in one.times]):
            out.warn(f"INVALID {said}")
        for said in _by_batches(one, [times.remarks for times in one.times]):
            out.note(f"tolerated {said}")


def baselined(out: Output, result: Baselined) -> None:
    """Show a benchmark, and below it how it compares with its baseline, if it has one."""
    bench_view.bench(out, result.bench)
    if result.comparison is not None:
        out.line()
        compared(out, result.comparison)
    if result.reason is not None:
        out.warn(f"it is not compared with its baseline: {result.reason}")


def _by_batches(one: Comparison, said: Sequence[Sequence[str]]) -> list[str]:
    """Return one line for each kind of reason: where it was seen, and the first of its details.

    Args:
        one: Of which pair.
        said: What was said at each batch size: ``side: kind: detail`` or ``kind: detail``.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for times, reasons in zip(one.times, said, strict=True):
        for reason in reasons:
            *kind, detail = reason.split(": ", 2)
            where = found.setdefault(": ".join(kind) or detail, (reason, []))[1]
            if str(times.batch) not in where:
                where.append(str(times.batch))
    batches = {kind: ", ".join(where) for kind, (_, where) in found.items()}
    return [
        f"at batch {batches[kind]} ({_name(one)}): {reason}" for kind, (reason, _) in found.items()
    ]


def _without_answers(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return each reason why accuracies are not compared, and whose unless it is that of all."""
    found: dict[str, list[str]] = {}
    for one in comparisons:
        if one.answers is None and one.answers_reason:
            found.setdefault(one.answers_reason, []).append(_name(one))
    return [
        (reason, "" if len(names) == len(comparisons) else f" ({', '.join(names)})")
        for reason, names in found.items()
    ]


def _name(one: Comparison) -> str:
    return one.b.name or f"{one.b.model} {one.b.precision}"


def _comparison(out: Output, one: Comparison) -> None:
    rows = [row for times in one.times for row in _times(times)]
    rows.append(
        (
            "model file",
            bytes_text(one.a.size_bytes),
            bytes_text(one.b.size_bytes),
            f"{one.size_ratio:.3f}",
            None,
        )
    )
    if one.peak_mib_change is not None:
        before, after = (f"{side.peak_mib:,.1f} MiB" for side in (one.a, one.b))
        change = round(one.peak_mib_change, 1) + 0.0  # without the sign of a zero
        rows.append(("peak memory", before, after, f"{change:+,.1f} MiB", None))
    rows.append(_accuracy(one))
    out.table(("", ">A", ">B", ">B against A", "interval"), rows)
    out.fields({"A": _described(one.a), "B": _described(one.b), "on": _conditions(one)})


def _times(times: Times) -> list[tuple[str | None, ...]]:
    return [
        (
            f"{title} at batch {times.batch}",
            *(f"{statistics.median(side):,.1f} µs" for side in (a, b)),
            f"× {ratio.value:.3f}",
            _interval(ratio),
        )
        for title, a, b, ratio in (
            ("p50", times.a_p50_us, times.b_p50_us, times.p50),
            ("p90", times.a_p90_us, times.b_p90_us, times.p90),
        )
        if ratio is not None
    ]


def _interval(ratio: Ratio) -> str | None:
    if ratio.low is None or ratio.high is None:
        return None
    return f"{ratio.low:.3f} to {ratio.high:.3f} ({100 * ratio.confidence:.1f} %)"


def _accuracy(one: Comparison) -> tuple[str | None, ...]:
    before, after = (percent(side.accuracy) for side in (one.a, one.b))
    if one.answers is None:
        return ("accuracy", before, after, None, None)
    low, high = (f"{100 * end:+.3f}" for end in one.answers.interval)
    change = f"{100 * one.answers.change:+.3f} points"
    pictures = f"{one.answers.n:,} pictures in pairs"
    return ("accuracy", before, after, change, f"{low} to {high} (95.0 %, {pictures})")


def _described(side: Side) -> str:
    return f"{side.model} {side.precision} ({side.format}), {side.source}"


def _conditions(one: Comparison) -> str:
    """Say under which conditions the times hold; what differs is said of both."""
    facts = [
        (side.machine, _software(side), side.device, _threads(side)) for side in (one.a, one.b)
    ]
    return ", ".join(
        before if before == after else f"{before} (A) and {after} (B)"
        for before, after in zip(*facts, strict=True)
    )


def _software(side: Side) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in side.versions.items())
    clock = "" if side.timed_by == "edgenet" else f", timed by {side.timed_by}"
    return f"{versions or side.runtime}{clock}"


def _threads(side: Side) -> str:
    return "1 thread" if side.threads == 1 else f"{side.threads} threads"
