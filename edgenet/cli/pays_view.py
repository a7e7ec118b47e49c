"""How the answer to "does it pay here?" looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.views import bytes_text

if TYPE_CHECKING:
    from edgenet.workflows.pays_result import Pays


def pays(out: Output, result: Pays) -> None:
    """Show the advice, then what it rests on, then under which conditions."""
    out.fields(
        {
            f"does {result.child} pay here?": result.recommendation,
            "latency": _latency(result),
            "size": f"{bytes_text(result.child_bytes)} against {bytes_text(result.parent_bytes)}",
            "accuracy": _accuracy(result),
            "measured on": result.conditions,
        }
    )
    if result.measured and not result.steady:
        out.warn("a process was still getting faster when it was timed; another time may differ")


def _latency(result: Pays) -> str | None:
    if not result.measured:
        return None
    rows = (result.child_p50_us, result.parent_p50_us)
    child, parent = (f"{min(row):,.1f} to {max(row):,.1f} µs" for row in rows)
    return f"medians of {result.n} processes each: {child} against {parent}"


def _accuracy(result: Pays) -> str | None:
    if result.accuracy_change is None or result.accuracy_interval is None:
        return None
    change, low, high = (
        f"{100 * share:+.3f}" for share in (result.accuracy_change, *result.accuracy_interval)
    )
    return f"{change} percentage points on validation (95 % interval {low} to {high})"
