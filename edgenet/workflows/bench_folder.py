"""Where the results of a benchmark go."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgenet.bench.plan import Configuration
from edgenet.errors import EdgenetError
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.runs import Run, new_run

PROCESSES = "processes"


def new_folder(
    arguments: BenchArguments,
    runs: Mapping[Path, Run | None],
    planned: Sequence[Configuration],
) -> Path:
    """Make the folder of results: in the run of all bundles, else in the project."""
    folders = {run.path.resolve() for run in runs.values() if run is not None}
    shared = next(iter(runs.values()), None)
    if shared is None or len(folders) != 1 or None in runs.values():
        name = arguments.name or planned[0].bundle.manifest.name.lstrip(".") or "bench"
        run = new_run(arguments.project, "bench", name, exist_ok=arguments.exist_ok)
        with writable(run.path):
            _clear(run.path)
            run.write_arguments(arguments.to_config())
        return run.path
    reports = shared.path / "reports"
    name, number = arguments.name or "bench", 1
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


def _clear(folder: Path) -> None:
    """Remove the processes of an earlier measurement, so that none is taken for one of this."""
    if (folder / PROCESSES).exists():
        shutil.rmtree(folder / PROCESSES)


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
