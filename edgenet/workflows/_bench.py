"""``bench``: what bundles do on this machine, measured by fresh processes that take turns."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgenet.bench.plan import (
    ALL,
    Configuration,
    Turn,
    check_possible,
    configurations,
    everything,
    interleaved,
)
from edgenet.bench.row import Row
from edgenet.errors import UsageError
from edgenet.launch.local import run_job
from edgenet.launch.outcome import Event
from edgenet.progress import Figure, ProgressCallback, Step, ignore
from edgenet.report.write import write_report
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.bundle import is_plan_only
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.bench_arguments import BenchArguments
from edgenet.workflows.bench_data import Pictures, PictureSource
from edgenet.workflows.bench_folder import new_folder
from edgenet.workflows.bench_record import Launch, Record, leaves_nodes
from edgenet.workflows.bench_result import BenchResult
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import ARGUMENTS, Run

__all__ = ["BenchArguments", "BenchResult", "bench"]

log = logging.getLogger(__name__)

_ENDS_A_PART = ("latency", "end-to-end", "skipped", "external", "accuracy")


def bench(
    arguments: BenchArguments,
    *,
    progress: ProgressCallback = ignore,
    launch: Launch = run_job,
    keep: Path | None = None,
) -> BenchResult:
    """Measure latency, throughput, memory, load time and accuracy of bundles.

    A device that was asked for is never replaced by another: where it cannot be used, nothing is
    measured. A program that times itself gets rows of its own, marked so, without accuracy.

    The results go to ``reports/bench-<n>/`` of the run that all bundles lie in, otherwise to
    ``<project>/bench/<name>/``. After each process ``result.json`` is written anew, so that an
    interrupted measurement leaves what was measured. A process that fails is a reason in its row.
    Each row has a verdict: whether the machine was quiet enough for its figures to be believed.

    Each measurement of a run's bundle on its test split is logged in the run's
    ``test-looks.csv``.

    Args:
        arguments: What to measure.
        progress: Told of every process, and of its parts as they are done.
        launch: What runs a job; tests put their own here.
        keep: Folder of results that is never written over, such as those of a baseline.

    Raises:
        UsageError: A source is no run and no bundle, there is nothing to measure, or the results
            would be written over ``keep``.
        NotPossible: There is no GPU for what runs on one, or its runtime is not installed.
        CorruptFile: A bundle is damaged; nothing has been measured.
        DataUnavailable: The data that were asked for are not here.
        EdgenetError: The results cannot be written.
    """
    found = _find(arguments.sources)
    bundles = [bundle for bundle, _ in found]
    wanted = arguments.runtimes
    not_measured: dict[str, str] = {}
    other = arguments.interpreter is not None
    if ALL in wanted:
        wanted, not_measured = everything(bundles, arguments.device, other_interpreter=other)
    planned = configurations(bundles, wanted, arguments.device)
    _tell_left_out(bundles, planned, wanted)
    asked = [one for one in planned if arguments.device or one.runtime in arguments.runtimes]
    check_possible(asked, other_interpreter=other)
    if arguments.allow_cpu_fallback and not any(map(leaves_nodes, planned)):
        message = "allow_cpu_fallback is for onnxruntime on a GPU, and none is to be measured"
        raise UsageError(message, "add --device cuda, or leave it out")
    runs = {bundle.path: run for bundle, run in found}
    source = PictureSource(arguments.data, arguments.split_seed, progress)
    answering = {one.bundle.path for one in planned if not one.times_itself}
    pictures = {
        bundle.path: source.of(bundle, run) if bundle.path in answering else Pictures()
        for bundle, run in found
    }
    folder = new_folder(arguments, runs, planned, keep)
    record = Record(arguments, planned, pictures, folder, launch=launch, not_measured=not_measured)
    record.save()
    turns = interleaved(planned, arguments.processes)
    for number, turn in enumerate(turns):
        figures: dict[str, Figure] = {"configuration": turn.configuration.name}
        step = Step(task="bench", done=number, total=len(turns), unit="process", figures=figures)
        progress(step)
        try:
            record.measure(turn, _Parts(progress, step, arguments))
        except KeyboardInterrupt:
            log.warning(
                "%d of %d processes were measured; they are in %s", number, len(turns), folder
            )
            raise
        record.save()
        if turn.round == 0:  # the one that is evaluated; noted at once, whatever comes later
            configuration = turn.configuration
            _note_look(runs[configuration.bundle.path], configuration, record.row(configuration))
        _report(progress, record, turn, number + 1, len(turns))
    result = record.complete()
    if arguments.report:
        result = replace(result, page=write_report(folder, progress).html)
    if (folder / ARGUMENTS).is_file():  # a run of its own, not a report in another
        Run(folder).set_status("finished", model=planned[0].bundle.manifest.name)
    return result


class _Parts:
    """Reports the parts of a process as they are done.

    Args:
        progress: Told of them.
        step: The report of the process's beginning.
        arguments: Say how many parts there are.
    """

    def __init__(self, progress: ProgressCallback, step: Step, arguments: BenchArguments) -> None:
        self._progress = progress
        self._step = step
        self._parts = len(arguments.batches) + 2  # from pictures to classes, and the accuracy
        self._done = 0

    def __call__(self, event: Event) -> None:
        """Take what the process says."""
        if event.get("event") in _ENDS_A_PART:
            self._done = min(self._done + 1, self._parts)
        elif event.get("event") != "settled":
            return
        figures = dict(self._step.figures)
        if event.get("batch") is not None:
            figures["batch"] = str(event["batch"])
        done = self._step.done + self._done / (self._parts + 1)
        self._progress(replace(self._step, done=done, figures=figures))


def _find(sources: Sequence[str | Path]) -> list[tuple[Bundle, Run | None]]:
    """Open every bundle of the sources, each once, with the run that it lies in."""
    found: dict[Path, tuple[Bundle, Run | None]] = {}
    for source in sources:
        resolved = resolve(source, accept=(Kind.RUN, Kind.BUNDLE))
        if not resolved.bundles:
            hint = f"make one first: edgenet export {source}"
            raise UsageError(f"the run {source} has no bundles yet", hint)
        for path in resolved.bundles:
            bundle = open_bundle(path)
            reason = _why_not(bundle)
            if resolved.kind is not Kind.BUNDLE and reason is not None:
                log.warning("%s is left out: %s", path, reason)
                continue
            found.setdefault(bundle.path, (bundle, resolved.run))
    if not found:
        raise UsageError("no runtime takes any of these bundles")
    return list(found.values())


def _tell_left_out(
    bundles: Sequence[Bundle], planned: Sequence[Configuration], wanted: Sequence[str]
) -> None:
    """Note the bundles that none of the runtimes wanted takes."""
    taken = {one.bundle.path for one in planned}
    for bundle in bundles:
        if bundle.path not in taken:
            names = " and ".join(wanted)
            reason = f"{bundle.manifest.format} files are not for {names}"
            log.warning("%s is left out: %s", bundle.path, reason)


def _why_not(bundle: Bundle) -> str | None:
    """Return why a bundle of a run is not measured with the run's others; None where it is."""
    taken_as = bundle.manifest.format
    if not runtimes.for_format(taken_as):
        return f"no runtime here takes {taken_as} files"
    if is_plan_only(bundle.manifest.options):
        return "its engine is yet to be built"
    return None


def _report(progress: ProgressCallback, record: Record, turn: Turn, done: int, total: int) -> None:
    row = record.row(turn.configuration)
    figures: dict[str, Figure] = {"configuration": turn.configuration.name}
    if row.latency:
        figures["p50_us"] = row.latency[0].p50_us
    if row.external:
        figures[f"{row.timed_by}_p50_us"] = row.external[0].p50_us
    if row.failure:
        figures["failure"] = row.failure.reason
    progress(
        Step(task="bench", done=done, total=total, unit="process", figures=figures, final=True)
    )


def _note_look(run: Run | None, configuration: Configuration, row: Row) -> None:
    """Log a look at a run's test split."""
    if run is None or row.accuracy is None:
        return
    note_test_look(
        run.path,
        verb="bench",
        subject=f"{os.path.relpath(configuration.bundle.path, run.path.resolve())}",
        digest=row.accuracy.digest,
        correct=row.accuracy.correct,
        n=row.accuracy.n,
    )
