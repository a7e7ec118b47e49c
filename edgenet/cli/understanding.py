"""``edgenet inspect``, ``models`` and ``explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import options, understanding_views, views
from edgenet.cli.console import Output
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_FAILED

PANEL = "Understand"


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A model's name, a run, a checkpoint or a bundle.",
            show_default=False,
        ),
    ],
    model_option: options.ModelOption = None,
    channels: Annotated[
        int, typer.Option(metavar="C", help="Of the pictures, for a model's name.")
    ] = 1,
    image_size: Annotated[
        int, typer.Option("--imgsz", metavar="PIXELS", help="Side, for a model's name.")
    ] = 28,
    classes: Annotated[int, typer.Option(metavar="K", help="Classes, for a model's name.")] = 10,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Show a network layer by layer: shapes, parameters, MACs and receptive fields."""
    from edgenet.workflows import InspectArguments
    from edgenet.workflows import inspect as inspect_source

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = InspectArguments(
            source=source,
            model_options=options.model_options(model_option),
            in_channels=channels,
            image_size=image_size,
            classes=classes,
        )
        return out.result(inspect_source(arguments), understanding_views.inspection)


def models(json: options.Json = False, quiet: options.Quiet = False) -> int:
    """List the models that --model takes, with what they cost."""
    from edgenet.workflows import list_models

    with Output(json_mode=json, quiet=quiet) as out:
        return out.result(views.Listing("models", list_models()), understanding_views.models)


def explain(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A run or a checkpoint.", show_default=False),
    ],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Files and folders; by default test pictures, one of every class.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="mnist, fashion-mnist, or a folder of class folders of pictures.",
            show_default="what it was trained on",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where to write.", show_default="reports/explain of the run"
        ),
    ] = None,
    polarity: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="Of your pictures: as-is, invert (all) or auto (those that look inverted).",
        ),
    ] = "as-is",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Pictures of each kind to ask the network of.")
    ] = 1000,
    threads: options.Threads = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Draw what a network sees, and how sure it is of what it cannot know.

    Feature maps, units, kernels and poolings; certainty of test pictures, noise, inverted pictures,
    other data sets and your own; the gradient of a kernel. Exit 1 if a picture is unreadable.
    """
    from edgenet.workflows import ExplainArguments
    from edgenet.workflows import explain as explain_source

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = ExplainArguments(
            source=source,
            pictures=pictures or (),
            data=data,
            output=output,
            polarity=polarity,
            samples=samples,
            threads=threads,
        )
        result = explain_source(arguments, progress=out.progress)
        code = EXIT_FAILED if result.own and result.own.unreadable else EXIT_DONE
        code = code if result.passed else EXIT_CHECK_FAILED
        return out.result(result, understanding_views.explanation, code)


VERBS = {"inspect": inspect, "models": models, "explain": explain}
