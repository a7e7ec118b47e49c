"""``python -m edgenet.runner JOB.json``: one measurement process.

Results are JSON lines (see `edgenet.runner.job`) on what was standard output when the process
started. Native libraries print there too, so from the first moment the lines go to a private
duplicate of it, and descriptor 1 is pointed at standard error.
"""

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Dict, List, Optional

from edgenet.errors import EXIT_DONE, EXIT_FAILED, EdgenetError, UsageError
from edgenet.runner.job import read_job
from edgenet.runner.measure import run_job
from edgenet.runner.runtimes import TIMERS, load_timer

_EXIT_INTERRUPTED = 128 + signal.SIGINT
_EXIT_NO_READER = 128 + 13  # as if SIGPIPE, which Python ignores, had ended the process


class ResultLines:
    """Writes one JSON object a line, each flushed, so that a crash loses none of them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take_standard_output(cls) -> "ResultLines":
        """Keep standard output for the results alone and point descriptor 1 at standard error."""
        private = os.dup(1)
        os.dup2(2, 1)
        return cls(private)

    def emit(self, event: Dict[str, Any]) -> None:
        """Write one event.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        rest = (json.dumps(event, allow_nan=False) + "\n").encode("utf-8")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the job that the only argument names; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    lines = ResultLines.take_standard_output()
    try:
        return _run(arguments, lines)
    except BrokenPipeError:
        return _EXIT_NO_READER
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED


def _run(arguments: List[str], lines: ResultLines) -> int:
    try:
        if arguments[:1] == ["build"]:
            from edgenet.runner import build

            build.run(arguments[1:], lines.emit)
            return EXIT_DONE
        job = read_job(_job_file(arguments))
        measured = load_timer(job.runtime).run_job if job.runtime in TIMERS else run_job
        measured(job, lines.emit)
    except EdgenetError as error:
        _emit_error(lines, error.code, error.message, error.hint)
        return error.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is an answer, too
        traceback.print_exc()
        _emit_error(lines, EdgenetError.code, "{}: {}".format(type(error).__name__, error), None)
        return EXIT_FAILED
    return EXIT_DONE


def _job_file(arguments: List[str]) -> Path:
    if len(arguments) != 1:
        raise UsageError("one job file is wanted", "python -m edgenet.runner JOB.json")
    return Path(arguments[0])


def _emit_error(lines: ResultLines, code: str, message: str, hint: Optional[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        lines.emit({"event": "error", "code": code, "message": message, "hint": hint})


if __name__ == "__main__":
    sys.exit(main())
