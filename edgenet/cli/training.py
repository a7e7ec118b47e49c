"""``edgenet train`` and ``edgenet runs``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.cli import options, views
from edgenet.cli import train_options as of
from edgenet.cli.console import Output
from edgenet.errors import UsageError

if TYPE_CHECKING:
    from edgenet.workflows.train_arguments import TrainArguments

PANEL = "Train"


def train(
    run: of.Run = None,
    model: options.Model = None,
    data: of.Data = None,
    pretrained: of.Pretrained = None,
    recipe: of.Recipe = None,
    epochs: of.Epochs = None,
    batch: of.Batch = None,
    accumulate: of.Accumulate = None,
    loss: of.Loss = None,
    optimizer: of.Optimizer = None,
    lr: of.Lr = None,
    lr_factor: of.LrFactor = None,
    freeze: of.Freeze = None,
    schedule: of.Schedule = None,
    weight_decay: of.WeightDecay = None,
    label_smoothing: of.LabelSmoothing = None,
    augment: of.Augment = None,
    patience: of.Patience = None,
    dtype: of.Dtype = None,
    seed: of.Seed = None,
    seeds: of.Seeds = None,
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
    """Train a network; by default LeNet-5 on MNIST, into runs/train/lenet5-relu."""
    from edgenet.workflows import newest_interrupted, plan_training, resume_group, train_group
    from edgenet.workflows import resume as resume_run
    from edgenet.workflows import train as train_run
    from edgenet.workflows.groups import is_group

    changes = options.given(
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        loss=loss,
        optimizer=optimizer,
        lr=lr,
        lr_factors=options.factors(lr_factor),
        freeze=freeze,
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
        pretrained=pretrained,
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
                seeds=seeds,
                config=config,
                name=name,
                exist_ok=exist_ok or None,
                dry_run=dry_run or None,
            )
            options.refuse_with_resume({**asked, **changes, **others})
            path = run or newest_interrupted(project)
            if is_group(path):
                return out.result(resume_group(path, progress=out.progress), views.group)
            return out.result(resume_run(path, progress=out.progress), views.training)
        if run is not None:
            raise UsageError(f"what is {str(run)!r} for?", f"to go on with a run: --resume {run}")
        arguments, recorded_seeds = _arguments(config, asked, changes)
        arguments = replace(arguments, project=project, name=name, exist_ok=exist_ok)
        seeds = seeds if seeds is not None else recorded_seeds
        if dry_run:
            return out.result(plan_training(arguments, seeds=seeds), views.plan)
        if seeds is not None:
            group = train_group(arguments, seeds=seeds, progress=out.progress)
            return out.result(group, views.group)
        return out.result(train_run(arguments, progress=out.progress), views.training)


def runs(
    project: options.Project = Path("runs"),
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """List runs with their state, size and accuracy."""
    from edgenet.workflows.run_list import list_runs

    with Output(json_mode=json, quiet=quiet) as out:
        return out.result(views.Listing("runs", list_runs(project)), views.runs)


def _arguments(
    config: Path | None, asked: dict[str, Any], changes: dict[str, Any]
) -> tuple[TrainArguments, int | None]:
    """Lay the options over the configuration file, and both over the defaults.

    Returns:
        The arguments, and how many seeds the configuration file asks for, if it does.
    """
    from edgenet.training.recipe import Augmentation
    from edgenet.training.recipes import HANDWRITING
    from edgenet.workflows.groups import take_seeds
    from edgenet.workflows.runs import read_toml
    from edgenet.workflows.train_arguments import TrainArguments

    base, seeds = TrainArguments(), None
    if config is not None:
        values, seeds = take_seeds(read_toml(config))
        base = base.with_config(values)
        if "recipe" in asked and base.training:
            raise UsageError(
                f"--recipe {asked['recipe']} has no effect on what {config} says of the training",
                "remove its table [training], or leave --recipe out",
            )
    before = base.training.get("augmentation", {})
    if "augment" in changes:
        before = asdict(HANDWRITING if changes.pop("augment") else Augmentation())
        changes.setdefault("augmentation", {})
    if isinstance(changes.get("augmentation"), dict):
        changes["augmentation"] = {**before, **changes["augmentation"]}
    if "model_options" in asked:
        asked["model_options"] = {**base.model_options, **asked["model_options"]}
    if "pretrained" in asked:
        asked["pretrained_sha256"] = None  # that of another file
    return replace(base, **asked, training={**base.training, **changes}), seeds


VERBS = {"train": train, "runs": runs}
