"""How a search for a student looks on a terminal: every candidate, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.views import percent, whole

if TYPE_CHECKING:
    from edgenet.workflows.search_result import SearchResult, Tried


def search(out: Output, result: SearchResult) -> None:
    """Show what was asked for, every candidate with its accuracy in each round, and the choice."""
    rounds = ", ".join(f"{rung.candidates} × {rung.epochs}" for rung in result.rungs)
    out.fields(
        {
            "budget": result.budget,
            "search": f"{len(result.tried)} candidates, seed {result.seed}",
            "rounds": f"{rounds} epochs ({result.epochs} in all, {result.seconds:.0f} s)",
            "judged by": f"{result.validation_n:,} validation pictures",
        }
    )
    out.line()
    order = sorted(enumerate(result.tried), key=lambda item: _place(result, *item))
    out.table(
        (
            "channels | hidden | kernel",
            ">parameters",
            ">MACs",
            *(f">{rung.epochs} {_epochs(rung.epochs)}" for rung in result.rungs),
            "",
        ),
        [
            (
                each.describe(),
                whole(each.parameters),
                whole(each.macs),
                *(_accuracy(each, rung.epochs) for rung in result.rungs),
                "chosen" if number == result.winner else each.name,
            )
            for number, each in order
        ],
    )
    near = result.not_told_apart()
    if near:
        others = "another candidate" if near == 1 else f"{near} other candidates"
        out.note(f"{others} of the last round came within one standard error of the chosen one")


def _place(result: SearchResult, number: int, each: Tried) -> tuple[bool, int, float, float]:
    """Return what sorts candidates: the chosen one, then by how far and how well they came."""
    last = each.trials[-1] if each.trials else None
    return (
        number != result.winner,
        -len(each.trials),
        -last.accuracy if last else 0.0,
        last.loss if last else 0.0,
    )


def _epochs(count: int) -> str:
    return "epoch" if count == 1 else "epochs"


def _accuracy(each: Tried, epochs: int) -> str | None:
    trial = each.trial(epochs)
    return percent(trial.accuracy) if trial else None
