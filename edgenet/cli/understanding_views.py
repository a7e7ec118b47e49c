"""How results look on a terminal: networks, their layers, and what is drawn of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenet.cli.console import Output
from edgenet.cli.views import Listing, bytes_text, percent, prediction, whole

if TYPE_CHECKING:
    from edgenet.explain.kernel_gradient import KernelGradient
    from edgenet.workflows import ExplainResult, InspectResult, ModelRow


def models(out: Output, result: Listing[ModelRow]) -> None:
    """Show the table of models."""
    out.table(
        ("model", ">parameters", ">MACs", ">float32", "about"),
        (
            (
                row.name,
                whole(row.parameters),
                whole(row.macs),
                bytes_text(row.float32_bytes),
                row.about,
            )
            for row in result.rows
        ),
    )


def inspection(out: Output, result: InspectResult) -> None:
    """Show the layer table with its totals, and what else is known."""
    out.fields({"source": result.source, "kind": result.kind})
    network = result.to_json()["network"]
    if network:
        out.line()
        out.table(
            ("layer", "kind", ">output", ">kernel", ">parameters", ">MACs", ">receptive field"),
            [_layer(layer) for layer in network["layers"]],
        )
        out.line("a side of an output is ⌊(W − K + 2P)/S⌋ + 1 of its input's side W")
        out.line()
        counts = network["parameters_by_convention"]
        out.fields(
            {
                "parameters": whole(network["parameters"]),
                **{f"  {convention}": whole(count) for convention, count in counts.items()},
                f"  as a share of {result.baseline}'s": percent(result.share_of_baseline, 1),
                "MACs an image": whole(network["macs"]),
                "float32": bytes_text(network["float32_bytes"]),
                "longest reduction": whole(network["longest_reduction"]),
            }
        )
    if result.facts:
        out.line()
        out.fields({name: _fact(value) for name, value in result.facts.items()})


def explanation(out: Output, result: ExplainResult) -> None:
    """Show where the figures are, how sure the network is of what, and the kernel's gradient."""
    if result.own:
        prediction(out, result.own)
        out.line()
    for reason in result.left_out:
        out.warn(f"left out: {reason}")
    if result.threshold:
        out.table(
            ("pictures", ">n", ">mean confidence", ">accepted", ">mean energy", ">accepted by it"),
            [
                (
                    row.name,
                    whole(row.n),
                    percent(row.mean_confidence),
                    percent(row.accepted_by_confidence),
                    f"{row.mean_energy:.2f}",
                    percent(row.accepted_by_energy),
                )
                for row in result.certainty
            ],
            title=f"accepted: as sure as of 99 % of the validation pictures, "
            f"from {percent(result.threshold.to_json()['confidence'])} up, "
            f"or of energies to {result.threshold.energy:.2f} nats",
        )
        worst = max(
            (row for row in result.certainty if row.known is False),
            key=lambda row: row.accepted_by_confidence,
        )
        out.line(result.finding)
        out.line(f"Here it accepts {percent(worst.accepted_by_confidence)} of: {worst.name}.")
        out.line()
    _gradient(out, result.kernel_gradient)
    check = result.layer_check
    if check:
        out.line(
            f"{check.layer}, {check.terms:,} patches: "
            f"{_agreement(check.agrees)}, {check.largest_difference:.1e} of the largest apart"
        )
    out.line()
    out.fields(
        {
            "model": f"{result.model}: {result.source}",
            "figures": f"{len(result.figures)}, as PNG and SVG: {_names(result.figures)}",
            "looks at the test set": result.test_looks,
            "written to": result.output,
        }
    )


def _gradient(out: Output, shown: KernelGradient) -> None:
    """Show the terms that add up to each number of the kernel's gradient."""
    rows = []
    inputs = shown.patches.reshape(len(shown.patches), -1).T
    figures = zip(inputs, shown.gradient.ravel(), shown.autograd.ravel(), strict=True)
    for number, (values, total, autograd) in enumerate(figures, start=1):
        terms = " + ".join(
            f"{delta:g}·{value:g}"
            for delta, value in zip(shown.upstream.ravel(), values, strict=True)
        )
        rows.append((f"∂L/∂w{number}", terms, f"{total:g}", f"{autograd:g}"))
    terms = " + ".join(f"{delta:g}" for delta in shown.upstream.ravel())
    rows.append(("∂L/∂b", terms, f"{shown.bias_gradient:g}", f"{shown.autograd_bias:g}"))
    out.table(
        ("gradient", "upstream gradient · input", ">sum", ">autograd"),
        rows,
        title="the gradient of a 2×2 kernel on a 3×3 input of 1 to 9",
    )
    out.line(_agreement(shown.agrees))


def _names(figures: Sequence[str]) -> str:
    """Return names with commas between them, those of a folder as how many it has."""
    folders = Counter(name.rpartition("/")[0] for name in figures)
    plain = [name for name in figures if "/" not in name]
    return ", ".join(
        [*plain, *(f"{folder}/ ({count})" for folder, count in folders.items() if folder)]
    )


def _agreement(agrees: bool) -> str:
    return "autograd agrees" if agrees else "AUTOGRAD DIFFERS"


def _layer(layer: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        layer["name"],
        layer["kind"],
        _shape(layer["output"]),
        _shape(layer["kernel"]),
        whole(layer["parameters"]),
        whole(layer["macs"]),
        _shape(layer["receptive_field"]),
    )


def _shape(sizes: Sequence[int] | None) -> str | None:
    return "×".join(str(size) for size in sizes) if sizes else None


def _fact(value: object) -> str:
    """Return a fact on one line: names before values, lists with commas."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(inner) for inner in value)
    return "–" if value is None else str(value)
