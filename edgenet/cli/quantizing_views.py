"""How a quantization looks on a terminal: what was tried, what was chosen, whether it may stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.gate_views import gate
from edgenet.cli.pays_view import pays
from edgenet.cli.views import bytes_text, checks, percent, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenet.compress.sensitivity import LayerSensitivity
    from edgenet.workflows.quantize_result import QuantizeResult


def quantized(out: Output, result: QuantizeResult) -> None:
    """Show where the child is and why, the candidates, the gate, the checks, and if it pays."""
    bundle, calibration = result.bundle, result.calibration
    made = "exported for this" if result.parent_made else "found"
    share = bundle.model_bytes / bundle.parent_bytes
    runs_on = bundle.quantization.get("runs_on")
    out.fields(
        {
            "bundle" if result.passed else "rejected": bundle.path,
            "made from": f"{result.parent} ({made})",
            "scheme": _scheme(result),
            "calibration": f"{calibration['n']:,} training pictures of {result.data}, seed "
            f"{calibration['seed']}, sha256 {calibration['digest'][:12]}",
            "model file": f"{bundle.model_bytes:,} bytes, {percent(share, 1)} of FP32's "
            f"{bundle.parent_bytes:,}",
            **({"runs on": runs_on} if runs_on else {}),
            "report": result.report,
        }
    )
    out.line()
    _trials(out, result)
    if result.sensitivity is not None:
        out.line()
        _sensitivity(out, result.sensitivity)
    out.line()
    gate(out, bundle.gate)
    out.line()
    checks(out, bundle.verification.to_json()["checks"])
    if result.pays is not None:
        out.line()
        pays(out, result.pays)
    if bundle.gate.verdict == "too few pictures":
        low = bundle.gate.decidable_drop
        out.warn(
            f"{bundle.gate.validation.n:,} validation pictures can decide on a drop of "
            f"{low:.3f} or more: --max-drop {low:.3f}"
        )


def _scheme(result: QuantizeResult) -> str:
    """Return the scheme's name with the layers that stay in FP32."""
    scheme = result.trials[result.chosen].scheme
    left = list(scheme.exclude)
    if scheme.fp32_narrow_output:
        left.append("the last layer if it is narrow")
    return f"{scheme.name}; in FP32: {', '.join(left)}" if left else scheme.name


def _trials(out: Output, result: QuantizeResult) -> None:
    rows = []
    for number, trial in enumerate(result.trials):
        pairs = trial.pairs
        rows.append(
            (
                trial.scheme.name,
                ", ".join(trial.rolled_back) or None,
                whole(pairs.child_correct),
                _signed(pairs.child_correct - pairs.parent_correct),
                percent(pairs.agreement),
                bytes_text(len(trial.content)),
                trial.verdict,
                "chosen" if number == result.chosen else "",
            )
        )
    n = result.trials[0].pairs.n
    out.table(
        ("scheme", "back in FP32", ">right", ">change", ">agreement", ">model", "gate", ""),
        rows,
        title=f"candidates on {n:,} validation pictures",
    )


def _sensitivity(out: Output, rows: Sequence[LayerSensitivity]) -> None:
    out.table(
        ("layer", ">SQNR, dB", ">change"),
        [(row.layer, f"{row.sqnr_db:.1f}", _signed(row.correct_change)) for row in rows],
        title="what each layer costs alone: signal to quantization noise, pictures right",
    )


def _signed(change: int) -> str:
    """Return a change in pictures with its sign; none is 0."""
    return f"{change:+,}" if change else "0"
