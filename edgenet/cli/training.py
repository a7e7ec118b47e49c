"""``edgenet train`` and ``edgenet runs``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgenet.cli import options, views
from edgenet.cli.console import Output
from edgenet.errors import UsageError

if TYPE_CHECKING:
    from edgenet.workflows.train_arguments import TrainArguments

PANEL = "Train"


def train(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="With --resume: the run to go on with, by default the newest interrupted one.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="mnist, fashion-mnist, or a folder of class folders of pictures.",
            show_default="mnist",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A named recipe.", show_default="default"),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Passes over the data.", show_default="recipe's")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Images a step.", show_default="recipe's")
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(metavar="N", help="Steps to one update.", show_default="recipe's"),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Highest learning rate.", show_default="recipe's"),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="adam, adamw or sgd.", show_default="recipe's"),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="constant, cosine, exponential, linear, one-cycle, plateau or step.",
            show_default="recipe's",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(metavar="RATE", help="L2 or decoupled.", show_default="recipe's")
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Target spread over all classes.", show_default="recipe's"
        ),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Turn, shift, scale and shear every picture a little.",
            show_default="recipe's",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Stop after N epochs without a better validation accuracy; 0 never stops.",
            show_default="recipe's",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="float32 or bfloat16.", show_default="recipe's"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of weights, order, augmentation, dropout.", show_default="0"
        ),
    ] = None,
    split_seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the choice of validation pictures.", show_default="0"),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            "--imgsz",
            metavar="PIXELS",
            help="Side to which a folder's pictures are brought.",
            show_default="chosen from the pictures",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Any value of a recipe, such as warmup=0.2, gamma=0.5 or augmentation.noise=0.1.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.", show_default="auto"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="CPU threads.", show_default="measured: the fastest"),
    ] = None,
    model_option: options.ModelOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Start from the args.toml of another run; options given here override it.",
            show_default=False,
        ),
    ] = None,
    project: options.Project = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the run.", show_default="the model's name"),
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Overwrite the run of that name.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, to the same weights.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the arguments and show them; train nothing.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a network; by default LeNet-5 on MNIST, into runs/train/lenet5-relu."""
    from edgenet.workflows import newest_interrupted, plan_training
    from edgenet.workflows import resume as resume_run
    from edgenet.workflows import train as train_run

    changes = options.given(
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        lr=lr,
        optimizer=optimizer,
        schedule=schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        augment=augment,
        patience=patience,
        dtype=dtype,
        seed=seed,
    )
    changes = {**options.settings(setting), **changes}
    asked = options.given(
        model=model,
        data=data,
        recipe=recipe,
        split_seed=split_seed,
        image_size=image_size,
        device=device,
        threads=threads,
        model_options=options.model_options(model_option) or None,
    )
    with Output(json_mode=json, quiet=quiet) as out:
        if resume:
            others = options.given(
                config=config, name=name, exist_ok=exist_ok or None, dry_run=dry_run or None
            )
            _refuse_with_resume({**asked, **changes, **others})
            result = resume_run(run or newest_interrupted(project), progress=out.progress)
            return out.result(result, views.training)
        if run is not None:
            raise UsageError(f"what is {str(run)!r} for?", f"to go on with a run: --resume {run}")
        arguments = _arguments(config, asked, changes)
        arguments = replace(arguments, project=project, name=name, exist_ok=exist_ok)
        if dry_run:
            return out.result(plan_training(arguments), views.plan)
        return out.result(train_run(arguments, progress=out.progress), views.training)


def runs(
    project: options.Project = Path("runs"),
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """List runs with their state, size and accuracy."""
    from edgenet.workflows.runs import list_runs

    with Output(json_mode=json, quiet=quiet) as out:
        return out.result(views.Listing("runs", list_runs(project)), views.runs)


def _arguments(
    config: Path | None, asked: dict[str, Any], changes: dict[str, Any]
) -> TrainArguments:
    """Lay the options over the configuration file, and both over the defaults."""
    from edgenet.training.recipe import Augmentation
    from edgenet.training.recipes import HANDWRITING
    from edgenet.workflows.runs import read_toml
    from edgenet.workflows.train_arguments import TrainArguments

    base = TrainArguments()
    if config is not None:
        base = base.with_config(read_toml(config))
        if "recipe" in asked and base.training:
            raise UsageError(
                f"--recipe {asked['recipe']} has no effect on what {config} says of the training",
                "remove its table [training], or leave --recipe out",
            )
    if "augment" in changes:
        whole = asdict(HANDWRITING if changes.pop("augment") else Augmentation())
        changes["augmentation"] = {**whole, **changes.get("augmentation", {})}
    elif isinstance(changes.get("augmentation"), dict):
        before = base.resolved_recipe().to_json()["augmentation"]
        changes["augmentation"] = {**before, **changes["augmentation"]}
    if "model_options" in asked:
        asked["model_options"] = {**base.model_options, **asked["model_options"]}
    return replace(base, **asked, training={**base.training, **changes})


def _refuse_with_resume(given: dict[str, Any]) -> None:
    if given:
        raise UsageError(
            f"--resume goes on with what the run recorded; it cannot take {options.flags(given)}",
            "leave them away, or start a new run with --config",
        )


VERBS = {"train": train, "runs": runs}
