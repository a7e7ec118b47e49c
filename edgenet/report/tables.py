"""The tables of a benchmark, with every figure as it is shown everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from edgenet.report.costs import PARTS, PERCENTILE_COLUMNS, apart, interval, percentiles
from edgenet.report.document import INVALID, Answers, Document, Row, Timing
from edgenet.report.format import accuracy_text, figure, listed, plain
from edgenet.report.table import Cell, Table, table

_COPIES = {"copy in": "h2d_p50_us", "compute": "compute_p50_us", "copy out": "d2h_p50_us"}


def summary(document: Document) -> Table:
    """Return one row a configuration that we timed: the figures that decide."""
    least, batches = document.least, document.batches
    columns = (
        *("configuration", "precision", "verdict", ">accuracy"),
        *(f">p{share} µs" for share in (50, 90, 99)),
        *(">on disk", ">peak MiB", ">GPU MiB", ">mJ a picture"),
        *(f">images/s at {batch}" for batch in batches),
        *(">load ms", ">first ms", ">empty MiB"),
    )
    rows = [_summary_row(row, least, batches) for row in document.own]
    return table(f"Every configuration; percentiles of a query at batch {least}", columns, rows)


def _summary_row(row: Row, least: int, batches: Sequence[int]) -> tuple[Cell, ...]:
    first = row.at(least)
    return (
        plain(row.name),
        plain(row.facts["precision"]),
        row_verdict(row),
        figure("accuracy", row.accuracy.accuracy) if row.accuracy else None,
        *(_of(first, name) for name in ("p50_us", "p90_us", "p99_us")),
        *(_told(row, name) for name in ("size_bytes", "peak_mib", "gpu_mib", "energy_mj")),
        *(_of(row.at(batch), "images_per_s") for batch in batches),
        *(_told(row, name) for name in ("load_ms", "first_inference_ms", "baseline_mib")),
    )


def _told(row: Row, name: str) -> str | None:
    return figure(name, row.figures.get(name))


def row_verdict(row: Row) -> str | None:
    """Return the verdict on all of a row's figures; None where there are none."""
    if not row.timings:
        return None
    doubted = [str(timing.batch) for timing in row.timings if not timing.verdict.valid]
    where = [f"batch {', '.join(doubted)}"] if doubted else []
    where += ["end to end"] if row.end_to_end and not row.end_to_end.verdict.valid else []
    if len(doubted) == len(row.timings) or (row.failure and not where):
        return INVALID
    if where:
        return f"{INVALID} at {listed(where)}"
    return row.timings[0].verdict.word


def latency(document: Document) -> Table:
    """Return one row a configuration and batch size: percentiles, parts and spread."""
    rows = [
        (
            plain(row.name),
            *(figure(name, timing.figures[name]) for name in ("batch", "n")),
            *percentiles(timing),
            *(_of(timing, name) for name in PARTS.values()),
            _of(timing, "gpu_p50_us"),
            apart(timing),
            _of(timing, "images_per_s"),
            timing.verdict.word,
        )
        for row in document.own
        for timing in row.timings
    ]
    columns = (
        *("configuration", ">batch", ">queries"),
        *PERCENTILE_COLUMNS,
        *(f">{part} µs" for part in PARTS),
        *(">GPU's own µs", ">processes apart", ">images/s", "verdict"),
    )
    return table("Latency of a query; bind, execute and fetch are medians", columns, rows)


def externals(document: Document) -> Table:
    """Return the figures of programs that timed themselves."""
    rows = [
        (
            plain(row.name),
            plain(row.timed_by),
            plain(row.facts["precision"]),
            figure("size_bytes", row.figures["size_bytes"]),
            *(figure(name, timing.figures[name]) for name in ("batch", "n")),
            *(_of(timing, name) for name in ("p50_us", "p90_us", "p99_us")),
            *(_of(timing, name) for name in _COPIES.values()),
            apart(timing),
            _of(timing, "images_per_s"),
        )
        for row in document.others
        for timing in row.timings
    ]
    columns = (
        *("configuration", "timed by", "precision", ">on disk", ">batch", ">queries"),
        *(">p50 µs", ">p90 µs", ">p99 µs"),
        *(f">{part} µs" for part in _COPIES),
        *(">processes apart", ">images/s"),
    )
    return table("By another clock", columns, rows)


def throughput(document: Document) -> Table:
    """Return images a second over batch sizes."""
    rows = [
        (plain(row.name), *(_of(row.at(batch), "images_per_s") for batch in document.batches))
        for row in document.own
    ]
    columns = ("configuration", *(f">batch {batch}" for batch in document.batches))
    return table("Images a second: all pictures over the time of all queries", columns, rows)


