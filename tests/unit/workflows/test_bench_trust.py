"""``bench`` when things go wrong: runtimes that misbehave, Ctrl-C, a machine that was busy."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgenet.workflows
from edgenet.bench import plan
from edgenet.cli.app import main
from edgenet.errors import NotPossible
from edgenet.launch.local import run_job
from edgenet.launch.outcome import Ending, Event, Outcome
from edgenet.runner import runtimes
from edgenet.runner.job import Job
from edgenet.workflows._bench import BenchArguments, BenchResult, bench
from edgenet.workflows.bench_record import revision
from tests.bundles import write_onnx_bundle

MEMORY = {"peak_bytes": 1 << 20}
BEFORE = {"at_ns": 0, "swapped_in_pages": 0}


@pytest.fixture
def run(folder: Path) -> Path:
    """A run with two bundles, in the current folder."""
    path = Path("runs") / "train" / "tiny"
    write_onnx_bundle(path / "bundles" / "onnx-fp32")
    write_onnx_bundle(path / "bundles" / "onnx-int8")
    (path / "args.toml").write_text('model = "tiny"\n')
    return path


class Launch:
    """Stands for processes that take no time: ``swapped`` names those that the machine disturbs."""

    def __init__(self, swapped: str = "nothing", interrupted: int | None = None) -> None:
        self.swapped = swapped
        self.interrupted = interrupted
        self.jobs: list[Job] = []
        self.options: list[dict[str, Any]] = []

    def __call__(
        self, job: Job, file: Path, *, on_event: Callable[[Event], None], **options: Any
    ) -> Outcome:
        """Answer as the runner does."""
        self.jobs.append(job)
        self.options.append(options)
        events = list(self._events(job))
        for event in events:
            on_event(event)
            if self.interrupted == len(self.jobs) and event["event"] == "latency":
                raise KeyboardInterrupt
        return Outcome(ending=Ending.FINISHED, events=tuple(events))

    def _events(self, job: Job) -> list[dict[str, Any]]:
        np.save(job.output / "s.npy", np.tile(np.array([[100, 700, 200]], np.int64), (400, 1)))
        pages = 9 if self.swapped in job.output.name else 0
        after = {"at_ns": 1, "swapped_in_pages": pages}
        state = {"samples": "s.npy", "steady": True, "host_before": BEFORE, "host_after": after}
        first = {"ms": 1.0, "since_launch_ms": 9.0, "observing_ms": 1.0}
        return [
            {"event": "imported", "ms": 1.0, "versions": {}, "memory": MEMORY},
            {"event": "loaded", "ms": 1.0, "options": {}},
            {"event": "first-inference", **first},
            *({"event": "latency", "batch": one.batch, **state} for one in job.latency),
            {"event": "finished"},
        ]


def _bench(*sources: Path, launch: Any, **options: Any) -> BenchResult:
    return bench(BenchArguments(sources=sources, **options), launch=launch)


def test_a_busy_machine_makes_the_result_invalid_and_names_the_row(run: Path) -> None:
    """The other row is believed, and wins although its figures are the same."""
    result = _bench(run, launch=Launch(swapped="int8"))
    assert result.verdict == "INVALID"
    assert result.invalid == ("onnx-int8-onnxruntime",)
    saved = json.loads((result.path / "result.json").read_text())
    assert saved["invalid"] == ["onnx-int8-onnxruntime"]
    assert [row["verdict"]["verdict"] for row in saved["rows"]] == ["VALID", "INVALID"]
    assert saved["best"]["fastest"] == ["onnx-fp32-onnxruntime"]
    assert saved["environment"]["after"]["at_ns"] > saved["environment"]["now"]["at_ns"]
    assert _bench(run, launch=Launch()).verdict == "VALID"


def test_every_process_is_pinned_and_asked_for_pictures_too(run: Path) -> None:
    """And has a limit of memory where one was asked for."""
    launch = Launch()
    _bench(run, launch=launch, processes=2, memory_limit_bytes=123)
    assert len(launch.jobs) == 4
    assert all(job.pin and job.end_to_end is not None for job in launch.jobs)
    assert {options["memory_limit_bytes"] for options in launch.options} == {123}


@pytest.mark.parametrize(("swapped", "code"), [("int8", 4), ("nothing", 0)])
def test_the_exit_code_says_whether_it_is_to_be_believed(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    swapped: str,
    code: int,
) -> None:
    """4 is for a measurement that was made, and in vain."""
    stand_in = partial(bench, launch=Launch(swapped))
    monkeypatch.setattr(edgenet.workflows, "bench", stand_in, raising=False)
    assert main(["bench", str(run), "--processes", "1"]) == code
    shown = capsys.readouterr()
    assert ("9 pages were read back from swap" in shown.err) == (code == 4)
    assert "VALID" in shown.out
    assert ("INVALID" in shown.out) == (code == 4)


def test_ctrl_c_in_the_middle_of_a_process_keeps_those_before_it(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is whole, and the row of the interrupted process has the figures of the others."""
    with pytest.raises(KeyboardInterrupt):
        _bench(run, launch=Launch(interrupted=3), processes=2)
    assert "2 of 4 processes were measured; they are in runs" in caplog.text
    saved = json.loads((run / "reports" / "bench-1" / "result.json").read_text())
    assert (saved["complete"], len(saved["processes"])) == (False, 2)
    assert [row["processes"] for row in saved["rows"]] == [1, 1]
    assert saved["verdict"] == "VALID"
    assert "after" not in saved["environment"]


