"""How results look on a terminal: what became of bundles, and what they do on a machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.half_view import half
from edgenet.cli.quantizing_views import quantized
from edgenet.cli.views import accuracy_text, bytes_text, checks, percent, training, whole

if TYPE_CHECKING:
    from edgenet.bench.row import Row
    from edgenet.workflows import (
        BenchResult,
        ExportedBundle,
        ExportResult,
        ImportResult,
        QuickstartResult,
        VerifyResult,
    )


def exported(out: Output, result: ExportResult) -> None:
    """Show the bundles that were made, and every check of them."""
    out.fields({"checkpoint": result.checkpoint})
    out.line()
    _bundles(out, result.bundles)
    for bundle in result.bundles:
        if bundle.quantization:
            out.line()
            quantized(out, bundle.quantization)
        elif bundle.half:
            out.line()
            half(out, bundle.half)
        elif bundle.verification:
            out.line()
            checks(out, bundle.verification.to_json()["checks"], title=f"{bundle.format} checks")


def imported(out: Output, result: ImportResult) -> None:
    """Show what became of a foreign network."""
    out.fields(
        {
            "bundle": result.path or "none: a check failed",
            "name": result.name,
            "precision": result.precision,
            "batch": result.batch or "any",
            "opset": result.opset,
            "probability": result.probability,
        }
    )
    out.line()
    checks(out, result.verification.to_json()["checks"])


def verification(out: Output, result: VerifyResult) -> None:
    """Show every check of a bundle."""
    out.fields({"bundle": result.bundle, "verdict": "passed" if result.passed else "FAILED"})
    out.line()
    checks(out, result.verification.to_json()["checks"])


def bench(out: Output, result: BenchResult) -> None:
    """Show one row a configuration, and what stands behind the figures."""
    batches = sorted({latency.batch for row in result.rows for latency in row.latency})
    least = batches[0] if batches else 1
    out.table(
        (
            *("runtime", "precision", ">on disk"),
            *(f">p{share} µs" for share in (50, 90, 99)),
            *(f">images/s at {batch}" for batch in batches),
            *(">load ms", ">first ms", ">peak MiB", ">empty MiB", ">accuracy", "model"),
        ),
        [_row(row, least, batches) for row in result.rows],
    )
    out.line()
    for row in result.rows:
        for line in _behind(row):
            out.line(line)
    out.fields({"raw samples and environment": result.path})
    for row in result.rows:
        _warn(out, row)


def quickstart(out: Output, result: QuickstartResult) -> None:
    """Show every step, and where everything is."""
    training(out, result.train)
    out.line()
    _bundles(out, result.export.bundles)
    out.line()
    for verified in result.verify:
        out.line(f"verified anew: {verified.bundle}: {'passed' if verified.passed else 'FAILED'}")
    if result.bench:
        out.line()
        bench(out, result.bench)
    out.line()
    out.line(f"everything is in {result.train.path}; it took {result.seconds:.0f} s")


def _bundles(out: Output, bundles: Iterable[ExportedBundle]) -> None:
    rows = []
    for bundle in bundles:
        checked = "verified" if bundle.verification else "not verified"
        failed = "FAILED, rejected" if bundle.quantization or bundle.half else "FAILED, removed"
        state = checked if bundle.path else failed
        size, seconds = bytes_text(bundle.model_bytes), f"{bundle.seconds:.1f}"
        rows.append((bundle.format, bundle.precision, size, state, seconds, bundle.path))
    out.table(("format", "precision", ">model", "state", ">s", "bundle"), rows)


def _row(row: Row, least: int, batches: Sequence[int]) -> tuple[object, ...]:
    first = row.at(least)
    throughputs = [row.at(batch) for batch in batches]
    return (
        row.runtime,
        row.precision,
        bytes_text(row.size_bytes),
        *(
            (_tenths(first.p50_us), _tenths(first.p90_us), _tenths(first.p99_us))
            if first
            else (None, None, None)
        ),
        *(whole(round(latency.images_per_s)) if latency else None for latency in throughputs),
        _tenths(row.load_ms),
        _tenths(row.first_inference_ms),
        _tenths(row.peak_mib),
        _tenths(row.baseline_mib),
        percent(row.accuracy.accuracy) if row.accuracy else None,
        row.model,
    )


def _behind(row: Row) -> list[str]:
    """Say under which conditions a row's figures hold."""
    versions = ", ".join(f"{name} {version}" for name, version in row.versions.items())
    told = "".join(f", {name}={value}" for name, value in row.options.items())
    lines = [f"{row.name}: {versions or row.runtime}, {row.device}, threads {row.threads}{told}"]
    lines += [
        f"  batch {latency.batch}: {latency.n:,} queries in {row.processes} processes, "
        f"medians {percent(latency.spread, 1)} apart"
        for latency in row.latency
    ]
    if row.accuracy:
        found = row.accuracy
        interval = (found.low, found.high)
        text = accuracy_text(found.accuracy, interval, found.correct, found.n)
        lines.append(f"  accuracy {text}")
    elif row.accuracy_reason:
        lines.append(f"  no accuracy: {row.accuracy_reason}")
    return lines


def _warn(out: Output, row: Row) -> None:
    for reason in row.skipped:
        out.warn(f"{row.name}: {reason}")
    for latency in row.latency:
        if not latency.steady:
            out.warn(f"{row.name}: not steady after the warm-up at batch {latency.batch}")
    if row.failure:
        hint = f" ({row.failure.hint})" if row.failure.hint else ""
        out.warn(f"{row.name}: {row.failure.processes} failed: {row.failure.reason}{hint}")


def _tenths(value: float | None) -> str | None:
    return None if value is None else f"{value:,.1f}"
