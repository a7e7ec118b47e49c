"""Building engines in a process of their own: a library that crashes ends only its own process.

All files of a call are built by one process, since loading the library takes longer than building
a small network. After a crash another process goes on behind the file that caused it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import edgenet
from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.launch.local import run_command
from edgenet.launch.outcome import Ending, Event, Outcome
from edgenet.runner.tensorrt.builder import DEFAULTS, BuildOptions
from edgenet.runner.tensorrt.job import EngineJob
from edgenet.runner.tensorrt.library import RTX, TITLES
from edgenet.runner.tensorrt.log import Multiplication

_JOB_NAME = "job.json"

TIME_LIMIT_S = 300.0
"""For one file, where nobody knows better."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What became of one ONNX file.

    Attributes:
        version: Of the library; empty where its process crashed.
        errors: Why it was not parsed or not built, with the node; none where it was.
        engine_bytes: Size of the serialized engine; 0 where there is none.
        multiplications: Convolutions and matrix products that the engine has.
        name: Of the library, as it is imported.
        warnings: What else the library warned of.
        flags: What the builder was told of precision, by TensorRT's names.
        layers: Number of layers by TensorRT's own name of their kind.
        timing_cache: What became of the file of timings.
        seconds: Wall time of parsing and building.
    """

    version: str
    errors: tuple[str, ...]
    engine_bytes: int
    multiplications: tuple[Multiplication, ...]
    name: str = RTX
    warnings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    layers: Mapping[str, int] = field(default_factory=dict)
    timing_cache: str = "none"
    seconds: float = 0.0

    @property
    def precisions(self) -> Counter[str]:
        """How many layers multiply in which precision."""
        return Counter(each.precision for each in self.multiplications)

    @property
    def library(self) -> str:
        """What reports call the library, such as ``TensorRT for RTX 1.7.1.116``."""
        return f"{TITLES[self.name]} {self.version}".strip()


def build_engines(
    library: str,
    files: Sequence[Path],
    *,
    options: BuildOptions = DEFAULTS,
    plans: Path | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> tuple[Engine, ...]:
    """Build an engine of every file.

    Args:
        library: ``tensorrt`` or ``tensorrt_rtx``.
        files: ONNX files.
        options: For all of them.
        plans: Folder for the plans: ``0.plan`` is that of the first file. None keeps none.
        time_limit_s: For one file; a process gets it as often as it has files.

    Returns:
        One for each file, in their order; a file that crashes the library has an outcome, too.

    Raises:
        NotPossible: The library is not here, cannot be loaded, or has no GPU that it needs.
    """
    found: list[Engine] = []
    while len(found) < len(files):
        job = EngineJob(
            library=library,
            files=tuple(str(path.absolute()) for path in files[len(found) :]),
            first=len(found),
            plans=None if plans is None else str(plans.absolute()),
            options=options,
        )
        found += _run(job, time_limit_s)
    return tuple(found)


def _run(job: EngineJob, time_limit_s: float) -> list[Engine]:
    """Build the files of a job, up to one that ends the process."""
    search = [str(Path(edgenet.__file__).resolve().parent.parent), *map(os.path.abspath, sys.path)]
    with tempfile.TemporaryDirectory(prefix="edgenet-") as name:
        folder = Path(name)
        (folder / _JOB_NAME).write_text(json.dumps(job.to_json()), encoding="utf-8")
        outcome = run_command(
            [sys.executable, "-m", "edgenet.runner.tensorrt", _JOB_NAME],
            folder=folder,
            environment={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            time_limit_s=time_limit_s * len(job.files),
        )
    if outcome.ending in (Ending.ERROR, Ending.NOT_STARTED):
        raise _error(outcome)
    built = [_engine(job.library, event) for event in outcome.all("built")]
    if not outcome.finished:
        # Where not even the library was loaded, no other file would fare better.
        missing = len(job.files) - len(built)
        lost = min(1, missing) if outcome.find("started") else missing
        built += [_lost(job.library, str(outcome.reason))] * lost
    return built


def _error(outcome: Outcome) -> EdgenetError:
    """Return what the process said, as the error that it is."""
    kinds = {each.code: each for each in (NotPossible, UsageError)}
    return kinds.get(str(outcome.code), EdgenetError)(str(outcome.reason), outcome.hint)


def _lost(library: str, reason: str) -> Engine:
    return Engine(version="", errors=(reason,), engine_bytes=0, multiplications=(), name=library)


def _engine(library: str, event: Event) -> Engine:
    return Engine(
        name=library,
        version=event["version"],
        errors=tuple(event["errors"]),
        warnings=tuple(event["warnings"]),
        flags=tuple(event["flags"]),
        engine_bytes=event["engine_bytes"],
        multiplications=tuple(Multiplication(**each) for each in event["multiplications"]),
        layers=event["layers"],
        timing_cache=event["timing_cache"],
        seconds=event["seconds"],
    )
