"""``edgenet bench`` and ``edgenet eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import bundle_views, options, views
from edgenet.cli.console import Output
from edgenet.errors import EXIT_DONE, EXIT_FAILED

PANEL = "Measure"


def bench(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Runs (all of their bundles) and bundles.", show_default=False
        ),
    ],
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this runtime; may be given more than once.",
            show_default="the first that takes the bundle",
        ),
    ] = None,
    threads: options.Threads = 1,
    device: Annotated[str, typer.Option(metavar="NAME", help="cpu.")] = "cpu",
    batch: Annotated[
        str, typer.Option(metavar="N,...", help="Pictures a query; the least is single-stream.")
    ] = "1,64",
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", help="Measured at least, in each process.")
    ] = 2.0,
    warmup: Annotated[float, typer.Option(metavar="SECONDS", help="Warmed up at least.")] = 0.5,
    processes: Annotated[
        int, typer.Option(metavar="N", help="Fresh processes for each configuration.")
    ] = 3,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Whose test pictures are run and judged.",
            show_default="what it was trained on",
        ),
    ] = None,
    split_seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of the splits of --data.", show_default="that of the export"
        ),
    ] = None,
    interpreter: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Of the processes.", show_default="this one"),
    ] = None,
    project: options.Project = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the folder of results.", show_default="bench-N"),
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Write into a folder of that name.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure latency, throughput, memory, load time and accuracy of bundles on this machine."""
    from edgenet.workflows import BenchArguments
    from edgenet.workflows import bench as bench_sources

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = BenchArguments(
            sources=tuple(sources),
            runtimes=tuple(runtime or ()),
            threads=threads,
            device=device,
            batches=tuple(options.whole_numbers("batch", batch)),
            duration_s=duration,
            warmup_s=warmup,
            processes=processes,
            data=data,
            split_seed=split_seed,
            interpreter=interpreter,
            project=project,
            name=name,
            exist_ok=exist_ok,
        )
        result = bench_sources(arguments, progress=out.progress)
        code = EXIT_FAILED if any(row.failure for row in result.rows) else EXIT_DONE
        return out.result(result, bundle_views.bench, code)


def evaluate(
    source: options.Trained,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", help="What to evaluate on.", show_default="what it was trained on"
        ),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="train, validation or test.")] = "test",
    runtime: options.Runtime = None,
    threads: options.Threads = 1,
    batch: Annotated[int, typer.Option(metavar="N", help="Pictures at a time.")] = 1000,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Draw answers, mistakes and classes.")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Of the result and figures.", show_default="the run's reports/"
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure accuracy, precision, recall and F1. Looks at a run's test set are logged in it."""
    from edgenet.workflows import EvaluateArguments
    from edgenet.workflows import evaluate as evaluate_source

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = EvaluateArguments(
            source=source,
            data=data,
            split=split,
            runtime=runtime,
            threads=threads,
            batch=batch,
            figures=figures,
            output=output,
        )
        return out.result(evaluate_source(arguments, progress=out.progress), views.evaluation)


VERBS = {"bench": bench, "eval": evaluate}
