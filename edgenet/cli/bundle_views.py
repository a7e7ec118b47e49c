"""How results look on a terminal: what became of bundles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edgenet.cli.bench_view import bench
from edgenet.cli.console import Output
from edgenet.cli.half_view import half
from edgenet.cli.quantizing_views import quantized
from edgenet.cli.views import bytes_text, checks, training

if TYPE_CHECKING:
    from edgenet.workflows import (
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
    rows = result.verification.to_json()["checks"]
    prefix = None if result.lint is None else f"{result.lint.target}: "
    rules = [row for row in rows if prefix and row["name"].startswith(prefix)]
    checks(out, [row for row in rows if row not in rules])
    if prefix:
        out.line()
        named = [{**row, "name": row["name"].removeprefix(prefix)} for row in rules]
        checks(out, named, title=f"rules of {prefix.removesuffix(': ')}")


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
        checked = "not built" if bundle.plan_only else checked
        failed = "FAILED, rejected" if bundle.quantization or bundle.half else "FAILED, removed"
        state = checked if bundle.path else failed
        size, seconds = bytes_text(bundle.model_bytes), f"{bundle.seconds:.1f}"
        rows.append((bundle.format, bundle.precision, size, state, seconds, bundle.path))
    out.table(("format", "precision", ">model", "state", ">s", "bundle"), rows)