def accuracies(document: Document) -> Table:
    """Return accuracy with its interval."""
    rows = [
        (
            plain(row.name),
            figure("accuracy", found.accuracy),
            f"{figure('low', found.low)} to {figure('high', found.high)}",
            figure("correct", found.correct),
            figure("n", found.n),
            figure("not_finite", found.not_finite) if found.not_finite else None,
            figure("change", found.change.get("change")),
            _interval(found),
            *(figure(name, found.change.get(name)) for name in ("gained", "lost")),
            plain(found.digest[:12]),
        )
        for row in document.own
        if (found := row.accuracy)
    ]
    columns = (
        *("configuration", ">accuracy", ">95 % interval", ">right", ">pictures"),
        *(">not finite", ">less the parent's, points", ">its 95 % interval", ">gained", ">lost"),
        "test set",
    )
    return table("Accuracy by the session that was timed", columns, rows)


def verdicts(document: Document) -> Table:
    """Return every reason why a figure is not valid."""
    rows = [
        (plain(row.name), where, plain(code), plain(detail))
        for row in document.rows
        for where, timing in _places(row)
        for code, detail in timing.verdict.reasons
    ]
    return table(
        "Every reason why a measurement is INVALID",
        ("configuration", "where", "reason", "seen"),
        rows,
    )


def doubts(document: Document) -> Table:
    """Return one row a configuration and kind of reason: all places, and the first detail."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in document.rows:
        for where, timing in _places(row):
            for code, detail in timing.verdict.reasons:
                found.setdefault((row.name, code), []).append((where, detail))
    rows = [
        (plain(name), plain(code), _where(seen), plain(seen[0][1]))
        for (name, code), seen in found.items()
    ]
    columns = ("configuration", "reason", "where", "seen, the first of them")
    return table("Why measurements are INVALID", columns, rows)


def _where(seen: Sequence[tuple[str, str]]) -> str:
    batches = [where.removeprefix("batch ") for where, _ in seen if where.startswith("batch ")]
    others = [where for where, _ in seen if not where.startswith("batch ")]
    return listed([*([f"batch {', '.join(batches)}"] if batches else []), *others])


def failures(document: Document) -> Table:
    """Return what failed, was left out, or is to be known beside the figures."""
    rows: list[tuple[Cell, ...]] = [
        (plain(name), "not measured", plain(why)) for name, why in document.not_measured.items()
    ]
    for row in document.rows:
        if row.failure:
            hint = f" ({row.failure.hint})" if row.failure.hint else ""
            failed = row.failure.processes
            what = "1 process" if failed == 1 else f"{failed} processes"
            said = f"{what} failed: {row.failure.reason}"
            rows.append((plain(row.name), "failed", plain(f"{said}{hint}")))
        rows += [(plain(row.name), "left out", plain(reason)) for reason in row.skipped]
        notes = [f"{note} ({where})" for where, timing in _places(row) for note in timing.notes]
        rows += [(plain(row.name), "note", plain(note)) for note in dict.fromkeys(notes)]
    return table("Failures, and what was left out", ("configuration", "what", "why"), rows)


def conditions(row: Row) -> tuple[str, ...]:
    """Say under which conditions a row's figures hold, the row's name first."""
    versions = ", ".join(f"{name} {version}" for name, version in row.versions.items())
    told = "".join(f", {name}={value}" for name, value in row.options.items())
    threads = figure("threads", row.figures["threads"])
    facts = row.facts
    run_by = f"{versions or facts['runtime']}, {facts['device']}, threads {threads}{told}"
    lines = [f"{row.name}: {facts['model']}, {run_by}"]
    for timing in row.timings:
        n, processes = figure("n", timing.figures["n"]), len(timing.process_p50_us)
        count = "1 process" if processes == 1 else f"{processes} processes"
        differ = f", medians {far} apart" if (far := apart(timing)) else ""
        gpu = _of(timing, "gpu_p50_us")
        own = f", the GPU's own time p50 {gpu} µs" if gpu else ""
        sure = interval(timing, "p50_us")
        between = f"; p50 {sure} µs, 95 % interval" if sure else ""
        lines.append(f"  batch {timing.batch}: {n} queries in {count}{differ}{own}{between}")
        if timing.command:
            lines.append(f"    {shlex.join(timing.command)}")
    if row.accuracy:
        found = row.accuracy
        text = accuracy_text(found.accuracy, (found.low, found.high), found.correct, found.n)
        lines.append(f"  accuracy {text}")
    elif "accuracy" in row.reasons:
        lines.append(f"  no accuracy: {row.reasons['accuracy']}")
    return tuple(map(plain, lines))


def _of(timing: Timing | None, name: str) -> str | None:
    return None if timing is None else figure(name, timing.figures.get(name))


def _places(row: Row) -> list[tuple[str, Timing]]:
    places = [(f"batch {timing.batch}", timing) for timing in row.timings]
    return places + ([("end to end", row.end_to_end)] if row.end_to_end else [])


def _interval(answers: Answers) -> str | None:
    low, high = (figure("change", answers.change.get(name)) for name in ("low", "high"))
    return f"{low} to {high}" if low and high else None
