"""``edgenet distill``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from edgenet.cli import distilling_views, options, views
from edgenet.cli import train_options as of
from edgenet.cli.console import Output
from edgenet.errors import UsageError

PANEL = "Compress"


def distill(
    run: of.Run = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Who teaches: a run, a checkpoint or a seed group.",
            show_default=False,
        ),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Who learns: names of `edgenet models`, with commas.",
            show_default="lenet5-17k",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="KIND=N",
            help="Search for the best student within params=N, bytes=N or macs=N instead.",
            show_default=False,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(metavar="T", help="Softens both networks' answers.", show_default="4"),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The teacher's share of the loss.", show_default="0.9"),
    ] = None,
    control: Annotated[
        bool | None,
        typer.Option(
            "--control/--no-control",
            help="Train every student by the labels alone, too, to see what the teacher gave.",
            show_default="control",
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="MIB",
            help="For the teacher's answers, which further students of a seed then share.",
            show_default="256",
        ),
    ] = None,
    data: of.Data = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the trainings, as for `edgenet train`.",
            show_default="distillation: the default for 24 epochs",
            autocompletion=of.recipe_names,
        ),
    ] = None,
    epochs: of.Epochs = None,
    batch: of.Batch = None,
    lr: of.Lr = None,
    augment: of.Augment = None,
    seed: of.Seed = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Trainings of every student.", show_default="1"),
    ] = None,
    split_seed: of.SplitSeed = None,
    image_size: of.ImageSize = None,
    setting: of.Setting = None,
    device: of.Device = None,
    threads: of.Threads = None,
    model_option: options.ModelOption = None,
    config: of.Config = None,
    project: options.Project = Path("runs"),
    name: of.Name = None,
    exist_ok: of.ExistOk = False,
    resume: of.Resume = False,
    dry_run: of.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a small network to answer as a large one does, beside the same without a teacher."""
    from edgenet.training.recipe import Augmentation
    from edgenet.training.recipes import HANDWRITING
    from edgenet.workflows import DistillArguments, newest_interrupted, plan_distillation
    from edgenet.workflows import distill as distill_students
    from edgenet.workflows import resume_distillation as resume_run
    from edgenet.workflows.runs import read_toml

    changes: dict[str, Any] = {
        **options.settings(setting),
        **options.given(epochs=epochs, batch=batch, lr=lr, seed=seed),
    }
    if augment is not None:
        changes["augmentation"] = HANDWRITING if augment else Augmentation()
    asked = options.given(
        teacher=teacher,
        students=tuple(options.names(student)) if student is not None else None,
        budget=budget,
        temperature=temperature,
        alpha=alpha,
        control=control,
        budget_mib=memory,
        data=data,
        recipe=recipe,
        seeds=seeds,
        split_seed=split_seed,
        image_size=image_size,
        device=device,
        threads=threads,
        student_options=options.model_options(model_option) or None,
    )
    with Output(json_mode=json, quiet=quiet) as out:
        if resume:
            others = options.given(
                config=config, name=name, exist_ok=exist_ok or None, dry_run=dry_run or None
            )
            options.refuse_with_resume({**asked, **changes, **others})
            path = run or newest_interrupted(project, "distill")
            return out.result(
                resume_run(path, progress=out.progress), distilling_views.distillation
            )
        if run is not None:
            raise UsageError(
                f"what is {str(run)!r} for?",
                f"to learn from it: --teacher {run}; to go on with it: --resume {run}",
            )
        if budget is not None and student is not None:
            raise UsageError(
                "--budget finds the student, and --student names one", "leave one of the two out"
            )
        values = read_toml(config) if config is not None else {}
        if teacher is not None:
            values.pop("teacher_sha256", None)  # that of another one
        values |= asked
        if isinstance(values.setdefault("training", {}), dict):
            values["training"] = {**values["training"], **changes}
        if "teacher" not in values:
            raise UsageError("no teacher is named", "train one: edgenet train --model teacher")
        arguments = DistillArguments.from_config(values, project=project, name=name)
        arguments = replace(arguments, exist_ok=exist_ok)
        if dry_run:
            return out.result(plan_distillation(arguments), views.plan)
        result = distill_students(arguments, progress=out.progress)
        return out.result(result, distilling_views.distillation)


VERBS = {"distill": distill}
