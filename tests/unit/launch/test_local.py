"""Processes that answer, crash, hang or talk nonsense."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from edgenet.launch import local
from edgenet.launch.local import run_command, run_job
from edgenet.launch.outcome import Ending, Event, Outcome
from edgenet.runner.job import Job, Scenario
from tests.bundles import write_onnx_bundle

FINISHED = 'print(\'{"event": "finished"}\', flush=True)'


def _run(tmp_path: Path, code: str, **options: Any) -> Outcome:
    command = [sys.executable, "-S", "-c", textwrap.dedent(code)]
    return run_command(command, folder=tmp_path, environment=os.environ, **options)


def test_a_process_that_answers_has_finished(tmp_path: Path) -> None:
    """Its events are streamed to the callback as they come."""
    seen: list[Event] = []
    outcome = _run(
        tmp_path, f'print(\'{{"event": "loaded", "ms": 1}}\')\n{FINISHED}', on_event=seen.append
    )
    assert outcome.finished
    assert list(outcome.events) == seen == [{"event": "loaded", "ms": 1}, {"event": "finished"}]
    assert (outcome.exit_code, outcome.reason) == (0, None)
    assert outcome.duration_s > 0


def test_an_error_that_the_process_tells_is_the_reason(tmp_path: Path) -> None:
    """With its code and hint; what came before it stays valid."""
    outcome = _run(
        tmp_path,
        """
        import sys
        print('{"event": "loaded"}')
        print('{"event": "error", "code": "not-possible", "message": "no", "hint": "do"}')
        sys.exit(5)
        """,
    )
    assert (outcome.ending, outcome.code) == (Ending.ERROR, "not-possible")
    assert (outcome.reason, outcome.hint, outcome.exit_code) == ("no", "do", 5)
    assert outcome.find("loaded") is not None


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGILL, signal.SIGABRT])
def test_a_crash_is_named_by_its_signal(tmp_path: Path, number: signal.Signals) -> None:
    """Native libraries end so; SIGKILL is mostly the memory's end, SIGILL another processor."""
    outcome = _run(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})")
    assert outcome.ending is Ending.CRASH
    assert outcome.reason == f"it crashed: {number.name}"
    assert outcome.exit_code == -number
    assert (outcome.hint is not None) == (number in (signal.SIGKILL, signal.SIGILL))


def test_a_process_that_ends_without_a_result_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Another Python may lack NumPy."""
    outcome = _run(tmp_path, "raise SystemExit('No module named numpy')")
    assert outcome.ending is Ending.CRASH
    assert outcome.reason == "it ended with exit code 1 and no result: No module named numpy"


def test_the_last_words_are_no_page(tmp_path: Path) -> None:
    """A progress bar is one line of thousands of characters."""
    outcome = _run(
        tmp_path, "import sys; sys.exit('99 %\\r' * 1000 + 'lost ' + 'x' * 1000 + '\\n')"
    )
    assert outcome.reason == "it ended with exit code 1 and no result: " + "x" * 300
    outcome = _run(tmp_path, "import sys; sys.exit('99 %\\r' * 1000 + 'lost')")
    assert outcome.reason == "it ended with exit code 1 and no result: lost"


def test_a_process_that_exits_with_0_but_says_nothing_has_not_finished(tmp_path: Path) -> None:
    """Silence is not success."""
    assert _run(tmp_path, "").ending is Ending.CRASH


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); os.close(2); time.sleep(60)",
        'import time\nwhile True: print(\'{"event": "x"}\', flush=True); time.sleep(0.05)',
    ],
    ids=["silent", "closed", "talking"],
)
def test_a_process_that_hangs_is_killed_at_its_time_limit(tmp_path: Path, code: str) -> None:
    """Whether it is silent, has closed its output or goes on talking."""
    before = time.monotonic()
    outcome = _run(tmp_path, code, time_limit_s=0.5)
    assert outcome.ending is Ending.TIMEOUT
    assert outcome.reason == "it did not finish within 0.5 s"
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    "code",
    [
        "print('Segmentation fault (core dumped)')",
        "print('[1, 2]')",
        'print(\'{"no": "event"}\')',
        "print('{\"event\": NaN}')",
        "print('[' * 100000)",
        "import sys; sys.stdout.buffer.write(bytes(range(256)) + b'\\n')",
        "print('x' * 3000000, end='')",
        'print(\'{"event": "x"}\\n\' * 20000)',
    ],
)
def test_garbage_on_the_output_is_a_reason(tmp_path: Path, code: str) -> None:
    """A runtime that prints must not be taken for a result, however much it prints."""
    outcome = _run(tmp_path, code)
    assert outcome.ending is Ending.GARBAGE
    assert outcome.reason is not None
    assert len(outcome.reason) < 500


def test_what_a_process_started_is_killed_with_it(tmp_path: Path) -> None:
    """A grandchild that holds the pipes open would keep us waiting for ever."""
    pid_file = tmp_path / "pid"
    outcome = _run(
        tmp_path,
        f"""
        import os, pathlib, time
        if os.fork() == 0:
            pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))
        time.sleep(60)
        """,
        time_limit_s=1.0,
    )
    assert outcome.ending is Ending.TIMEOUT
    assert _is_gone(pid_file)


def _is_gone(pid_file: Path) -> bool:
    """Tell whether a process ends within a few seconds."""
    state = Path(f"/proc/{pid_file.read_text()}/stat")
    deadline = time.monotonic() + 5
    while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    return not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("last_act", "ending", "exit_code"),
    [
        ("os.kill(os.getpid(), 11)", Ending.CRASH, -11),
        ("sys.exit('no such library')", Ending.CRASH, 1),
        ('print(\'{"event": "finished"}\')', Ending.FINISHED, 0),
    ],
    ids=["crash", "error", "end"],
)
def test_what_a_process_leaves_behind_neither_hides_its_end_nor_goes_on(
    tmp_path: Path, last_act: str, ending: Ending, exit_code: int
) -> None:
    """It holds the pipes open, and would use the processor while the next one is measured."""
    pid_file = tmp_path / "pid"
    outcome = _run(
        tmp_path,
        f"""
        import os, pathlib, sys, time
        child = os.fork()
        if child == 0:
            time.sleep(60)
        pathlib.Path({str(pid_file)!r}).write_text(str(child))
        {last_act}
        """,
        time_limit_s=5.0,
    )
    assert (outcome.ending, outcome.exit_code) == (ending, exit_code)
    assert _is_gone(pid_file)


def test_a_flooded_pipe_of_an_ended_process_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it started may go on writing for ever."""
    monkeypatch.setattr(local, "_GRACE_NS", 200_000_000)
    outcome = _run(
        tmp_path,
        """
        import os
        if os.fork() == 0:
            while True: os.write(2, b"x" * 4096)
        os.kill(os.getpid(), 11)
        """,
        time_limit_s=5.0,
    )
    assert outcome.reason == "it crashed: SIGSEGV"


