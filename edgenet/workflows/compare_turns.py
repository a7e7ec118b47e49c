"""Fresh processes that take turns: what ``compare`` and every compression's timing rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgenet.bench.answer import Measured
from edgenet.bench.plan import Configuration, Turn, interleaved
from edgenet.errors import UsageError
from edgenet.launch.outcome import Outcome
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle
from edgenet.runner.job import Job

Launch = Callable[..., Outcome]
"""Runs one job: `edgenet.launch.local.run_job`, or a test's stand-in."""


def take_turns(
    planned: Sequence[Configuration],
    rounds: int,
    *,
    job_of: Callable[[Turn, Path], Job],
    folder: Path,
    launch: Launch,
    interpreter: str | Path,
    time_limit_s: float,
    after: Callable[[Turn, Measured, int, int], bool],
) -> dict[str, list[Measured]]:
    """Run a process of every configuration in each round, in turning order.

    Args:
        planned: What is measured.
        rounds: Processes of each.
        job_of: Makes the job of a turn, whose arrays go into the folder given.
        folder: Gets a folder for every process.
        launch: What runs a job.
        interpreter: The Python of the processes.
        time_limit_s: After this a process is killed.
        after: Told of every process, how many have run and how many there are; where it returns
            False none is started any more.

    Returns:
        What became of the processes, by the configuration's name.
    """
    measured: dict[str, list[Measured]] = {one.name: [] for one in planned}
    turns = interleaved(planned, rounds)
    for number, turn in enumerate(turns, start=1):
        place = (folder / turn.name).resolve()
        place.mkdir(parents=True)
        outcome = launch(
            job_of(turn, place),
            place / "job.json",
            interpreter=interpreter,
            time_limit_s=time_limit_s,
        )
        one = Measured(folder=place, outcome=outcome)
        measured[turn.configuration.name].append(one)
        if not after(turn, one, number, len(turns)):
            break
    return measured


def shared_runtimes(a: Bundle, b: Bundle, device: str | None = None) -> list[str]:
    """Return the runtimes that take both, in the order of the table."""
    suited = runtimes.for_format(b.manifest.format, device)
    return [one for one in runtimes.for_format(a.manifest.format, device) if one in suited]


def shared_batch(a: Bundle, b: Bundle) -> int | None:
    """Return the only batch that one of them takes; None where both take any.

    Raises:
        UsageError: Each takes another.
    """
    batches = {one.manifest.fixed_batch for one in (a, b)} - {None}
    if len(batches) > 1:
        raise UsageError(f"{a.path} and {b.path} are of different batches")
    return batches.pop() if batches else None
