"""From what the processes of a configuration said to one row of figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from edgenet.bench.accuracy import accuracy_of
from edgenet.bench.answer import Answer, Measured, read_answer, read_whole
from edgenet.bench.energy import median_energy
from edgenet.bench.external import ExternalAnswer, externals, read_external
from edgenet.bench.figures import Accuracy, Failure
from edgenet.bench.plan import Configuration
from edgenet.bench.row import Row
from edgenet.bench.timings import end_to_end, latencies
from edgenet.launch.outcome import Outcome


def row_of(
    configuration: Configuration,
    measured: Sequence[Measured],
    *,
    threads: int,
    accuracy_reason: str | None = None,
    evaluation_set: Path | None = None,
) -> Row:
    """Summarise the processes of one configuration.

    Args:
        configuration: What was measured.
        measured: Its processes so far, finished or not.
        threads: CPU threads.
        accuracy_reason: Why no accuracy was asked for, or None.
        evaluation_set: Whose labels the answers are compared with; None leaves out what takes the
            single answers.
    """
    if configuration.times_itself:
        return _external_row(configuration, measured, threads)
    if accuracy_reason is None and evaluation_set is not None:
        accuracy_reason = _NOT_EVALUATED
    read = [_read(one, configuration, evaluation_set) for one in measured]
    found = [one for one in read if not isinstance(one, Outcome)]
    row = _empty_row(configuration, [one for one in read if isinstance(one, Outcome)], threads)
    if not found:
        return replace(row, accuracy_reason=accuracy_reason)
    answers = [answer for answer, _ in found]
    accuracy = next((accuracy for _, accuracy in found if accuracy is not None), None)
    pictures = end_to_end(answers)
    energy = median_energy([answer.energy for answer in answers])
    return replace(
        row,
        versions=answers[0].versions,
        options=answers[0].options,
        processes=len(answers),
        latency=latencies(answers),
        skipped=answers[0].skipped,
        import_ms=_median(answer.import_ms for answer in answers),
        load_ms=_median(answer.load_ms for answer in answers),
        first_inference_ms=_median(answer.first_inference_ms for answer in answers),
        process_to_first_ms=_median(answer.process_to_first_ms for answer in answers),
        baseline_mib=_median(answer.baseline_mib for answer in answers),
        peak_mib=_median(answer.peak_mib for answer in answers),
        accuracy=accuracy,
        accuracy_reason=None if accuracy else accuracy_reason,
        gpu_mib=_median(answer.gpu_mib for answer in answers),
        process_ms=_median(answer.process_ms for answer in answers),
        open_ms=_median(answer.open_ms for answer in answers),
        end_to_end=pictures,
        end_to_end_reason=None if pictures else answers[0].end_to_end_reason,
        cores=answers[0].cores,
        cores_reason=answers[0].cores_reason,
        timer_resolution_ns=_median(answer.resolution_ns for answer in answers),
        bind_overhead_ns=_overhead(answers, 0),
        execute_overhead_ns=_overhead(answers, 1),
        fetch_overhead_ns=_overhead(answers, 2),
        baseline_pss_mib=_median(answer.baseline_pss_mib for answer in answers),
        pss_mib=_median(answer.pss_mib for answer in answers),
        energy_mj=energy.energy_mj,
        energy_error_mj=energy.error_mj,
        power_w=energy.power_w,
        idle_w=energy.idle_w,
        energy_sensors=energy.sensors,
        energy_reason=energy.reason,
    )


_NOT_EVALUATED = "no process has run the test pictures to their end"


def _read(
    measured: Measured, configuration: Configuration, evaluation_set: Path | None
) -> tuple[Answer, Accuracy | None] | Outcome:
    """Read the figures of a process and its accuracy, if it has one, or why there are none."""
    answer = read_answer(measured)
    if isinstance(answer, Outcome) or answer.accuracy is None:
        return answer if isinstance(answer, Outcome) else (answer, None)
    event = answer.accuracy
    accuracy = read_whole(
        measured,
        lambda folder, _: accuracy_of(event, configuration.bundle, folder, evaluation_set),
    )
    return accuracy if isinstance(accuracy, Outcome) else (answer, accuracy)


def _external_row(configuration: Configuration, measured: Sequence[Measured], threads: int) -> Row:
    """Summarise the processes of a program that times itself."""
    read = [read_external(one) for one in measured]
    answers = [one for one in read if isinstance(one, ExternalAnswer)]
    row = _empty_row(configuration, [one for one in read if isinstance(one, Outcome)], threads)
    timed_by = configuration.runtime
    row = replace(
        row,
        timed_by=timed_by,
        accuracy_reason=f"{timed_by} gives no answers",
        energy_reason=f"{timed_by} is not metered",
    )
    if not answers:
        return row
    return replace(
        row,
        versions=answers[0].versions,
        options=answers[0].options,
        processes=len(answers),
        skipped=answers[0].skipped,
        external=externals(answers),
    )


def _empty_row(configuration: Configuration, failed: Sequence[Outcome], threads: int) -> Row:
    """Return what is known of a configuration without any figure of it."""
    manifest = configuration.bundle.manifest
    return Row(
        name=configuration.name,
        bundle=str(configuration.bundle.path),
        model=manifest.name,
        format=manifest.format,
        precision=manifest.precision,
        runtime=configuration.runtime,
        versions={},
        options={},
        threads=threads,
        device=configuration.device,
        model_sha256=manifest.files[manifest.model].sha256,
        size_bytes=configuration.bundle.model_bytes,
        processes=0,
        latency=(),
        skipped=(),
        import_ms=None,
        load_ms=None,
        first_inference_ms=None,
        process_to_first_ms=None,
        baseline_mib=None,
        peak_mib=None,
        accuracy=None,
        accuracy_reason=None,
        failure=_failure(failed),
    )


def _failure(failed: Sequence[Outcome]) -> Failure | None:
    """Tell the first failure; those of the other processes are in the raw results."""
    if not failed:
        return None
    first = failed[0]
    return Failure(
        ending=first.ending.value,
        code=first.code or "failed",
        reason=first.reason or "it did not finish",
        hint=first.hint,
        processes=len(failed),
    )


def _overhead(answers: Sequence[Answer], part: int) -> float | None:
    return _median(answer.overhead_ns and answer.overhead_ns[part] for answer in answers)


def _median(figures: Iterable[float | None]) -> float | None:
    """Return the median over processes; None where no process has the figure."""
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None
