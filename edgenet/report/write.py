"""Writing every form of a benchmark's results beside its ``result.json``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.files import write_text
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.report.best import claims
from edgenet.report.document import Document
from edgenet.report.markdown import markdown
from edgenet.report.page import page
from edgenet.report.read import read_document
from edgenet.report.samples import read_samples
from edgenet.report.spreadsheet import spreadsheet

HTML_NAME = "report.html"
MARKDOWN_NAME = "report.md"
CSV_NAME = "results.csv"


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of one benchmark.

    Attributes:
        folder: Where its ``result.json`` lies.
        html: The page.
        markdown: The Markdown.
        csv: The figures, unrounded.
        document: What they show.
    """

    folder: Path
    html: Path
    markdown: Path
    csv: Path
    document: Document

    def to_json(self) -> dict[str, Any]:
        """Return where the files are, and what is in them in a few words, as plain JSON values."""
        return {
            "folder": str(self.folder),
            "html": str(self.html),
            "markdown": str(self.markdown),
            "csv": str(self.csv),
            "schema": self.document.schema,
            "complete": self.document.complete,
            "configurations": [row.name for row in self.document.rows],
            "best": [vars(claim) for claim in claims(self.document)],
        }


def write_report(
    folder: Path, progress: ProgressCallback = ignore, *, output: Path | None = None
) -> Written:
    """Read a benchmark's results and write them as HTML, Markdown and CSV.

    Args:
        folder: Holds ``result.json``, and the raw samples where they are still there.
        progress: Told of each file.
        output: Where to write; None writes into ``folder``.

    Raises:
        UsageError: There are no results of ``edgenet bench``, or those of a newer version.
        CorruptFile: They cannot be understood.
        EdgenetError: The files cannot be written.
    """
    document = read_document(folder)
    place = output or folder
    made: dict[str, Callable[[], str]] = {
        HTML_NAME: lambda: page(document, read_samples(folder, document)),
        MARKDOWN_NAME: lambda: markdown(document),
        CSV_NAME: lambda: spreadsheet(document),
    }
    for number, (name, make) in enumerate(made.items()):
        progress(Step(task="report", done=number, total=len(made), unit="file"))
        write_text(place / name, make())
    progress(
        Step(
            task="report",
            done=len(made),
            total=len(made),
            unit="file",
            figures={"folder": str(place)},
            final=True,
        )
    )
    return Written(
        folder=folder,
        html=place / HTML_NAME,
        markdown=place / MARKDOWN_NAME,
        csv=place / CSV_NAME,
        document=document,
    )
