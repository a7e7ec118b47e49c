"""``bench``: what bundles do on this machine, measured by fresh processes that take turns."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgenet
from edgenet.bench.answer import Measured
from edgenet.bench.plan import Configuration, Turn, configurations, interleaved
from edgenet.bench.row import Row
from edgenet.bench.rows import row_of
from edgenet.errors import EdgenetError, UsageError
from edgenet.files import write_text
from edgenet.launch.local import run_job
from edgenet.progress import Figure, ProgressCallback, Step, ignore
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.job import Job
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.bench_data import Pictures, PictureSource
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import ARGUMENTS, Run, environment, new_run

__all__ = ["BenchArguments", "BenchResult", "bench"]

log = logging.getLogger(__name__)

SCHEMA = "edgenet.bench/1"
RESULT_NAME = "result.json"
PROCESSES = "processes"


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """What came of it.

    Attributes:
        rows: One a configuration, in the order of the sources.
        environment: The machine, its load before, and the versions, as plain JSON values.
        path: Folder of ``result.json`` and of the raw samples of every process.
        complete: Every process was run, whatever became of it.
    """

    rows: tuple[Row, ...]
    environment: Mapping[str, Any]
    path: Path
    complete: bool

    @property
    def measured(self) -> bool:
        """Whether any configuration has figures."""
        return any(row.latency for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            "schema": SCHEMA,
            "path": str(self.path),
            "complete": self.complete,
            "rows": [row.to_json() for row in self.rows],
            "environment": dict(self.environment),
        }


def bench(arguments: BenchArguments, *, progress: ProgressCallback = ignore) -> BenchResult:
    """Measure latency, throughput, memory, load time and accuracy of bundles.

    The results go to ``reports/bench-<n>/`` of the run that all bundles lie in, otherwise to
    ``<project>/bench/<name>/``. After each process ``result.json`` is written anew, so that an
    interrupted measurement leaves what was measured. A process that fails is a reason in its row.

    Each measurement of a run's bundle on its test split is logged in the run's
    ``test-looks.csv``.

    Raises:
        UsageError: A source is no run and no bundle, or there is nothing to measure.
        CorruptFile: A bundle is damaged; nothing has been measured.
        DataUnavailable: The data that were asked for are not here.
        EdgenetError: The results cannot be written.
    """
    found = _find(arguments.sources)
    planned = configurations([bundle for bundle, _ in found], arguments.runtimes)
    runs = {bundle.path: run for bundle, run in found}
    source = PictureSource(arguments.data, arguments.split_seed, progress)
    pictures = {bundle.path: source.of(bundle, run) for bundle, run in found}
    folder = _new_folder(arguments, runs, planned)
    record = _Record(arguments, planned, pictures, folder)
    record.save()
    turns = interleaved(planned, arguments.processes)
    for number, turn in enumerate(turns):
        figures: dict[str, Figure] = {"configuration": turn.configuration.name}
        step = Step(task="bench", done=number, total=len(turns), unit="process", figures=figures)
        progress(step)
        record.measure(turn)
        record.save()
        if turn.round == 0:  # the one that is evaluated; noted at once, whatever comes later
            configuration = turn.configuration
            _note_look(runs[configuration.bundle.path], configuration, record.row(configuration))
        _report(progress, record, turn, number + 1, len(turns))
    record.complete = True
    record.save()
    if (folder / ARGUMENTS).is_file():  # a run of its own, not a report in another
        Run(folder).set_status("finished", model=planned[0].bundle.manifest.name)
    return record.result()


class _Record:
    """What was measured so far, in memory and in the folder of results."""

    def __init__(
        self,
        arguments: BenchArguments,
        planned: Sequence[Configuration],
        pictures: Mapping[Path, Pictures],
        folder: Path,
    ) -> None:
        self.complete = False
        self._arguments = arguments
        self._pictures = pictures
        self._folder = folder
        self._environment = {
            **environment(),
            "edgenet": edgenet.__version__,
            "command": list(sys.argv),
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }
        self._planned = planned
        self._measured: dict[str, list[Measured]] = {one.name: [] for one in planned}
        self._turns: list[dict[str, Any]] = []

    def measure(self, turn: Turn) -> None:
        """Run one process and keep what became of it."""
        configuration = turn.configuration
        folder = self._folder / PROCESSES / turn.name
        pictures = self._pictures[configuration.bundle.path]
        scenarios = self._arguments.scenarios_for(configuration.bundle.manifest.fixed_batch)
        with _writable(folder):
            folder.mkdir(parents=True)
        job = Job(
            bundle=configuration.bundle.path,
            runtime=configuration.runtime,
            output=folder.resolve(),
            threads=self._arguments.threads,
            device=self._arguments.device,
            latency=scenarios,
            evaluation_set=pictures.folder and pictures.folder.resolve(),
            evaluate=pictures.folder is not None and turn.round == 0,
        )
        outcome = run_job(
            job,
            folder.resolve() / "job.json",
            interpreter=self._arguments.interpreter or sys.executable,
            time_limit_s=self._arguments.process_time_limit_s(scenarios),
        )
        self._measured[configuration.name].append(Measured(folder=folder, outcome=outcome))
        self._turns.append(
            {
                "configuration": configuration.name,
                "round": turn.round,
                "folder": os.path.relpath(folder, self._folder),
                **outcome.to_json(),
            }
        )

    def row(self, configuration: Configuration) -> Row:
        """Return the figures of a configuration so far."""
        return row_of(
            configuration,
            self._measured[configuration.name],
            threads=self._arguments.threads,
            device=self._arguments.device,
            accuracy_reason=self._pictures[configuration.bundle.path].reason,
        )

    def result(self) -> BenchResult:
        """Return all figures so far."""
        return BenchResult(
            rows=tuple(self.row(configuration) for configuration in self._planned),
            environment=self._environment,
            path=self._folder,
            complete=self.complete,
        )

    def save(self) -> None:
        """Write ``result.json``, whole."""
        content = {
            **self.result().to_json(),
            "arguments": self._arguments.to_json(),
            "processes": self._turns,
        }
        del content["path"]  # the folder may be moved
        write_text(self._folder / RESULT_NAME, json.dumps(content, indent=1) + "\n")


def _find(sources: Sequence[str | Path]) -> list[tuple[Bundle, Run | None]]:
    """Open every bundle of the sources, each once, with the run that it lies in."""
    found: dict[Path, tuple[Bundle, Run | None]] = {}
    for source in sources:
        resolved = resolve(source, accept=(Kind.RUN, Kind.BUNDLE))
        if not resolved.bundles:
            hint = f"make one first: edgenet export {source}"
            raise UsageError(f"the run {source} has no bundles yet", hint)
        for path in resolved.bundles:
            bundle = open_bundle(path)
            found.setdefault(bundle.path, (bundle, resolved.run))
    return list(found.values())


def _new_folder(
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
        with _writable(run.path):
            _clear(run.path)
            run.write_arguments(arguments.to_config())
        return run.path
    reports = shared.path / "reports"
    name, number = arguments.name or "bench", 1
    with _writable(reports):
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
def _writable(folder: Path) -> Iterator[None]:
    """Turn a refusal to write ``folder`` into an `EdgenetError` that says where."""
    try:
        yield
    except OSError as error:
        message = f"cannot write {folder}: {error.strerror}"
        raise EdgenetError(
            message, "results go into the run; use a folder you may write to"
        ) from error


def _report(progress: ProgressCallback, record: _Record, turn: Turn, done: int, total: int) -> None:
    row = record.row(turn.configuration)
    figures: dict[str, Figure] = {"configuration": turn.configuration.name}
    if row.latency:
        figures["p50_us"] = row.latency[0].p50_us
    if row.failure:
        figures["failure"] = row.failure.reason
    progress(
        Step(task="bench", done=done, total=total, unit="process", figures=figures, final=True)
    )


def _note_look(run: Run | None, configuration: Configuration, row: Row) -> None:
    """Log a look at a run's test split."""
    if run is None or row.accuracy is None:
        return
    note_test_look(
        run.path,
        verb="bench",
        subject=f"{os.path.relpath(configuration.bundle.path, run.path.resolve())}",
        digest=row.accuracy.digest,
        correct=row.accuracy.correct,
        n=row.accuracy.n,
    )
