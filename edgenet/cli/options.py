"""The options that several verbs share, and how ``KEY=VALUE`` is read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgenet import models, targets
from edgenet.errors import UsageError
from edgenet.export import ENGINES
from edgenet.export import TABLE as FORMATS
from edgenet.models import OptionValue

_TYPED = {
    "budget_mib": "memory",
    "image_size": "imgsz",
    "lr_factors": "lr_factor",
    "model_options": "model_option",
    "pretrained": "from",
    "student_options": "model_option",
    "students": "student",
}
"""Options by the name of their value, where the two differ."""

DYNAMIC = "dynamic"


def _model_names() -> list[str]:
    return list(models.names())


def target_names() -> list[str]:
    """Return what completes the name of a target."""
    return list(targets.TABLE)


def format_names() -> list[str]:
    """Return what completes the name of a format."""
    return [*FORMATS, *ENGINES]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
Trained = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A run, a checkpoint or a bundle.", show_default=False),
]
MaxDrop = Annotated[
    float, typer.Option(metavar="SHARE", help="Accuracy that may be lost: 0.005 is half a point.")
]
CalibSamples = Annotated[
    int | None,
    typer.Option(metavar="N", help="Training pictures to calibrate with.", show_default="500"),
]
Threads = Annotated[int, typer.Option(metavar="N", help="CPU threads.")]
MeasuredOn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda or cuda:N; never replaced by another.",
        show_default="cpu wherever the runtime can",
    ),
]
Duration = Annotated[
    float, typer.Option(metavar="SECONDS", help="Measured at least, in each process.")
]
WarmUp = Annotated[float, typer.Option(metavar="SECONDS", help="Warmed up at least.")]
SplitSeed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of the splits of --data.", show_default="that of the export"),
]
Interpreter = Annotated[
    str | None,
    typer.Option(metavar="PYTHON", help="Of the processes.", show_default="this one"),
]
Runtime = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What runs a bundle.", show_default="the first that fits"),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A name of `edgenet models`.",
        show_default=models.DEFAULT,
        autocompletion=_model_names,
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model-option",
        "-o",
        metavar="KEY=VALUE",
        help="Change an option of the model; may be given more than once.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="A machine of `edgenet targets`.",
        show_default="any",
        autocompletion=target_names,
    ),
]
Project = Annotated[Path, typer.Option("--project", metavar="DIR", help="Folder of all runs.")]


def model_options(pairs: Sequence[str] | None) -> dict[str, OptionValue]:
    """Read the ``KEY=VALUE`` pairs of a model's options.

    Raises:
        UsageError: A pair has no ``=``, or a key comes twice.
    """
    return _pairs(pairs, "model option", "-o dropout=0.2")


def settings(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read the ``KEY=VALUE`` pairs of a recipe; ``augmentation.noise`` names a value of a table.

    Raises:
        UsageError: A pair has no ``=``, or a key comes twice.
    """
    changes: dict[str, Any] = {}
    for key, value in _pairs(pairs, "setting", "--set warmup=0.2").items():
        table, dot, name = key.partition(".")
        if dot:
            changes.setdefault(table, {})[name] = value
        else:
            changes[key] = value
    return changes


def factors(pairs: Sequence[str] | None) -> dict[str, Any] | None:
    """Read the ``PART=FACTOR`` pairs of learning rates; None where there are none.

    Raises:
        UsageError: A pair has no ``=``, or a part comes twice.
    """
    return _pairs(pairs, "learning-rate factor", "features=0.1") or None


def _pairs(pairs: Sequence[str] | None, what: str, example: str) -> dict[str, Any]:
    """Read pairs: true, false, numbers, numbers with commas, and names."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise UsageError(f"a {what} is KEY=VALUE, not {pair!r}", f"such as {example}")
        if key in values:
            raise UsageError(f"the {what} {key!r} is given twice")
        values[key] = _value(value.strip())
    return values


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        items = [_value(item.strip()) for item in text.split(",") if item.strip()]
        return text if any(isinstance(item, bool | str) for item in items) else items
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def names(text: str) -> list[str]:
    """Read names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def labels(text: str) -> list[str]:
    """Read class names: the lines of a file of that name, or names with commas between them.

    Raises:
        UsageError: The file cannot be read as text.
    """
    file = Path(text)
    try:
        if not file.is_file():
            return names(text)
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the labels {text!r}: {error}") from error


def numbers(option: str, text: str) -> list[float]:
    """Read numbers with commas between them.

    Raises:
        UsageError: One of them is no number.
    """
    try:
        return [float(item) for item in names(text)]
    except ValueError:
        raise UsageError(f"--{option} takes numbers with commas, not {text!r}") from None


def whole_numbers(option: str, text: str) -> list[int]:
    """Read whole numbers with commas between them.

    Raises:
        UsageError: One of them is no whole number.
    """
    try:
        return [int(item) for item in names(text)]
    except ValueError:
        raise UsageError(f"--{option} takes whole numbers with commas, not {text!r}") from None


def batch_size(text: str | None) -> int | None:
    """Read the only batch that a file is to take; ``dynamic``, which is any, gives None.

    Raises:
        UsageError: It is neither that nor a whole number.
    """
    if text is None or text == DYNAMIC:
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--batch takes a whole number or {DYNAMIC}, not {text!r}") from None


def image_size(text: str | None) -> tuple[int, int] | None:
    """Read one side of a square, or height and width; None stays None.

    Raises:
        UsageError: It is neither.
    """
    if text is None:
        return None
    sides = whole_numbers("imgsz", text)
    if len(sides) not in (1, 2):
        raise UsageError(f"--imgsz takes one side, or height and width, not {text!r}")
    return sides[0], sides[-1]


def given(**values: Any) -> dict[str, Any]:
    """Return the options that were given: those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def flags(values: Mapping[str, Any]) -> str:
    """Return names of options as they are typed, for messages."""
    return ", ".join(f"--{_TYPED.get(name, name).replace('_', '-')}" for name in values)


def refuse_with_resume(given: Mapping[str, Any]) -> None:
    """Refuse options beside ``--resume``.

    Raises:
        UsageError: There are any.
    """
    if given:
        raise UsageError(
            f"--resume goes on with what the run recorded; it cannot take {flags(given)}",
            "leave them away, or start a new run with --config",
        )
