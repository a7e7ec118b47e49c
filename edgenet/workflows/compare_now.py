"""Two bundles measured now, by fresh processes that take turns."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgenet.bench.answer import Answer, Measured, read_answer
from edgenet.bench.compare_rounds import compare_rounds
from edgenet.bench.comparison import Comparison
from edgenet.bench.plan import Configuration, Turn, check_possible, configurations
from edgenet.errors import CorruptFile, EdgenetError, NotPossible, UsageError
from edgenet.launch.local import DEFAULT_TIME_LIMIT_S
from edgenet.launch.outcome import Outcome
from edgenet.progress import Figure, ProgressCallback, Step
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.job import Job, Scenario
from edgenet.runner.timing import MOST_WARM_UP
from edgenet.statistics import quantile
from edgenet.statistics.tails import samples_needed
from edgenet.workflows._resolve import Resolved
from edgenet.workflows.bench_data import Pictures, PictureSource
from edgenet.workflows.bench_folder import PROCESSES, writable
from edgenet.workflows.compare_arguments import CompareArguments
from edgenet.workflows.compare_turns import Launch, shared_batch, shared_runtimes, take_turns
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import Run

_NS_PER_US = 1e3
_HEADLINE = 0.9
_SIDES = ("A", "B")
_BATCHES = "name batch sizes that both take: --batch N"
_ERRORS = {NotPossible.code: NotPossible, CorruptFile.code: CorruptFile}


def compare_now(
    arguments: CompareArguments,
    a: Resolved,
    b: Resolved,
    *,
    launch: Launch,
    progress: ProgressCallback,
) -> Comparison:
    """Measure both in turns and compare them.

    Args:
        arguments: How.
        a: A bundle, or a run with one.
        b: Likewise.
        launch: What runs a job; tests put their own here.
        progress: Told of every process.

    Raises:
        UsageError: One does not take a batch size, or a program that times itself is asked for.
        NotPossible: One cannot be run here.
        CorruptFile: One is damaged.
        EdgenetError: A process failed: there is nothing to compare.
    """
    bundles = _bundle_of(a), _bundle_of(b)
    planned = _plan(arguments, *bundles)
    pictures = _pictures(arguments, bundles, (a.run, b.run), progress)
    folder = arguments.output
    if folder is not None:
        make_empty(folder)
    with tempfile.TemporaryDirectory(prefix="edgenet-compare-") as temporary:
        place = Path(temporary) if folder is None else folder / PROCESSES
        measured = _measure(arguments, planned, pictures, place, launch=launch, progress=progress)
        for run, bundle, one in zip((a.run, b.run), bundles, measured, strict=True):
            _note_look(run, bundle, one[-1])
        return compare_rounds(
            planned,
            measured,
            threads=arguments.threads,
            evaluation_set=pictures[0].folder,
            answers_reason=next((one.reason for one in pictures if one.reason), None),
        )


def _bundle_of(source: Resolved) -> Bundle:
    """Open the only bundle of a source.

    Raises:
        UsageError: It has none, or several.
    """
    found = source.bundles
    if not found:
        hint = f"make one first: edgenet export {source.source}"
        raise UsageError(f"the run {source.source} has no bundles yet", hint)
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        message = f"the run {source.source} has {len(found)} bundles"
        raise UsageError(message, f"name the one that is meant: {names}")
    return open_bundle(found[0])


def _plan(arguments: CompareArguments, a: Bundle, b: Bundle) -> tuple[Configuration, ...]:
    """Pair both with the runtime asked for, else with one that takes both, else each with its own.

    Raises:
        UsageError: A runtime takes neither, or times itself.
        NotPossible: A runtime is not here, or not on the device.
    """
    device = arguments.device
    shared = shared_runtimes(a, b, device)
    wanted = [arguments.runtime] if arguments.runtime else shared[:1]
    planned = tuple(
        replace(configurations([bundle], wanted, device)[0], name=side)
        for side, bundle in zip(_SIDES, (a, b), strict=True)
    )
    for one in planned:
        if one.times_itself:
            message = f"{one.runtime} times itself: its processes take no turns with ours"
            raise UsageError(message, f"edgenet bench --runtime {one.runtime} shows its figures")
    check_possible(
        [one for one in planned if device or arguments.runtime],
        other_interpreter=arguments.interpreter is not None,
    )
    return planned


def _pictures(
    arguments: CompareArguments,
    bundles: Sequence[Bundle],
    runs: Sequence[Run | None],
    progress: ProgressCallback,
) -> tuple[Pictures, Pictures]:
    """Return what both are run on: their test pictures, or where one has none, golden inputs."""
    if not arguments.accuracy:
        none = Pictures(reason="no accuracy was asked for")
        return none, none
    source = PictureSource(arguments.data, arguments.split_seed, progress)
    a, b = (source.of(bundle, run) for bundle, run in zip(bundles, runs, strict=True))
    for one in (a, b):
        if one.folder is None:  # times on test pictures and on golden inputs are not compared
            return one, one
    return a, b


def _measure(
    arguments: CompareArguments,
    planned: Sequence[Configuration],
    pictures: Sequence[Pictures],
    folder: Path,
    *,
    launch: Launch,
    progress: ProgressCallback,
) -> tuple[list[Measured], list[Measured]]:
    """Run every process.

    Raises:
        EdgenetError: One of them failed.
    """
    shown = dict(zip(_SIDES, pictures, strict=True))
    batch = shared_batch(planned[0].bundle, planned[1].bundle)
    batches = sorted(arguments.batches) or [batch or 1]
    scenarios = tuple(
        Scenario(one, arguments.warmup_s, arguments.duration_s, samples_needed(_HEADLINE))
        for one in batches
    )

    def job_of(turn: Turn, place: Path) -> Job:
        configuration = turn.configuration
        evaluation_set = shown[configuration.name].folder
        return Job(
            bundle=configuration.bundle.path.resolve(),
            runtime=configuration.runtime,
            output=place,
            threads=arguments.threads,
            device=configuration.device,
            latency=scenarios,
            pin=True,
            evaluation_set=evaluation_set and evaluation_set.resolve(),
            evaluate=evaluation_set is not None and turn.round == arguments.rounds - 1,
        )

    def after(turn: Turn, one: Measured, done: int, total: int) -> bool:
        answer = read_answer(one)
        if isinstance(answer, Outcome):
            raise _failed(turn.configuration, answer)
        if answer.skipped:
            message = f"{turn.configuration.bundle.path} cannot be compared at"
            raise UsageError(f"{message} {'; '.join(answer.skipped)}", _BATCHES)
        _report(progress, turn, answer, done, total)
        return True

    asked = sum(one.min_duration_s + MOST_WARM_UP * one.warmup_s for one in scenarios)
    measured = take_turns(
        planned,
        arguments.rounds,
        job_of=job_of,
        folder=folder,
        launch=launch,
        interpreter=arguments.interpreter or sys.executable,
        time_limit_s=DEFAULT_TIME_LIMIT_S + asked,
        after=after,
    )
    return measured["A"], measured["B"]


def _failed(configuration: Configuration, outcome: Outcome) -> EdgenetError:
    """Return the error of a process without which there is nothing to compare."""
    kind = _ERRORS.get(outcome.code or "", EdgenetError)
    return kind(f"{configuration.bundle.path} failed: {outcome.reason}", outcome.hint)


def _report(progress: ProgressCallback, turn: Turn, answer: Answer, done: int, total: int) -> None:
    least = min(answer.timed)
    figures: dict[str, Figure] = {
        "side": turn.configuration.name,
        "p50_us": quantile(answer.timed[least].query_ns, 0.5) / _NS_PER_US,
    }
    progress(
        Step(
            task="compare",
            done=done,
            total=total,
            unit="process",
            figures=figures,
            final=done == total,
        )
    )


def _note_look(run: Run | None, bundle: Bundle, last: Measured) -> None:
    """Log a look at a run's test split."""
    event = last.outcome.find("accuracy")
    if run is None or event is None:
        return
    note_test_look(
        run.path,
        verb="compare",
        subject=os.path.relpath(bundle.path, run.path.resolve()),
        digest=str(event["digest"]),
        correct=int(event["correct"]),
        n=int(event["n"]),
    )


def make_empty(folder: Path) -> None:
    """Make a folder for what is kept, so that nothing old is taken for it.

    Raises:
        UsageError: There is something in it.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", "name a new folder with --output")
