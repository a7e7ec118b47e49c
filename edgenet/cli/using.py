"""``edgenet predict`` and ``edgenet quickstart``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import bundle_views, options, views
from edgenet.cli.console import Output
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_FAILED

PANEL = "Use"


def predict(
    source: options.Trained,
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE...", help="Files, folders, or - for stdin.", show_default=False
        ),
    ],
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", metavar="K", help="Classes to show a picture.")
    ] = 1,
    polarity: Annotated[
        str,
        typer.Option(
            metavar="MODE", help="as-is, invert (all pictures) or auto (those that look inverted)."
        ),
    ] = "as-is",
    runtime: options.Runtime = None,
    threads: options.Threads = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Say what pictures show; a run answers by its best checkpoint. Exit 1 if one is unreadable."""
    from edgenet.workflows import PredictArguments
    from edgenet.workflows import predict as predict_pictures

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = PredictArguments(
            source=source,
            pictures=[sys.stdin.buffer.read() if name == "-" else name for name in pictures],
            top_k=top_k,
            polarity=polarity,
            runtime=runtime,
            threads=threads,
        )
        result = predict_pictures(arguments, progress=out.progress)
        code = EXIT_FAILED if result.unreadable else EXIT_DONE
        return out.result(result, views.prediction, code)


def quickstart(
    fast: Annotated[
        bool, typer.Option("--fast", help="Two epochs and short measurements: to see it work.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="CPU threads of training.", show_default="the fastest"),
    ] = None,
    project: options.Project = Path("runs"),
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Train LeNet-5, export it, verify it and measure it here: all of it, one command."""
    from edgenet.workflows import QuickstartArguments
    from edgenet.workflows import quickstart as run_quickstart

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = QuickstartArguments(fast=fast, threads=threads or 0, project=project)
        result = run_quickstart(arguments, progress=out.progress)
        code = EXIT_DONE if result.passed else EXIT_CHECK_FAILED
        return out.result(result, bundle_views.quickstart, code)


VERBS = {"predict": predict, "quickstart": quickstart}
