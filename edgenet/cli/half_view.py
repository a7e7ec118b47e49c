"""How an export in FP16 looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.gate_views import gate
from edgenet.cli.pays_view import pays
from edgenet.cli.views import bytes_text, checks, percent

if TYPE_CHECKING:
    from edgenet.workflows.export_half import HalfResult


def half(out: Output, result: HalfResult) -> None:
    """Show where the child is, its gate, its checks, and if it pays."""
    bundle = result.bundle
    made = "exported for this" if result.parent_made else "found"
    share = bundle.model_bytes / bundle.parent_bytes
    out.fields(
        {
            "bundle" if result.passed else "rejected": bundle.path,
            "made from": f"{result.parent} ({made})",
            "size": f"{bytes_text(bundle.model_bytes)} of {bytes_text(bundle.parent_bytes)} "
            f"({percent(share, 1)})",
        }
    )
    out.line()
    gate(out, bundle.gate)
    out.line()
    checks(out, bundle.verification.to_json()["checks"])
    if result.pays is not None:
        out.line()
        pays(out, result.pays)
