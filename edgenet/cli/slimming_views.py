"""How a slimming looks on a terminal: parent, slimmed network and control, and the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.views import bytes_text, left_out, percent, whole

if TYPE_CHECKING:
    from edgenet.verify.gate import PairedComparison
    from edgenet.workflows.slim_result import NetworkFigures, SlimResult


def slimming(out: Output, result: SlimResult) -> None:
    """Show what was removed, all networks side by side, and how they differ in pairs."""
    left_out(out, result.skipped)
    asked = f", asked of {result.pictures:,} training pictures" if result.pictures else ""
    out.fields(
        {
            "run": result.path,
            "parent": f"{result.parent.model}: {result.parent.path}",
            "budget": result.budget,
            "criterion": f"{result.criterion}{asked}",
            "widths": ", ".join(
                f"{width.name} {width.before} → {width.after}" for width in result.widths
            ),
            "before fine-tuning": "validation accuracy "
            f"{percent(result.pruned_validation_accuracy)}",
            "trainings": f"{result.epochs} epochs each, seed {result.seed}"
            + (f", taught by {result.teacher['model']}" if result.teacher else ""),
            "device": f"{result.device}, threads {result.threads}",
        }
    )
    for name, reason in result.fixed.items():
        out.line(f"{name} stays as it is: {reason}")
    out.line()
    rows = [_row("parent", result.parent), _row("slimmed", result.slim)]
    if result.control:
        rows.append(_row("same widths, first weights", result.control))
    out.table(
        (
            "network",
            ">parameters",
            ">MACs",
            ">float32 weights",
            ">validation",
            ">test (95 % interval)",
            ">training",
        ),
        rows,
    )
    out.line()
    out.table(
        ("change to the slimmed network", "split", ">points (95 % interval)", ">p", ">equal"),
        [
            *(_change("from the parent", split, it) for split, it in result.comparisons.items()),
            *(_change("from the control", *pair) for pair in result.against_control.items()),
        ],
    )
    _advise(out, result)


def _row(name: str, network: NetworkFigures) -> tuple[object, ...]:
    low, high = (percent(end) for end in network.test_interval)
    return (
        name,
        whole(network.parameters),
        whole(network.macs),
        bytes_text(network.float32_bytes),
        percent(network.validation_accuracy),
        f"{percent(network.test_accuracy)} ({low} to {high})",
        None if network.seconds is None else f"{network.seconds:.1f} s",
    )


def _change(what: str, split: str, pairs: PairedComparison) -> tuple[object, ...]:
    low, high = (f"{100 * end:+.2f}" for end in pairs.interval)
    return (
        what,
        split,
        f"{100 * pairs.change:+.2f} ({low} to {high})",
        f"{pairs.p:.2g}",
        percent(pairs.agreement),
    )


def _advise(out: Output, result: SlimResult) -> None:
    if result.control is None:
        out.warn("the control was skipped: what the parent's weights gave is not known")
    elif result.control.validation_correct > result.slim.validation_correct:
        out.warn(
            "the same widths from first weights are more often right on the validation split: "
            f"{result.path / result.control.path}"
        )
