"""``edgenet report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenet.cli import completing, options, reporting_views
from edgenet.cli.console import Output

PANEL = "Measure"


def report(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|FOLDER...",
            help="Runs (all of their measurements), and folders of results.",
            show_default=False,
            autocompletion=completing.measured,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of the files.", show_default="beside each result.json"),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Render results of bench again: report.html, report.md and results.csv. Measures nothing."""
    from edgenet.workflows import ReportArguments
    from edgenet.workflows import report as report_sources

    with Output(json_mode=json, quiet=quiet) as out:
        arguments = ReportArguments(sources=tuple(sources), output=output)
        result = report_sources(arguments, progress=out.progress)
        return out.result(result, reporting_views.reports)


VERBS = {"report": report}
