"""How results look on a terminal: training, evaluation and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from edgenet.cli.console import Output, Result
from edgenet.report import format as written

if TYPE_CHECKING:
    from edgenet.workflows import EvaluateResult, PredictResult, TrainGroupResult
    from edgenet.workflows.run_list import RunRow
    from edgenet.workflows.train_result import TrainResult

RowT = TypeVar("RowT", bound=Result)
_WIDEST_CONFUSION = 20

accuracy_text = written.accuracy_text
bytes_text = written.bytes_text
percent = written.percent
whole = written.whole


@dataclass(frozen=True)
class Listing(Generic[RowT]):
    """Rows under one name, so that ``--json`` prints one object."""

    name: str
    rows: Sequence[RowT]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {self.name: [row.to_json() for row in self.rows]}


def training(out: Output, result: TrainResult) -> None:
    """Show what came of training."""
    left_out(out, result.skipped)
    processes = f"{result.processes} processes, each " if result.processes > 1 else ""
    start: dict[str, str] = {}
    if result.parent:
        start["started from"] = "{model} on {data}".format(**result.parent)
        start["started fresh"] = ", ".join(result.started_fresh)
        start["adapted"] = "; ".join(f"{name}: {how}" for name, how in result.adapted.items())
    out.fields(
        {
            "run": result.path,
            "model": f"{result.model}, {result.parameters:,} parameters",
            **{name: text for name, text in start.items() if text},
            "epochs": f"{result.epochs} in {result.seconds:.1f} s, best {result.best_epoch}",
            "device": f"{processes}{result.device}, threads {result.threads_reason}",
            "validation accuracy": percent(result.validation_accuracy),
            "test accuracy": accuracy_text(
                result.test_accuracy, result.test_interval, result.test_correct, result.test_n
            ),
        }
    )


def group(out: Output, result: TrainGroupResult) -> None:
    """Show every member of a seed group, how much they differ, and what they are together."""
    left_out(out, result.skipped)
    n = len(result.members)
    out.fields(
        {
            "run": result.path,
            "model": f"{n} × {result.model}, {result.parameters:,} parameters each",
            "device": f"{result.device}, threads {result.threads}",
            "epochs": f"{sum(row.epochs for row in result.members)} in {result.seconds:.1f} s",
        }
    )
    out.line()
    out.table(
        (">seed", ">epochs", ">validation", ">test", "run"),
        [
            (
                row.seed,
                row.epochs,
                percent(row.validation_accuracy),
                percent(row.test_accuracy),
                row.path,
            )
            for row in result.members
        ],
    )
    out.line()
    for name, split in (("validation", result.validation), ("test", result.test)):
        low, high = (percent(end) for end in split.interval)
        out.fields(
            {
                f"{name}, mean of {n}": f"{percent(split.mean)} (sd {percent(split.sd)}; "
                f"95 % interval of the mean {low} to {high})",
                f"{name}, together": accuracy_text(
                    split.accuracy, split.accuracy_interval, split.correct, split.n
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
            row.model if row.members is None else f"{row.members} × {row.model}",
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
    left_out(out, result.skipped)
    out.fields(
        {
            "source": result.source,
            "model": f"{result.model} on {result.runtime}, threads {result.threads}",
            "data": f"{result.data} {result.split}, sha256 {result.digest[:12]}",
            "accuracy": accuracy_text(report.accuracy, report.interval, report.correct, report.n),
            "looks at the test set": result.test_looks,
            "result and figures": result.output,
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


def checks(out: Output, found: Sequence[Mapping[str, Any]], title: str | None = None) -> None:
    """Show the rows of a verification."""
    rows = [(check["name"], check["status"], check["detail"]) for check in found]
    out.table(("check", "status", "detail"), rows, title=title)


def left_out(out: Output, skipped: Sequence[tuple[str, str]]) -> None:
    """Warn of every file that is no picture, with the reason."""
    for picture, reason in skipped:
        out.warn(f"left out: {picture}: {reason}")
    if skipped:
        files, are = ("file", "is") if len(skipped) == 1 else ("files", "are")
        out.warn(f"{len(skipped)} {files} could not be read as pictures and {are} left out")


def _share(share: float) -> str:
    return f"{share:.4f}"
