"""Run a measurement job in a process of its own on this machine.

The process may be another Python than ours, may crash, hang, or print anything: all of that is an
`Outcome`, not an exception, so that the next measurement goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import edgenet
from edgenet.errors import EdgenetError
from edgenet.launch.memory import MemoryWatch
from edgenet.launch.outcome import Ending, Event, Outcome, signal_name
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.job import Job
from edgenet.runner.timing import now_ns

DEFAULT_TIME_LIMIT_S = 300.0
MAX_LINE_BYTES = 1 << 20
MAX_EVENTS = 10_000
STDERR_TAIL_BYTES = 1 << 13
_LAST_WORDS = 300  # characters
_READ_BYTES = 1 << 16
_POLL_S = 0.2
_GRACE_NS = 5_000_000_000
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_PYTHON_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT")
_SIGNAL_HINTS = {
    "SIGKILL": "probably there was not enough memory; see `dmesg`",
    "SIGILL": "the runtime was built for another processor: install another version of it",
}


def run_job(
    job: Job,
    job_file: Path,
    *,
    interpreter: str | Path = sys.executable,
    on_event: Callable[[Event], None] | None = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    memory_limit_bytes: int | None = None,
) -> Outcome:
    """Run a job and wait for its end.

    Args:
        job: What to measure; its paths are absolute. Its launch time is set here.
        job_file: Where the job is written to be read by the process; its folder is the process's.
        interpreter: The Python that runs it: 3.6 or later, with NumPy and the job's runtime. A path
            starts from our own folder, a bare name is looked for on PATH.
        on_event: Called with every event as it comes.
        time_limit_s: After this the process is killed.
        memory_limit_bytes: With more than this resident it is killed; None takes four fifths of
            what the machine has left.

    Returns:
        What became of it, with every event that came.
    """
    with _importable() as import_path:
        launched = job._replace(launched_ns=now_ns())
        try:
            job_file.write_text(json.dumps(launched.to_json(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise EdgenetError(f"cannot write {job_file}: {error.strerror}") from error
        return run_command(
            [_program(interpreter), "-m", "edgenet.runner", job_file.name],
            folder=job_file.parent,
            environment=_environment(os.environ, job.threads, import_path),
            on_event=on_event,
            time_limit_s=time_limit_s,
            memory_limit_bytes=memory_limit_bytes,
        )


def run_command(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_event: Callable[[Event], None] | None = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    memory_limit_bytes: int | None = None,
) -> Outcome:
    """Run a command that answers with the runner's JSON lines, and wait for its end.

    The command gets a session of its own: Ctrl-C reaches only us, and we end the whole of it.
    """
    started = now_ns()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(
            ending=Ending.NOT_STARTED,
            reason=f"{command[0]} cannot be started: {error.strerror}",
            hint="name a Python interpreter that exists",
            code="failed",
        )
    answer = _Answer(on_event)
    with process:
        try:
            watch = MemoryWatch(process.pid, memory_limit_bytes)
            fault = _follow(process, answer, started + int(time_limit_s * 1e9), watch)
        finally:  # also on Ctrl-C, and when the callback raises
            _end(process)
    if fault is Ending.TIMEOUT:
        answer.fault = f"it did not finish within {time_limit_s:g} s"
    duration_s = (now_ns() - started) / 1e9
    return _outcome(answer, fault, process.returncode, duration_s)


class _Answer:
    """What a process said so far."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self.events: list[Event] = []
        self.fault: str | None = None
        self._on_event = on_event
        self._line = b""
        self._stderr = b""

    @property
    def last(self) -> Event | None:
        """The event that ends an answer, if it came: ``finished`` or ``error``."""
        ending = self.events[-1] if self.events else {}
        return ending if ending.get("event") in ("finished", "error") else None

    @property
    def stderr_tail(self) -> str:
        """The end of what was written to standard error."""
        return self._stderr.decode("utf-8", "replace")

    def take_error(self, data: bytes) -> None:
        """Keep the end of standard error."""
        self._stderr = (self._stderr + data)[-STDERR_TAIL_BYTES:]

    def take(self, data: bytes) -> bool:
        """Take a piece of standard output; return whether all of it is results."""
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > MAX_LINE_BYTES:
            self.fault = f"it printed a line of more than {MAX_LINE_BYTES} bytes"
            return False
        return all(self._take_line(line) for line in lines)

    def _take_line(self, line: bytes) -> bool:
        try:
            event = parse_json(line)
        except FieldError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            self.fault = f"it printed what is no result: {line[:80]!r}"
            return False
        if len(self.events) == MAX_EVENTS:
            self.fault = f"it printed more than {MAX_EVENTS} results"
            return False
        self.events.append(event)
        if self._on_event is not None:
            self._on_event(event)
        return True


