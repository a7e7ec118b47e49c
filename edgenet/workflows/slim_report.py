"""The report of a slimming: all networks on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import MEMBERS, Run
from edgenet.workflows.slim_arguments import SlimArguments
from edgenet.workflows.slim_parent import SlimParent
from edgenet.workflows.slim_result import NetworkFigures, SlimResult, WidthChange

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.verify.gate import PairedComparison
    from edgenet.workflows.teachers import FoundTeacher

SLIM, CONTROL = "slim", "control"
"""Names of the trainings."""


def report(
    run: Run,
    arguments: SlimArguments,
    parent: SlimParent,
    pruned: Checkpoint,
    *,
    names: Sequence[str],
    teacher: FoundTeacher | None,
) -> SlimResult:
    """Compare all networks on the same pictures, and log the look at the parent's test split.

    Args:
        run: The slimming's folder.
        arguments: Settled.
        parent: What was slimmed, and its data.
        pruned: What was left of it before fine-tuning.
        names: Of the trainings below ``members/``, all finished.
        teacher: Who taught, if anybody did.
    """
    from edgenet.training.checkpoint import load

    done = pruned.metrics["slimming"]
    networks = {
        "parent": parent.checkpoint,
        **{name: load(Run(run.path / MEMBERS / name).best) for name in names},
    }
    decided = {
        name: {split: parent.decisions(each, split) for split in ("validation", "test")}
        for name, each in networks.items()
    }
    figures = {
        name: _figures(run, parent, name, each, decided[name]) for name, each in networks.items()
    }
    _note_look(parent, figures["parent"])
    member = Run(run.path / MEMBERS / SLIM).arguments()
    recipe = arguments.recipe({})
    return SlimResult(
        path=run.path,
        budget=done["budget"],
        criterion=done["criterion"],
        pictures=done["pictures"],
        widths=tuple(
            WidthChange(name=name, before=before, after=after)
            for name, before, after in done["widths"]
        ),
        fixed=done["fixed"],
        pruned_validation_accuracy=done["validation"]["correct"] / done["validation"]["n"],
        parent=figures["parent"],
        slim=figures[SLIM],
        control=figures.get(CONTROL),
        comparisons=_pairs(parent, decided["parent"], decided[SLIM]),
        against_control=_pairs(parent, decided[CONTROL], decided[SLIM])
        if CONTROL in decided
        else {},
        teacher=teacher.identity if teacher else None,
        epochs=recipe.epochs,
        seed=recipe.seed,
        device=str(member["device"]),
        threads=int(member["threads"]),
        skipped=tuple((str(file.path), file.reason) for file in parent.dataset.skipped),
    )


def _figures(
    run: Run, parent: SlimParent, name: str, checkpoint: Checkpoint, decided: dict[str, Any]
) -> NetworkFigures:
    from edgenet.models.summary import summarise

    summary, dataset = summarise(checkpoint.spec), parent.dataset
    right = {split: int((found == parent.labels(split)).sum()) for split, found in decided.items()}
    is_parent = name == "parent"
    return NetworkFigures(
        model=checkpoint.spec.name,
        options=dict(checkpoint.spec.options),
        parameters=summary.parameters,
        macs=summary.macs,
        float32_bytes=summary.float32_bytes,
        validation_correct=right["validation"],
        validation_n=len(dataset.validation),
        test_correct=right["test"],
        test_n=len(dataset.test),
        seconds=None if is_parent else sum(epoch.seconds for epoch in checkpoint.records),
        path=str(parent.resolved.checkpoint)
        if is_parent
        else str((Run(run.path / MEMBERS / name).best).relative_to(run.path)),
    )


def _pairs(
    parent: SlimParent, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, PairedComparison]:
    from edgenet.verify.gate import PairedComparison

    labels = parent.checkpoint.labels
    return {
        split: PairedComparison.of(parent.labels(split), before[split], found, labels)
        for split, found in after.items()
    }


def _note_look(parent: SlimParent, figures: NetworkFigures) -> None:
    """Log that the parent's test split was looked at, where the parent lies in a run."""
    run = parent.resolved.run
    if run is not None:
        best = parent.resolved.checkpoint.absolute()
        note_test_look(
            run.path,
            verb=SLIM,
            subject=str(best.relative_to(run.path.absolute())),
            digest=parent.dataset.test.digest,
            correct=figures.test_correct,
            n=figures.test_n,
        )
