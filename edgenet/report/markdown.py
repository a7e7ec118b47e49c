"""The results as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgenet.report import classes, costs, tables
from edgenet.report.best import claims
from edgenet.report.document import Document, Row
from edgenet.report.environment import environment
from edgenet.report.format import MISSING, plain
from edgenet.report.meanings import meanings
from edgenet.report.missing import missing
from edgenet.report.repeat import command
from edgenet.report.standing import models, others, standing, where
from edgenet.report.table import Table

_SPECIAL = re.compile(r"([\\`*_\[\]#|~$<>&])")


def markdown(document: Document) -> str:
    """Return the whole file."""
    told = (where(document), standing(document))
    blocks = [f"# {escaped(models(document))}", *map(escaped, told)]
    blocks += ["## Best for this machine", _claims(document)]
    if document.own:
        blocks += ["## All configurations", *_table(tables.summary(document))]
        blocks += [_conditions(document.own)]
    for title, table in (
        ("Verdicts", tables.verdicts(document)),
        ("Failures", tables.failures(document)),
        ("Latency", tables.latency(document)),
        ("End to end", costs.end_to_end(document)),
        ("Memory", costs.memory(document)),
        ("Energy", costs.energy(document)),
        ("Cold start", costs.cold_start(document)),
        ("Accuracy", tables.accuracies(document)),
    ):
        if not table.empty:
            blocks += [f"## {title}", *_table(table)]
    if classes.with_counts(document):
        blocks += ["## Accuracy by class", *_table(classes.by_class(document))]
    elif document.own:
        blocks += ["## Accuracy by class", escaped(classes.WITHOUT)]
    if any(row.timings for row in document.others):
        blocks += ["## Timed by others", escaped(others(document))]
        blocks += [*_table(tables.externals(document)), _conditions(document.others)]
    absent = missing(document)
    if absent.rows:
        blocks += ["## Not measured", *_table(absent)]
    blocks += ["## Environment"]
    for table in (*environment(document), costs.clocks(document), costs.further(document)):
        blocks += _table(table)
    blocks += ["## How to repeat", _fenced(command(document))]
    blocks += ["## What the figures mean", *_table(meanings())]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", plain(text))


def _claims(document: Document) -> str:
    told = [
        f"- **{escaped(claim.title)}**{escaped(claim.text.removeprefix(claim.title))}"
        for claim in claims(document)
    ]
    return "\n".join(told or ["Our clock timed nothing."])


def _conditions(rows: Sequence[Row]) -> str:
    """Return a list of the conditions of each row, such as threads and device."""
    lines = []
    for row in rows:
        first, *further = tables.conditions(row)
        lines.append(f"- {escaped(first)}")
        lines += [f"  - {escaped(line.strip())}" for line in further]
    return "\n".join(lines)


def _table(table: Table) -> list[str]:
    """Return a caption and a table; none where it holds nothing."""
    if table.empty:
        return []
    rule = ["---:" if right else "---" for right in table.right]
    lines = [
        [escaped(heading) for heading in table.headings],
        rule,
        *([MISSING if cell is None else escaped(cell) for cell in row] for row in table.rows),
    ]
    return [escaped(table.caption) + ":", "\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _fenced(text: str) -> str:
    """Return a block of code, with a fence that the text cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
