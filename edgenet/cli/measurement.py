"""``edgenet bench`` and ``edgenet eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import comparing, comparing_views, completing, options, views
from edgenet.cli.console import Output
from edgenet.errors import (
    EXIT_CORRUPT_FILE,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INVALID_MEASUREMENT,
    EXIT_NOT_POSSIBLE,
)

PANEL = "Measure"


def bench(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Runs (all of their bundles) and bundles.",
            show_default=False,
            autocompletion=completing.measurable,
        ),
    ],
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this runtime, trtexec, or all that are here; may be given more than once.",
            show_default="the first that takes the bundle",
            autocompletion=completing.runtime_names,
        ),
    ] = None,
    threads: options.Threads = 1,
    device: options.MeasuredOn = None,
    allow_cpu_fallback: Annotated[
        bool,
        typer.Option(
            "--allow-cpu-fallback", help="With cuda: run on the CPU what the GPU does not take."
        ),
    ] = False,
    batch: Annotated[
        str, typer.Option(metavar="N,...", help="Pictures a query; the least is single-stream.")
    ] = "1,8,32,64",
    duration: options.Duration = 2.0,
    warmup: options.WarmUp = 0.5,
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
    split_seed: options.SplitSeed = None,
    interpreter: options.Interpreter = None,
    project: options.Project = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the folder of results.", show_default="bench-N"),
    ] = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Write into a folder of that name.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html, report.md and a CSV.")
    ] = True,
    baseline: comparing.Baseline = None,
    fail_above: comparing.FailAbove = None,
    allow_invalid: comparing.AllowInvalid = False,
    across_machines: comparing.AcrossMachines = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure latency, throughput, memory, load time and accuracy of bundles on this machine.

    Exit code 4: it was measured, and the machine was too busy for the figures to be believed.
    """
    from edgenet.workflows import Baseline, BenchArguments
    from edgenet.workflows import bench as bench_sources

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = BenchArguments(
            sources=tuple(sources),
            runtimes=tuple(runtime or ()),
            threads=threads,
            device=device,
            allow_cpu_fallback=allow_cpu_fallback,
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
            report=report,
        )
        against = Baseline(
            source=baseline,
            fail_above=fail_above,
            allow_invalid=allow_invalid,
            across_machines=across_machines,
        )
        result = bench_sources(arguments, progress=out.progress, keep=against.folder)
        code = EXIT_INVALID_MEASUREMENT if result.invalid and not allow_invalid else EXIT_DONE
        failed = not result.measured or any(row.failure for row in result.rows)
        code = EXIT_FAILED if failed else code
        code = EXIT_NOT_POSSIBLE if result.not_possible else code
        code = EXIT_CORRUPT_FILE if result.corrupt else code
        compared = against.compare(result)
        code = code or comparing.exit_code(compared.decision)
        return out.result(compared, comparing_views.baselined, code)


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