_STUBS = {
    "crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hang": "import time; time.sleep(60)",
    "garbage": "print('loading model ...')",
    "memory": "import time; x = bytearray(b'x') * (200 << 20); time.sleep(60)",
}


def test_a_runtime_that_misbehaves_is_a_row_with_its_reason_and_the_others_are_measured(
    folder: Path,
) -> None:
    """Whichever way: it crashes, hangs, talks, or eats memory."""
    sources = [write_onnx_bundle(folder / name) for name in (*_STUBS, "sound")]
    program = folder / "python"
    stubs = "".join(
        f"""  */{name}'"'*) exec {sys.executable} -c "{code}";;\n"""
        for name, code in _STUBS.items()
    )
    program.write_text(
        "#!/bin/sh\n"
        """case "$(tr -d '\\n' < "$3" | sed 's/"runtime".*//')" in\n"""
        f"{stubs}"
        f'  *) exec {sys.executable} "$@";;\n'
        "esac\n"
    )
    program.chmod(0o755)

    def launch(job: Job, file: Path, **options: Any) -> Outcome:
        if job.bundle.name == "hang":
            options["time_limit_s"] = 0.3
        if job.bundle.name == "memory":
            options["memory_limit_bytes"] = 100 << 20
        return run_job(job, file, **options)

    short = {"duration_s": 0.02, "warmup_s": 0.01, "processes": 1, "batches": (1,)}
    result = _bench(*sources, launch=launch, interpreter=program, **short)
    *bad, sound = result.rows
    endings = {row.name.split("-")[0]: row.failure and row.failure.ending for row in bad}
    assert endings == {
        "crash": "crash",
        "hang": "timeout",
        "garbage": "garbage",
        "memory": "memory",
    }
    reasons = [row.failure.reason for row in bad if row.failure]
    assert reasons[0] == "it crashed: SIGSEGV"
    assert reasons[1] == "it did not finish within 0.3 s"
    assert reasons[2].startswith("it printed what is no result: b'loading model")
    assert reasons[3].endswith("MiB of memory, 100 are allowed")
    assert sound.failure is None
    assert sound.latency
    assert result.complete


def test_all_runtimes_that_are_here_are_measured_and_the_others_named(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival that is installed, too; what is not is a reason and no failure."""
    absent = {"onnxruntime-tensorrt": "no GPU", "tensorrt": "no library"}
    monkeypatch.setattr(runtimes, "unavailable", absent.get)
    monkeypatch.setattr(plan, "probe", lambda: "no driver")
    launch = Launch()
    result = _bench(run, launch=launch, runtimes=("all",), processes=1)
    assert {job.runtime for job in launch.jobs} == {"onnxruntime", "openvino"}
    assert len(result.rows) == 4
    assert result.not_measured == {**absent, "tensorrt": "no library"}
    assert result.to_json()["not_measured"] == dict(result.not_measured)
    monkeypatch.setattr(runtimes, "unavailable", lambda name: "it is not installed")
    with pytest.raises(NotPossible, match="onnxruntime: it is not installed"):
        _bench(run, launch=launch, runtimes=("all",))


def test_all_on_a_device_leaves_out_what_does_not_run_there(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU is not put in a GPU's place, nor the other way round."""
    monkeypatch.setattr(runtimes, "unavailable", lambda name: None)
    monkeypatch.setattr(plan, "probe", lambda: None)
    on_cpu = _bench(run, launch=Launch(), runtimes=("all",), device="cpu", processes=1)
    assert on_cpu.not_measured["tensorrt"] == "it does not run on cpu"
    assert {row.device for row in on_cpu.rows} == {"cpu"}


def test_the_commit_of_the_code_is_told_where_it_is_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed edgenet may lie inside somebody else's repository."""
    assert re.match(r"[0-9a-f]{40}(-dirty)?\Z|\Z", revision() or "")
    monkeypatch.setattr(edgenet, "__file__", str(tmp_path / "edgenet" / "__init__.py"))
    assert revision() is None
