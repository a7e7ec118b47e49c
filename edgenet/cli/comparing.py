"""``edgenet compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import comparing_views, completing, options
from edgenet.cli.console import Output
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_FAILED, EXIT_INVALID_MEASUREMENT

PANEL = "Measure"

FailAbove = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO",
        help="How many times as long it may take, such as 1.05; exit code 3 beyond it.",
        show_default="any",
    ),
]
AllowInvalid = Annotated[
    bool, typer.Option("--allow-invalid", help="INVALID figures are told, and not exit code 4.")
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="RESULT",
        help="An earlier result of bench, to be compared with at the end.",
        show_default="none",
        autocompletion=completing.results,
    ),
]
AcrossMachines = Annotated[
    bool,
    typer.Option("--across-machines", help="Compare times of results of different machines."),
]


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="What was there before: a bundle, a run with one, or a result of bench.",
            show_default=False,
            autocompletion=completing.compared,
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="What is judged against it, of the same kind.",
            show_default=False,
            autocompletion=completing.compared,
        ),
    ],
    fail_above: FailAbove = None,
    allow_invalid: AllowInvalid = False,
    across_machines: AcrossMachines = False,
    rounds: Annotated[
        int, typer.Option(metavar="N", help="Fresh processes of each bundle, in turns.")
    ] = 12,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs both.",
            show_default="the first that takes both",
            autocompletion=completing.runtime_names,
        ),
    ] = None,
    threads: options.Threads = 1,
    device: options.MeasuredOn = None,
    batch: Annotated[
        str | None, typer.Option(metavar="N,...", help="Pictures a query.", show_default="1")
    ] = None,
    duration: options.Duration = 0.15,
    warmup: options.WarmUp = 0.05,
    accuracy: Annotated[
        bool, typer.Option("--accuracy/--no-accuracy", help="Run the test pictures through both.")
    ] = True,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", help="Whose test pictures.", show_default="what it was trained on"
        ),
    ] = None,
    split_seed: options.SplitSeed = None,
    interpreter: options.Interpreter = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="New folder for result and raw samples.", show_default="none"
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell whether B is slower or faster than A: two bundles measured in turns, or two results."""
    from edgenet.workflows import CompareArguments
    from edgenet.workflows import compare as compare_sources

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = CompareArguments(
            a=a,
            b=b,
            fail_above=fail_above,
            allow_invalid=allow_invalid,
            across_machines=across_machines,
            rounds=rounds,
            runtime=runtime,
            threads=threads,
            device=device,
            batches=() if batch is None else tuple(options.whole_numbers("batch", batch)),
            duration_s=duration,
            warmup_s=warmup,
            accuracy=accuracy,
            data=data,
            split_seed=split_seed,
            interpreter=interpreter,
            output=output,
        )
        result = compare_sources(arguments, progress=out.progress)
        return out.result(result, comparing_views.compared, exit_code(result.decision))


def exit_code(decision: str) -> int:
    """Return what a comparison's decision is to a program."""
    return _EXIT_CODES[decision]


_EXIT_CODES = {
    "done": EXIT_DONE,
    "failed": EXIT_FAILED,
    "invalid": EXIT_INVALID_MEASUREMENT,
    "regression": EXIT_CHECK_FAILED,
}

VERBS = {"compare": compare}