def test_a_process_that_does_not_end_after_its_last_event_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread of a runtime that will not stop does not spoil a measurement that is whole."""
    monkeypatch.setattr(local, "_GRACE_NS", 200_000_000)
    outcome = _run(tmp_path, f"import time\n{FINISHED}\ntime.sleep(60)")
    assert outcome.finished


def test_only_the_end_of_a_long_standard_error_is_kept(tmp_path: Path) -> None:
    """A runtime that warns once a query writes megabytes."""
    code = f"import sys; sys.stderr.write('x' * 1000000 + 'the end'); {FINISHED}"
    outcome = _run(tmp_path, code)
    assert outcome.finished
    assert len(outcome.stderr_tail) == local.STDERR_TAIL_BYTES
    assert outcome.stderr_tail.endswith("the end")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_launcher_leaves_no_process_behind(
    tmp_path: Path, error: type[BaseException]
) -> None:
    """Ctrl-C ends what is being measured, too."""
    pids = []

    def interrupt(event: Event) -> None:
        pids.append(event["pid"])
        raise error

    code = (
        'import os, time; print(\'{"event": "x", "pid": %d}\' % os.getpid(), flush=True);'
        "time.sleep(60)"
    )
    with pytest.raises(error):
        _run(tmp_path, code, on_event=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_an_interpreter_that_does_not_exist_is_a_reason(tmp_path: Path) -> None:
    """Not a traceback of ours."""
    outcome = run_command(["/no/such/python"], folder=tmp_path, environment={})
    assert outcome.ending is Ending.NOT_STARTED
    assert outcome.reason is not None
    assert "/no/such/python" in outcome.reason


def _job(tmp_path: Path) -> Job:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    scenario = Scenario(1, 0.01, 0.01, 5)
    return Job(
        bundle=bundle, runtime="onnxruntime", output=tmp_path, threads=2, latency=(scenario,)
    )


def test_a_job_runs_with_its_own_threads_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries read their number of threads from the environment, when they are loaded."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.chdir("/")
    outcome = run_job(_job(tmp_path), tmp_path / "job.json")
    assert outcome.finished, outcome
    environment = outcome.find("environment")
    assert environment is not None
    variables = environment["describe"]["thread_variables"]
    assert set(variables.values()) == {"2"}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= set(variables)
    assert "VECLIB_MAXIMUM_THREADS" in variables


def test_a_jobs_first_result_is_dated_from_its_launch(tmp_path: Path) -> None:
    """The interpreter's own start is part of a cold start."""
    outcome = run_job(_job(tmp_path), tmp_path / "job.json")
    started, first = outcome.find("started"), outcome.find("first-inference")
    assert started is not None
    assert first is not None
    assert 0 < started["since_launch_ms"] < first["since_launch_ms"]
    assert first["since_launch_ms"] < outcome.duration_s * 1000


def test_our_own_import_path_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python would load our Python's NumPy and crash."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "evil"))
    assert run_job(_job(tmp_path), tmp_path / "job.json").finished
