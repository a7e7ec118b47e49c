"""How a benchmark that has just run looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli import reporting_views
from edgenet.cli.console import Output

if TYPE_CHECKING:
    from edgenet.workflows import BenchResult


def bench(out: Output, result: BenchResult) -> None:
    """Show the results as ``edgenet report`` shows them, and where they are."""
    from edgenet.report.read import document_of

    document = document_of(result.to_json())
    reporting_views.results(out, document)
    places = {"raw samples and environment": result.path}
    if result.page is not None:
        places["page to look at"] = result.page
    out.fields(places)
    reporting_views.warnings(out, document)
