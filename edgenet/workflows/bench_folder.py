"""Where the results of a benchmark go."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgenet.bench.plan import Configuration
from edgenet.errors import EdgenetError, UsageError
from edgenet.report.write import CSV_NAME, HTML_NAME, MARKDOWN_NAME
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.runs import Run, new_run

PROCESSES = "processes"
_REPORTS = (HTML_NAME, MARKDOWN_NAME, CSV_NAME)


def new_folder(
    arguments: BenchArguments,
    runs: Mapping[Path, Run | None],
    planned: Sequence[Configuration],
    keep: Path | None = None,
) -> Path:
    """Make the folder of results: in the run of all bundles, else in the project.

    Args:
        arguments: Say where, and whether a folder that is there may be written over.
        runs: The run of each bundle, by the bundle's folder.
        planned: What is to be measured.
        keep: A folder of results that is never written over, such as the baseline's.

    Raises:
        UsageError: ``keep`` would be written over.
        EdgenetError: The folder cannot be written.
    """
    folders = {run.path.resolve() for run in runs.values() if run is not None}
    shared = next(iter(runs.values()), None)
    if shared is None or len(folders) != 1 or None in runs.values():
        name = arguments.name or planned[0].bundle.manifest.name.lstrip(".") or "bench"
        if arguments.exist_ok:
            _spare(arguments.project / "bench" / name, keep)
        run = new_run(arguments.project, "bench", name, exist_ok=arguments.exist_ok)
        with writable(run.path):
            _clear(run.path)
            run.set_status("running")  # an earlier one may have finished here
            run.write_arguments(arguments.to_config())
        return run.path
    reports = shared.path / "reports"
    name, number = arguments.name or "bench", 1
    if arguments.exist_ok and arguments.name is not None:
        _spare(reports / name, keep)
    with writable(reports):
        while True:
            numbered = arguments.name is None or number > 1
            folder = reports / (f"{name}-{number}" if numbered else name)
            try:
                folder.mkdir(parents=True, exist_ok=arguments.exist_ok and not numbered)
            except FileExistsError:
                number += 1
            else:
                _clear(folder)
                return folder


def _spare(folder: Path, keep: Path | None) -> None:
    if keep is not None and folder.resolve() == keep.resolve():
        message = f"{folder} is the baseline, and would be written over"
        raise UsageError(message, "give the new results another --name, or leave out --exist-ok")


def _clear(folder: Path) -> None:
    """Remove what is of an earlier measurement, so that none of it is taken for this one's."""
    if (folder / PROCESSES).exists():
        shutil.rmtree(folder / PROCESSES)
    for name in _REPORTS:
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn a refusal to write ``folder`` into an `EdgenetError` that says where."""
    try:
        yield
    except OSError as error:
        message = f"cannot write {folder}: {error.strerror}"
        raise EdgenetError(
            message, "results go into the run; use a folder you may write to"
        ) from error
