"""How an accuracy gate looks on a terminal: verdict, pairs, and the classes that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.views import percent, whole

if TYPE_CHECKING:
    from edgenet.verify.gate import Gate, PairedComparison

_SHOWN = {"passed": "passed", "failed": "FAILED", "too few pictures": "TOO FEW PICTURES"}


def gate(out: Output, result: Gate) -> None:
    """Show the verdict with its reason, the pairs of each split, and the classes that changed."""
    out.fields(
        {
            "gate": f"{_SHOWN[result.verdict]}: {result.describe()}",
            "candidates seen": f"{result.candidates}; were all of them to lose more than is "
            f"allowed, one would pass in at most {percent(result.false_pass_bound, 1)} of cases",
        }
    )
    out.line()
    columns = {"validation (decides)": result.validation}
    if result.test:
        columns["test (reported)"] = result.test
    figures = [_figures(comparison) for comparison in columns.values()]
    rows = [(name, *(column[name] for column in figures)) for name in figures[0]]
    out.table(("pictures", *(f">{name}" for name in columns)), rows)
    out.line()
    _classes(out, result.validation)


def _figures(pairs: PairedComparison) -> dict[str, str | None]:
    low, high = pairs.interval
    return {
        "all": whole(pairs.n),
        "both right": whole(pairs.both_right),
        "only the parent right": whole(pairs.only_parent_right),
        "only the child right": whole(pairs.only_child_right),
        "both wrong": whole(pairs.both_wrong),
        "equal decisions": f"{pairs.equal_decisions:,} ({percent(pairs.agreement)})",
        "McNemar's exact p": f"{pairs.p:.3g}",
        "change in accuracy, points": _points(pairs.change),
        "its 95 % interval": f"{_points(low)} to {_points(high)}",
    }


def _classes(out: Output, pairs: PairedComparison) -> None:
    changed = [row for row in pairs.classes if row.lost or row.gained]
    if not changed:
        out.line("no class gained or lost a picture of the validation split")
        return
    out.table(
        ("class", ">pictures", ">lost", ">gained", ">change, points"),
        [
            (row.name, whole(row.support), row.lost, row.gained, _points(row.change))
            for row in changed
        ],
        title="classes that changed on the validation split",
    )


def _points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    return f"{100 * share:+.3f}"
