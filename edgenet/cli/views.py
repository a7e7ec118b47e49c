"""How results look on a terminal: training, evaluation, predictions and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from edgenet.cli.console import Output, Result

if TYPE_CHECKING:
    from edgenet.workflows import EvaluateResult, InspectResult, ModelRow, PredictResult
    from edgenet.workflows.runs import RunRow
    from edgenet.workflows.train_result import TrainResult

RowT = TypeVar("RowT", bound=Result)
_WIDEST_CONFUSION = 20


@dataclass(frozen=True)
class Listing(Generic[RowT]):
    """Rows under one name, so that ``--json`` prints one object."""

    name: str
    rows: Sequence[RowT]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {self.name: [row.to_json() for row in self.rows]}


def percent(share: float | None, digits: int = 2) -> str | None:
    """Return a share as per cent; None stays None."""
    return None if share is None else f"{100 * share:.{digits}f} %"


def bytes_text(count: int | None) -> str | None:
    """Return a length in kB or MB (powers of 1,000), with the unit; None stays None."""
    if count is None:
        return None
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def whole(count: int | None) -> str | None:
    """Return a whole number with separators; None stays None."""
    return None if count is None else f"{count:,}"


def training(out: Output, result: TrainResult) -> None:
    """Show what came of training."""
    for picture, reason in result.skipped:
        out.warn(f"left out: {picture}: {reason}")
    if result.skipped:
        out.warn(f"{len(result.skipped)} files could not be read as pictures and are left out")
    out.fields(
        {
            "run": result.path,
            "model": f"{result.model}, {result.parameters:,} parameters",
            "epochs": f"{result.epochs} in {result.seconds:.1f} s, best {result.best_epoch}",
            "device": f"{result.device}, threads {result.threads_reason}",
            "validation accuracy": percent(result.validation_accuracy),
            "test accuracy": accuracy_text(
                result.test_accuracy, result.test_interval, result.test_correct, result.test_n
            ),
        }
    )


def plan(out: Output, result: Result) -> None:
    """Show the arguments that would be recorded, as they would stand in ``args.toml``."""
    import tomli_w

    out.note("dry run: nothing is trained and nothing is written")
    out.line(tomli_w.dumps(result.to_json()["arguments"]).rstrip())


def runs(out: Output, result: Listing[RunRow]) -> None:
    """Show the table of runs."""
    columns = (
        *("run", "state", "model", ">parameters", ">weights", ">epochs"),
        *(">validation", ">test", "bundles"),
    )
    rows = (
        (
            row.path,
            row.state,
            row.model,
            whole(row.parameters),
            bytes_text(row.weights_bytes),
            row.epochs,
            percent(row.validation_accuracy),
            percent(row.test_accuracy),
            ", ".join(row.bundles) or None,
        )
        for row in result.rows
    )
    out.table(columns, rows)


def evaluation(out: Output, result: EvaluateResult) -> None:
    """Show the figures of an evaluation, by class, and who was taken for whom."""
    report = result.report
    out.fields(
        {
            "source": result.source,
            "model": f"{result.model} on {result.runtime}, threads {result.threads}",
            "data": f"{result.data} {result.split}, sha256 {result.digest[:12]}",
            "accuracy": accuracy_text(report.accuracy, report.interval, report.correct, report.n),
            "looks at the test set": result.test_looks,
        }
    )
    out.line()
    rows: list[tuple[object, ...]] = [
        (row.name, _share(row.precision), _share(row.recall), _share(row.f1), whole(row.support))
        for row in report.classes
    ]
    macro = (report.macro_precision, report.macro_recall, report.macro_f1)
    rows.append(("macro", *(_share(figure) for figure in macro), whole(report.n)))
    out.table(("class", ">precision", ">recall", ">F1", ">pictures"), rows)
    if len(report.classes) <= _WIDEST_CONFUSION:
        names = [row.name for row in report.classes]
        out.line()
        out.table(
            ("true \\ predicted", *(f">{name}" for name in names)),
            [
                (name, *(count or "·" for count in counts))
                for name, counts in zip(names, report.confusion, strict=True)
            ],
        )


def prediction(out: Output, result: PredictResult) -> None:
    """Show what the network sees in every picture."""
    out.note(f"{result.model} on {result.runtime}: {result.source}")
    k = max((len(row.top) for row in result.predictions), default=1)
    columns = ["picture", "label", ">probability"]
    columns += [f"{rank}." for rank in range(2, k + 1)]
    rows = []
    for row in result.predictions:
        if row.error is not None:
            rows.append([row.picture, "unreadable", None] + [None] * (k - 1))
            out.warn(row.error)
            continue
        best, *others = row.top
        cells = [f"{entry.label} {percent(entry.probability)}" for entry in others]
        rows.append([row.picture, best.label, percent(best.probability), *cells])
    out.table(columns, rows)
    for warning in result.warnings:
        out.warn(warning)


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
        out.line()
        counts = network["parameters_by_convention"]
        out.fields(
            {
                "parameters": whole(network["parameters"]),
                **{f"  {convention}": whole(count) for convention, count in counts.items()},
                "MACs an image": whole(network["macs"]),
                "float32": bytes_text(network["float32_bytes"]),
                "longest reduction": whole(network["longest_reduction"]),
            }
        )
    if result.facts:
        out.line()
        out.fields({name: _fact(value) for name, value in result.facts.items()})


def accuracy_text(accuracy: float, interval: tuple[float, float], correct: int, n: int) -> str:
    """Return an accuracy with its counts and its 95 % interval."""
    low, high = (percent(end) for end in interval)
    return f"{percent(accuracy)} ({correct:,} of {n:,}; 95 % interval {low} to {high})"


def _share(share: float) -> str:
    return f"{share:.4f}"


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
