"""``edgenet slim``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgenet.cli import options, slimming_views, views
from edgenet.cli import train_options as of
from edgenet.cli.console import Output
from edgenet.errors import UsageError

PANEL = "Compress"


def slim(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A run or a checkpoint; with --resume the slimming to go on with.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Keep at most this share of the parameters.", show_default=False
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="KIND=N",
            help="Keep at most params=N, bytes=N (of float32 weights) or macs=N.",
            show_default=False,
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How channels are judged: taylor, batch-norm or magnitude.",
            show_default="taylor",
        ),
    ] = None,
    pictures: Annotated[
        int | None,
        typer.Option(metavar="N", help="Training pictures that taylor asks.", show_default="2000"),
    ] = None,
    control: Annotated[
        bool | None,
        typer.Option(
            "--control/--no-control",
            help="Train the same widths from first weights, too, to see what the parent's gave.",
            show_default="control",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Learn from a run, a checkpoint or a seed group, too; it may be SOURCE itself.",
            show_default="the labels alone",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", help="Where its data are.", show_default="where they were"
        ),
    ] = None,
    epochs: of.Epochs = None,
    batch: of.Batch = None,
    lr: of.Lr = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Of the pictures asked, the control's weights, order, augmentation, dropout.",
            show_default="the parent's",
        ),
    ] = None,
    setting: of.Setting = None,
    device: of.Device = None,
    threads: of.Threads = None,
    project: options.Project = Path("runs"),
    name: of.Name = None,
    exist_ok: of.ExistOk = False,
    resume: of.Resume = False,
    dry_run: of.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Remove the channels that a network misses least, and train it on, beside a control."""
    from edgenet.workflows import SlimArguments, newest_interrupted, plan_slimming
    from edgenet.workflows import resume_slimming as resume_run
    from edgenet.workflows import slim as slim_network

    changes: dict[str, Any] = {
        **options.settings(setting),
        **options.given(epochs=epochs, batch=batch, lr=lr, seed=seed),
    }
    asked = options.given(
        keep=keep,
        budget=budget,
        criterion=criterion,
        pictures=pictures,
        control=control,
        teacher=teacher,
        data=data,
        device=device,
        threads=threads,
    )
    with Output(json_mode=json, quiet=quiet) as out:
        if resume:
            others = options.given(name=name, exist_ok=exist_ok or None, dry_run=dry_run or None)
            options.refuse_with_resume({**asked, **changes, **others})
            path = Path(source) if source else newest_interrupted(project, "slim")
            return out.result(resume_run(path, progress=out.progress), slimming_views.slimming)
        if source is None:
            raise UsageError("no network is named", "name a run: edgenet slim runs/train/NAME")
        arguments = SlimArguments(
            source=source, **asked, training=changes, project=project, name=name, exist_ok=exist_ok
        )
        if dry_run:
            return out.result(plan_slimming(arguments), views.plan)
        result = slim_network(arguments, progress=out.progress)
        return out.result(result, slimming_views.slimming)


VERBS = {"slim": slim}
