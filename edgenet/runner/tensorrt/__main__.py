"""``python -m edgenet.runner.tensorrt JOB.json``: build engines, in a process that may crash.

Answers as a measurement process does, with JSON lines: an event ``started`` before each file and
``built`` after it, then ``finished``. So whoever reads knows which file ended the process.
"""

import os
import sys
from pathlib import Path
from typing import List

from edgenet.errors import EXIT_DONE, EdgenetError, UsageError
from edgenet.files import write_atomically
from edgenet.runner.__main__ import ResultLines
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.tensorrt.builder import build_plan
from edgenet.runner.tensorrt.job import EngineJob
from edgenet.runner.tensorrt.library import load_usable

_MAX_JOB_BYTES = 1 << 20


def main(arguments: List[str]) -> int:
    """Build what the job says that the only argument names; return the exit code."""
    lines = ResultLines.take_standard_output()
    try:
        _run(_job(arguments), lines)
    except EdgenetError as error:
        event = {"code": error.code, "message": error.message, "hint": error.hint}
        lines.emit(dict(event, event="error"))
        return error.exit_code
    lines.emit({"event": "finished"})
    return EXIT_DONE


def _job(arguments: List[str]) -> EngineJob:
    if len(arguments) != 1:
        raise UsageError("one job file is wanted", "python -m edgenet.runner.tensorrt JOB.json")
    path = Path(arguments[0])
    try:
        if os.stat(str(path)).st_size > _MAX_JOB_BYTES:
            raise UsageError("{} is longer than {} bytes".format(path, _MAX_JOB_BYTES))
        return EngineJob.from_json(parse_json(path.read_bytes()))
    except OSError as error:
        raise UsageError("cannot read {}: {}".format(path, error.strerror)) from error
    except FieldError as error:
        raise UsageError("{}: {}".format(path, error)) from None


def _run(job: EngineJob, lines: ResultLines) -> None:
    module = load_usable(job.library)
    for number, name in enumerate(job.files, start=job.first):
        lines.emit({"event": "started", "number": number})
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            raise EdgenetError("cannot read {}: {}".format(name, error.strerror)) from error
        built = build_plan(module, content, job.options)
        if built.plan is not None and job.plans is not None:
            with write_atomically(Path(job.plans) / "{}.plan".format(number)) as file:
                file.write(built.plan)
        lines.emit(dict(built.to_json(), event="built", number=number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
