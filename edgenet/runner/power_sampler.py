"""A process of its own that reads the power of the moment, ten times a second.

A thread would take Python's lock from the timed loop and run on the processor that is measured.
The process is told over its standard input when to begin and when to answer, so that it reads no
clock; it ends with that input. It moves to the processors that the measurement leaves free, and
steps back where there are none. What it takes itself is in the idle power, too, which it also
samples, and so subtracted.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

import edgenet
from edgenet.runner.nvml import Nvml, NvmlError
from edgenet.runner.power_sensors import Rail, SensorError, read_rails_w

RATE_HZ = 10.0
"""As often at most; a Jetson's monitors average over about as long."""

_BEGIN, _ANSWER = b"b", b"a"
_ANSWER_SECONDS = 5.0
_NICENESS = 10
_PROGRAM = (
    "import json, sys; root, work = json.loads(sys.argv[1]); sys.path.insert(0, root);"
    "from edgenet.runner.power_sampler import serve; serve(work)"
)


class Sampler:
    """The process, seen from the one that measures.

    Args:
        rails: What to read.
        gpu: PCI bus ID of a GPU whose power NVML tells, to be read in their place; empty for the
            only one.
        rate_hz: How often.

    Raises:
        SensorError: The process did not start.
    """

    def __init__(
        self, rails: Sequence[Rail], gpu: Optional[str] = None, rate_hz: float = RATE_HZ
    ) -> None:
        root = str(Path(edgenet.__file__).parent.parent)  # a folder, or the zipapp
        work = {"rails": list(rails), "gpu": gpu, "rate_hz": rate_hz, "leave": _own_processors()}
        command = [sys.executable, "-E", "-S", "-c", _PROGRAM, json.dumps([root, work])]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise SensorError("the sampling of power did not start: {}".format(error)) from None

    def begin(self) -> None:
        """Forget all samples so far and begin anew.

        Raises:
            SensorError: The process has ended.
        """
        self._tell(_BEGIN)

    def end(self) -> List[float]:
        """Return the watts since the beginning.

        Raises:
            SensorError: A sensor could not be read, or the process does not answer.
        """
        self._tell(_ANSWER)
        line = self._line()
        try:
            answer = json.loads(line.decode("utf-8"))
            error, watts = answer["error"], [float(value) for value in answer["watts"]]
        except (ValueError, TypeError, LookupError):
            raise SensorError("the sampling of power answers with nonsense") from None
        if error is not None:
            raise SensorError(str(error))
        return watts

    def close(self) -> None:
        """End the process; a second call does nothing."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        if not self._ends():  # it waits for a chip that does not answer
            self._process.kill()
            self._ends()
        self._process.stdout.close()  # type: ignore[union-attr]

    def _ends(self) -> bool:
        try:
            self._process.wait(_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _tell(self, command: bytes) -> None:
        try:
            self._process.stdin.write(command)  # type: ignore[union-attr]
        except (OSError, ValueError):
            raise SensorError("the sampling of power has ended by itself") from None

    def _line(self) -> bytes:
        """Read one line, which is there at once or never."""
        descriptor = self._process.stdout.fileno()  # type: ignore[union-attr]
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], _ANSWER_SECONDS)
            part = os.read(descriptor, 1 << 16) if ready else b""
            if not part:
                raise SensorError("the sampling of power does not answer")
            line += part
        return line


def serve(work: Any, commands: int = 0, answers: int = 1) -> None:
    """Sample until the input ends; the whole of the process.

    Args:
        work: What `Sampler` gives: ``rails``, ``gpu``, ``rate_hz`` and ``leave``.
        commands: Descriptor of the input.
        answers: Descriptor of the output.
    """
    _step_aside(work["leave"])
    watts: List[float] = []
    failure: Optional[str] = None
    try:
        read = _reader(work)
    except NvmlError as error:
        failure = str(error)
    while True:
        ready, _, _ = select.select([commands], [], [], 1 / work["rate_hz"])
        command = os.read(commands, 1) if ready else None
        if command == b"":
            return
        if command == _ANSWER:
            line = json.dumps({"watts": watts, "error": failure}) + "\n"
            _write(answers, line.encode("utf-8"))
            continue
        if command == _BEGIN:
            watts = []
        if failure is None:
            try:
                watts.append(read())
            except (SensorError, NvmlError) as error:
                failure = str(error)


def _reader(work: Any) -> Callable[[], float]:
    if work["gpu"] is not None:
        gpu = Nvml(work["gpu"])
        return lambda: gpu.power_mw() / 1e3
    rails = [
        Rail(name, tuple(paths), unit_w, shunt) for name, paths, unit_w, shunt in work["rails"]
    ]
    return lambda: read_rails_w(rails)


def _step_aside(leave: Optional[Sequence[int]]) -> None:
    """Leave the processors of the measurement; where there are no others, come last."""
    if leave is None:
        return
    others = set(range(os.cpu_count() or 0)) - set(leave)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        if others:
            os.sched_setaffinity(0, others)


def _own_processors() -> Optional[List[int]]:
    if not hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return None
    return sorted(os.sched_getaffinity(0))


def _write(descriptor: int, rest: bytes) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]
