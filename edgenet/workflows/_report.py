"""``report``: the results of ``bench`` rendered again, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.report.read import RESULT_NAME, SCHEMA
from edgenet.report.write import Written, write_report
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.runs import ARGUMENTS

__all__ = ["ReportArguments", "ReportResult", "report"]


@dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """What to render.

    Attributes:
        sources: Folders of results, and runs, all of whose results are rendered.
        output: Folder of the files; None puts them beside each ``result.json``.

    Raises:
        UsageError: Nothing is named.
    """

    sources: tuple[str | Path, ...]
    output: Path | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("nothing to render is named", "name a run or a folder of results")


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """What was written.

    Attributes:
        reports: One for each folder of results, in the order of the sources.
    """

    reports: tuple[Written, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"reports": [written.to_json() for written in self.reports]}


def report(arguments: ReportArguments, *, progress: ProgressCallback = ignore) -> ReportResult:
    """Render results of ``edgenet bench`` as HTML, Markdown and CSV; nothing is measured.

    Raises:
        UsageError: A source has no results of ``bench``, or those of a newer version; or several
            would go into one folder.
        CorruptFile: Results cannot be understood.
        EdgenetError: The files cannot be written.
    """
    folders = list(dict.fromkeys(one for source in arguments.sources for one in _find(source)))
    if arguments.output is not None and len(folders) > 1:
        names = ", ".join(map(str, folders))
        message = f"one folder cannot take the reports of {len(folders)} results"
        raise UsageError(message, f"name one of them: {names}")
    written = [write_report(folder, progress, output=arguments.output) for folder in folders]
    return ReportResult(reports=tuple(written))


def _find(source: str | Path) -> Sequence[Path]:
    """Return the folders of results that a source is or holds."""
    path = Path(source)
    if path.name == RESULT_NAME and path.is_file():
        return (path.parent,)
    if not path.exists():
        resolve(source, accept=(Kind.RUN,))  # refuses it, and names the nearest thing there is
    if (path / RESULT_NAME).is_file():
        return (path,)
    inside = sorted(path.glob(f"reports/*/{RESULT_NAME}"), key=_by_number)
    found = [file.parent for file in inside if _of_bench(file)]
    if found:
        return found
    if (path / ARGUMENTS).is_file():
        raise UsageError(
            f"the run {path} has no measurements yet", f"make some: edgenet bench {path}"
        )
    raise UsageError(
        f"{path} has no results of edgenet bench", "name a run, or reports/bench-N of one"
    )


def _of_bench(file: Path) -> bool:
    """Whether results are of ``bench``; a damaged file is, so that it is told."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return file.parent.name.startswith("bench")
    return isinstance(content, dict) and str(content.get("schema")).startswith(SCHEMA)


def _by_number(file: Path) -> tuple[str, int]:
    """Sort ``bench-2`` before ``bench-10``."""
    name, _, number = file.parent.name.rpartition("-")
    return (name, int(number)) if number.isdecimal() else (file.parent.name, 0)
