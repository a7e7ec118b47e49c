"""The options that several verbs share, and how ``KEY=VALUE`` is read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgenet import models
from edgenet.errors import UsageError
from edgenet.models import OptionValue


def _model_names() -> list[str]:
    return list(models.names())


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
Trained = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A run, a checkpoint or a bundle.", show_default=False),
]
Threads = Annotated[int, typer.Option(metavar="N", help="CPU threads.")]
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
Project = Annotated[Path, typer.Option("--project", metavar="DIR", help="Folder of all runs.")]


def model_options(pairs: Sequence[str] | None) -> dict[str, OptionValue]:
    """Read ``KEY=VALUE`` pairs: true, false, numbers, whole numbers with commas, and names.

    Raises:
        UsageError: A pair has no ``=``, or a key comes twice.
    """
    options: dict[str, OptionValue] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise UsageError(f"a model option is KEY=VALUE, not {pair!r}", "such as -o dropout=0.2")
        if key in options:
            raise UsageError(f"the model option {key!r} is given twice")
        options[key] = _value(value.strip())
    return options


def _value(text: str) -> OptionValue:
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        items = [_value(item.strip()) for item in text.split(",") if item.strip()]
        return [item for item in items if isinstance(item, int)] if _all_whole(items) else text
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def _all_whole(items: Sequence[OptionValue]) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) for item in items)


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
    return ", ".join(f"--{name.replace('_', '-')}" for name in values)
