"""The options of ``edgenet train``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from edgenet.training import recipe
from edgenet.training.recipes import TABLE as RECIPES


def _one_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def recipe_names() -> list[str]:
    """Return what completes the name of a recipe."""
    return list(RECIPES)


Run = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]",
        help="With --resume: the run to go on with, by default the newest interrupted one.",
        show_default=False,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="mnist, fashion-mnist, or a folder of class folders of pictures.",
        show_default="mnist",
    ),
]
Pretrained = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="Start from the weights of a run or a checkpoint; what does not fit starts fresh.",
        show_default=False,
    ),
]
Freeze = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART",
        help="Leave a part of the network as it is, such as features; may be given more than once.",
        show_default=False,
    ),
]
LrFactor = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART=FACTOR",
        help="Share of the learning rate for a part, such as features=0.1.",
        show_default=False,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"{_one_of(name for name in RECIPES if name != 'distillation')}.",
        show_default="default",
        autocompletion=recipe_names,
    ),
]
Epochs = Annotated[
    int | None, typer.Option(metavar="N", help="Passes over the data.", show_default="recipe's")
]
Batch = Annotated[
    int | None, typer.Option(metavar="N", help="Images a step.", show_default="recipe's")
]
Accumulate = Annotated[
    int | None, typer.Option(metavar="N", help="Steps to one update.", show_default="recipe's")
]
Loss = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"{_one_of(recipe.LOSSES)}.", show_default="recipe's"),
]
Lr = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="Highest learning rate.", show_default="recipe's"),
]
Optimizer = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"{_one_of(recipe.OPTIMIZERS)}.", show_default="recipe's"),
]
Schedule = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"{_one_of(recipe.SCHEDULES)}.", show_default="recipe's"),
]
WeightDecay = Annotated[
    float | None, typer.Option(metavar="RATE", help="L2 or decoupled.", show_default="recipe's")
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Target spread over all classes.", show_default="recipe's"),
]
Augment = Annotated[
    bool | None,
    typer.Option(
        "--augment/--no-augment",
        help="Turn, shift, scale and shear every picture a little.",
        show_default="recipe's",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Stop after N epochs without a better validation accuracy; 0 never stops.",
        show_default="recipe's",
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="float32 or bfloat16.", show_default="recipe's"),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of weights, order, augmentation, dropout.", show_default="0"),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Train a group of N networks with seeds of their own, to be asked together.",
        show_default=False,
    ),
]
SplitSeed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of the choice of validation pictures.", show_default="0"),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--imgsz",
        metavar="PIXELS",
        help="Side to which a folder's pictures are brought.",
        show_default="chosen from the pictures",
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Any value of a recipe, such as warmup=0.2, l1=1e-5 or augmentation.noise=0.1.",
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.", show_default="auto"),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="CPU threads.", show_default="measured: the fastest"),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Start from the args.toml of another run; options given here override it.",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of the run.", show_default="the model's name"),
]
ExistOk = Annotated[bool, typer.Option("--exist-ok", help="Overwrite the run of that name.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted run, to the same weights.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check the arguments and show them; train nothing.")
]