def _follow(
    process: subprocess.Popen[bytes], answer: _Answer, deadline_ns: int, watch: MemoryWatch
) -> Ending | None:
    """Read what a process says until it ends; return what it did wrong, if anything.

    Once the last event is there, the process has a few seconds to end. Once it has ended, what it
    left in its pipes is read; another process that it started and that holds them is not waited
    for.
    """
    if process.stdout is None or process.stderr is None:
        raise ValueError("the process must have been started with pipes")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, answer.take)
        selector.register(process.stderr, selectors.EVENT_READ, answer.take_error)
        while selector.get_map():
            ended = process.poll() is not None
            if now_ns() >= deadline_ns:
                return None if answer.last or ended else Ending.TIMEOUT
            answer.fault = watch.excess()
            if answer.fault is not None:
                return Ending.MEMORY
            ready = selector.select(timeout=0 if ended else _POLL_S)
            if ended and not ready:
                return None
            for key, _ in ready:
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.data(data) is False:
                    return Ending.GARBAGE
            if answer.last or ended:
                deadline_ns = min(deadline_ns, now_ns() + _GRACE_NS)
    try:
        process.wait(timeout=max(0.0, (deadline_ns - now_ns()) / 1e9))
    except subprocess.TimeoutExpired:
        return None if answer.last else Ending.TIMEOUT
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, unless it ended by itself, and what it started and left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(answer: _Answer, fault: Ending | None, exit_code: int, duration_s: float) -> Outcome:
    ending, reason, hint, code = _judge(answer, fault, exit_code)
    return Outcome(
        ending=ending,
        reason=reason,
        hint=hint,
        code=code,
        events=tuple(answer.events),
        exit_code=exit_code,
        stderr_tail=answer.stderr_tail,
        duration_s=duration_s,
    )


def _judge(
    answer: _Answer, fault: Ending | None, exit_code: int
) -> tuple[Ending, str | None, str | None, str | None]:
    """Return the ending, the reason, the hint and the code."""
    if fault is not None:
        return fault, answer.fault, None, "failed"
    last = answer.last
    if last is not None and last["event"] == "finished":
        return Ending.FINISHED, None, None, None
    if last is not None:
        message, hint, code = (last.get(name) for name in ("message", "hint", "code"))
        return Ending.ERROR, str(message), hint and str(hint), str(code)
    if exit_code < 0:
        name = signal_name(-exit_code)
        return Ending.CRASH, f"it crashed: {name}", _SIGNAL_HINTS.get(name), "failed"
    said = (answer.stderr_tail.strip().splitlines() or [""])[-1][-_LAST_WORDS:]
    reason = f"it ended with exit code {exit_code} and no result"
    return Ending.CRASH, f"{reason}: {said}" if said else reason, None, "failed"


@contextlib.contextmanager
def _importable() -> Iterator[str]:
    """Make a folder that holds this edgenet and nothing else, for another Python's import path.

    Our own import path cannot be handed on: its NumPy is for our Python.
    """
    with tempfile.TemporaryDirectory(prefix="edgenet-") as folder:
        (Path(folder) / "edgenet").symlink_to(Path(edgenet.__file__).resolve().parent)
        yield folder


def _program(interpreter: str | Path) -> str:
    """Return a program that means the same in the process's folder as in ours."""
    name = os.fspath(interpreter)
    # Not resolved: a virtual environment's Python is a link, and known by the link's own place.
    return os.path.abspath(name) if os.sep in name else name  # noqa: PTH100


def _environment(base: Mapping[str, str], threads: int, import_path: str) -> dict[str, str]:
    """Return the process's environment: ours, with its own threads and import path."""
    kept = {name: value for name, value in base.items() if name not in _PYTHON_VARIABLES}
    return {
        **kept,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": import_path,
    }
