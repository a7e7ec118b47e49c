"""What a benchmark has measured so far: processes are run here, and written down at once."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import edgenet
from edgenet.bench.answer import Measured
from edgenet.bench.plan import Configuration, Turn
from edgenet.bench.row import Row
from edgenet.bench.rows import row_of
from edgenet.files import write_text
from edgenet.launch.outcome import Event, Outcome
from edgenet.runner import host, runtimes
from edgenet.runner.job import Job
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.bench_data import Pictures
from edgenet.workflows.bench_folder import PROCESSES, writable
from edgenet.workflows.bench_result import RESULT_NAME, BenchResult
from edgenet.workflows.runs import environment

Launch = Callable[..., Outcome]
"""Runs one job: `edgenet.launch.local.run_job`, or a test's stand-in."""


class Record:
    """What was measured so far, in memory and in the folder of results.

    Args:
        arguments: What was asked for.
        planned: The configurations, in the order of their rows.
        pictures: What each bundle is measured on, by its folder.
        folder: Of the results; it exists.
        launch: What runs a job.
        not_measured: Why a runtime is not among the configurations, by its name.
    """

    def __init__(
        self,
        arguments: BenchArguments,
        planned: Sequence[Configuration],
        pictures: Mapping[Path, Pictures],
        folder: Path,
        *,
        launch: Launch,
        not_measured: Mapping[str, str],
    ) -> None:
        self._arguments = arguments
        self._pictures = pictures
        self._folder = folder
        self._launch = launch
        self._not_measured = not_measured
        self._complete = False
        self._environment = {
            **environment(),
            "edgenet": edgenet.__version__,
            "revision": revision(),
            "command": list(sys.argv),
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }
        self._planned = planned
        self._measured: dict[str, list[Measured]] = {one.name: [] for one in planned}
        self._rows: dict[str, Row] = {}
        self._turns: list[dict[str, Any]] = []

    def measure(self, turn: Turn, on_event: Callable[[Event], None]) -> None:
        """Run one process and keep what became of it.

        Args:
            turn: Which.
            on_event: Told what the process says as it says it.
        """
        configuration = turn.configuration
        folder = self._folder / PROCESSES / turn.name
        with writable(folder):
            folder.mkdir(parents=True)
        job = self._job(turn, folder.resolve())
        outcome = self._launch(
            job,
            folder.resolve() / "job.json",
            interpreter=self._arguments.interpreter or sys.executable,
            on_event=on_event,
            time_limit_s=self._arguments.process_time_limit_s(
                job.latency, builds=configuration.times_itself
            ),
            memory_limit_bytes=self._arguments.memory_limit_bytes,
        )
        self._measured[configuration.name].append(Measured(folder=folder, outcome=outcome))
        self._rows.pop(configuration.name, None)
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
        name = configuration.name
        if name not in self._rows:
            pictures = self._pictures[configuration.bundle.path]
            self._rows[name] = row_of(
                configuration,
                self._measured[name],
                threads=self._arguments.threads,
                accuracy_reason=pictures.reason,
                evaluation_set=pictures.folder,
            )
        return self._rows[name]

    def result(self) -> BenchResult:
        """Return all figures so far."""
        return BenchResult(
            rows=tuple(self.row(configuration) for configuration in self._planned),
            environment=self._environment,
            path=self._folder,
            complete=self._complete,
            not_measured=self._not_measured,
        )

    def save(self) -> None:
        """Write ``result.json``, whole."""
        content = {
            **self.result().to_json(),
            "arguments": self._arguments.to_json(),
            "processes": self._turns,
        }
        del content["path"], content["page"]  # the folder may be moved
        write_text(self._folder / RESULT_NAME, json.dumps(content, indent=1) + "\n")

    def complete(self) -> BenchResult:
        """Note that every process was run, and return all figures."""
        self._complete = True
        self._environment["after"] = host.snapshot()
        self.save()
        return self.result()

    def _job(self, turn: Turn, folder: Path) -> Job:
        configuration = turn.configuration
        bundle = configuration.bundle
        pictures = self._pictures[bundle.path]
        if configuration.times_itself:
            pictures = Pictures()  # it makes its own
        scenarios = self._arguments.scenarios_for(bundle.manifest.fixed_batch)
        return Job(
            bundle=bundle.path,
            runtime=configuration.runtime,
            output=folder,
            threads=self._arguments.threads,
            device=configuration.device,
            latency=scenarios,
            evaluation_set=pictures.folder and pictures.folder.resolve(),
            evaluate=pictures.folder is not None and turn.round == 0,
            allow_cpu_fallback=self._arguments.allow_cpu_fallback and leaves_nodes(configuration),
            end_to_end=self._arguments.end_to_end_for(bundle.manifest.fixed_batch),
            pin=True,
        )


def leaves_nodes(configuration: Configuration) -> bool:
    """Whether a configuration's runtime may leave nodes to the CPU, if that is allowed."""
    runtime = runtimes.entry(configuration.runtime)
    return runtime.leaves_nodes and runtimes.kind(configuration.device) != runtimes.CPU


def revision() -> str | None:
    """Return the commit of edgenet's own code, marked where files differ; None if installed."""
    sources = Path(edgenet.__file__).resolve().parent.parent
    if not (sources / ".git").exists():
        return None
    command = ["git", "-C", str(sources), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
