"""Finding ``trtexec`` on this machine, and running it to its end."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from edgenet.errors import EdgenetError, NotPossible
from edgenet.runner.timing import now_ns
from edgenet.runner.trtexec_parser import parse_output

VARIABLE = "EDGENET_TRTEXEC"
"""The environment variable that names the program."""

PLACES = ("/usr/src/tensorrt/bin/trtexec", "/opt/tensorrt/bin/trtexec")
"""Where NVIDIA's packages, of Jetsons and others, and its containers put it."""

_VERSION_SECONDS = 60.0  # the libraries of a Jetson take seconds to load
_POLL_S = 0.05
_MAX_OUTPUT_BYTES = 1 << 26
_NO_TRTEXEC = "install TensorRT (on a Jetson: apt install tensorrt), or set {} to the program"


class Ran(NamedTuple):
    """What became of one run.

    Attributes:
        exit_code: Its own; negative for a signal; None where we ended it.
        output: All that it printed, on both streams, in order.
        seconds: From its start to its end.
        reason: Why we ended it, or None.
    """

    exit_code: Optional[int]
    output: bytes
    seconds: float
    reason: Optional[str]


def find_program(places: Sequence[str] = PLACES) -> str:
    """Return the path of trtexec: that of `VARIABLE`, else on PATH, else in `PLACES`.

    Raises:
        NotPossible: It is in none of them, or what the variable names is no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            message = "{} is {}, which is no program".format(VARIABLE, named)
            raise NotPossible(message, "unset it, or set it to trtexec's path")
        return os.path.abspath(found)
    found = shutil.which("trtexec")
    for place in places:
        found = found or shutil.which(place)
    if found is None:
        where = "on PATH, {}".format(" and ".join(places))
        message = "there is no trtexec (looked {})".format(where)
        raise NotPossible(message, _NO_TRTEXEC.format(VARIABLE))
    return os.path.abspath(found)


def version_of(program: str, log: Path) -> Tuple[int, int, int]:
    """Return the version of TensorRT that a trtexec is of, by the first line of its help.

    Args:
        program: Its path.
        log: Where what it prints is kept.

    Raises:
        EdgenetError: It does not say; it crashed, or is another program.
    """
    ran = run_program([program, "--help"], log, _VERSION_SECONDS)
    version = parse_output(ran.output).version
    if version is None:
        message = "{} does not tell its version: {}"
        raise EdgenetError(
            message.format(program, _ending(ran)), "see what it printed: " + str(log)
        )
    return version


def run_program(command: List[str], log: Path, time_limit_s: float) -> Ran:
    """Run a command and keep what it prints, on both streams, in a file.

    It stays in our own session, so that whoever ends us ends it, too.

    Args:
        command: Program and arguments.
        log: The file; written anew.
        time_limit_s: After this, or 64 MiB of output, it is killed.

    Raises:
        NotPossible: It cannot be started.
    """
    started = now_ns()
    with open(str(log), "wb") as file:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        except OSError as error:
            message = "{} cannot be started: {}".format(command[0], error.strerror or error)
            raise NotPossible(message, _NO_TRTEXEC.format(VARIABLE)) from None
        try:
            reason = _wait(process, log, started + int(time_limit_s * 1e9), time_limit_s)
        finally:  # also on Ctrl-C
            if process.poll() is None:
                process.kill()
                process.wait()
    with open(str(log), "rb") as kept:
        output = kept.read(_MAX_OUTPUT_BYTES)
    seconds = (now_ns() - started) / 1e9
    return Ran(None if reason else process.returncode, output, seconds, reason)


def check_run(ran: Ran, what: str) -> None:
    """Refuse a run that did not do what it should.

    Args:
        ran: It.
        what: What it was to do, such as ``build the engine``.

    Raises:
        EdgenetError: It crashed, was ended, or failed; the message has its first error.
    """
    report = parse_output(ran.output)
    if ran.exit_code == 0 and report.passed is not False:
        return
    first = ": {}".format(report.errors[0]) if report.errors else ""
    message = "trtexec did not {}: {}{}".format(what, _ending(ran), first)
    raise EdgenetError(message, "its whole output is kept beside the results")


def _wait(
    process: "subprocess.Popen[bytes]", log: Path, deadline_ns: int, limit_s: float
) -> Optional[str]:
    """Wait for the end; return why it must be ended before, or None."""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_POLL_S)
        if process.poll() is None and now_ns() >= deadline_ns:
            return "it did not finish within {:g} s".format(limit_s)
        if log.stat().st_size > _MAX_OUTPUT_BYTES:
            return "it printed more than {} MiB".format(_MAX_OUTPUT_BYTES >> 20)
    return None


def _ending(ran: Ran) -> str:
    if ran.exit_code is None:
        return ran.reason or "it was ended"
    if ran.exit_code < 0:
        return "it crashed with signal {}".format(-ran.exit_code)
    return "it ended with exit code {}".format(ran.exit_code)
