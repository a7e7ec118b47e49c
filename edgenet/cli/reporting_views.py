"""How a benchmark's results look on a terminal, just measured or read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.cli.console import Output

if TYPE_CHECKING:
    from edgenet.report.document import Document
    from edgenet.report.table import Table
    from edgenet.workflows import ReportResult


def reports(out: Output, result: ReportResult) -> None:
    """Show each benchmark's results, and where its files are."""
    for number, written in enumerate(result.reports):
        if number:
            out.line()
        results(out, written.document)
        out.fields(
            {
                "results": written.folder,
                "page": written.html,
                "Markdown": written.markdown,
                "figures": written.csv,
            }
        )
        warnings(out, written.document)


def results(out: Output, document: Document) -> None:
    """Show one row a configuration, who is best, and what stands behind the figures."""
    from edgenet.report import costs, standing, tables
    from edgenet.report.best import claims

    if document.own:
        _table(out, tables.summary(document))
        out.line()
    if any(row.end_to_end for row in document.own):
        table = costs.end_to_end(document)
        _table(out, table, title=table.caption)
        out.line()
    if any(row.timings for row in document.others):
        out.line(standing.others(document))
        _table(out, tables.externals(document))
        out.line()
    for claim in claims(document):
        out.line(claim.text)
    for row in document.rows:
        for line in tables.conditions(row):
            out.line(line)


def warnings(out: Output, document: Document) -> None:
    """Say what failed, what was left out, and which figures are not to be believed."""
    from edgenet.report import standing, tables

    if not document.complete:
        out.warn(standing.INTERRUPTED)
    for name, code, where, detail in tables.doubts(document).rows:
        out.warn(f"{name}: INVALID at {where} ({code}): {detail}")
    for name, _, why in tables.failures(document).rows:
        out.warn(f"{name}: {why}")


def _table(out: Output, table: Table, *, title: str | None = None) -> None:
    out.table(table.columns, table.rows, title=title)
