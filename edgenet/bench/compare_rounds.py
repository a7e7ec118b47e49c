"""From the processes of two that took turns to their comparison."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgenet.bench.answer import Answer, Measured, read_answer
from edgenet.bench.compare import asked_confidence, paired_ratio, spoiled_rounds_allowed
from edgenet.bench.compare_answers import Answered, paired_answers
from edgenet.bench.comparison import Comparison, Side, Times, machine_of
from edgenet.bench.plan import Configuration
from edgenet.bench.row import OWN_CLOCK
from edgenet.bench.verdict import judge
from edgenet.errors import EdgenetError
from edgenet.launch.outcome import Outcome
from edgenet.runner import host
from edgenet.statistics import quantile

_NS_PER_US = 1e3
_SIDES = ("A", "B")


def compare_rounds(
    planned: Sequence[Configuration],
    measured: Sequence[Sequence[Measured]],
    *,
    threads: int,
    evaluation_set: Path | None,
    answers_reason: str | None,
) -> Comparison:
    """Compare two configurations round by round.

    Args:
        planned: A and B.
        measured: The processes of each, in the order of the rounds.
        threads: CPU threads.
        evaluation_set: What A was evaluated on, or None.
        answers_reason: Why one of them was not evaluated, or None.

    Raises:
        EdgenetError: A process did not finish.
    """
    a, b = ([_answer(one) for one in each] for each in measured)
    common = set.intersection(*(set(one.timed) for one in (*a, *b)))
    asked = asked_confidence(len(common))
    found = answers_reason or "no accuracy was measured"
    paired = None
    if evaluation_set is not None and answers_reason is None:
        answers = paired_answers(_answered(measured[0]), _answered(measured[1]), evaluation_set)
        paired, found = (None, answers) if isinstance(answers, str) else (answers, "")
    return Comparison(
        a=_side(planned[0], a, threads),
        b=_side(planned[1], b, threads),
        times=tuple(_times(batch, a, b, asked) for batch in sorted(common)),
        answers=paired,
        answers_reason=found or None,
    )


def _answer(measured: Measured) -> Answer:
    answer = read_answer(measured)
    if isinstance(answer, Outcome):
        raise EdgenetError(answer.reason or "a process did not finish", answer.hint)
    return answer


def _answered(measured: Sequence[Measured]) -> Answered | None:
    """Return the answers of the process that was evaluated, if any was."""
    for one in measured:
        event = one.outcome.find("accuracy")
        if event is not None:
            return Answered(folder=one.folder, event=event)
    return None


def _times(batch: int, a: Sequence[Answer], b: Sequence[Answer], asked: float) -> Times:
    """Compare the processes of both at one batch size."""
    (a_p50, a_p90), (b_p50, b_p90) = (
        [
            tuple(quantile(one.timed[batch].query_ns, q) / _NS_PER_US for one in each)
            for q in (0.5, 0.9)
        ]
        for each in (a, b)
    )
    spoiled = _spoiled(batch, a, b)
    allowed = spoiled_rounds_allowed(len(a), asked)
    count = f"{len(spoiled)} of {len(a)} rounds were disturbed, at most {allowed} may be"
    believed = len(spoiled) <= allowed
    return Times(
        batch=batch,
        a_p50_us=a_p50,
        b_p50_us=b_p50,
        p50=paired_ratio(a_p50, b_p50, asked=asked),
        a_p90_us=a_p90,
        b_p90_us=b_p90,
        p90=paired_ratio(a_p90, b_p90, asked=asked),
        invalid=() if believed else (f"{count}: {_commonest(spoiled)}",),
        remarks=tuple(spoiled.values()) if believed else (),
    )


def _spoiled(batch: int, a: Sequence[Answer], b: Sequence[Answer]) -> dict[int, str]:
    """Return the first thing that disturbed a round, by the round's number from 1."""
    found: dict[int, str] = {}
    for number, pair in enumerate(zip(a, b, strict=True), start=1):
        for side, answer in zip(_SIDES, pair, strict=True):
            window = replace(answer.timed[batch].window, process=f"{side} in round {number}")
            for reason in judge([window]).reasons:
                found.setdefault(number, f"{reason.code}: {reason.detail}")
    return found


def _commonest(spoiled: Mapping[int, str]) -> str:
    """Return the first reason of the kind that occurs most, and how often it does."""
    kinds = [reason.partition(":")[0] for reason in spoiled.values()]
    most = max(kinds, key=kinds.count)
    first = next(reason for reason in spoiled.values() if reason.startswith(f"{most}:"))
    return f"{first}, in {kinds.count(most)} rounds" if kinds.count(most) > 1 else first


def _side(configuration: Configuration, answers: Sequence[Answer], threads: int) -> Side:
    manifest = configuration.bundle.manifest
    counted = next((one.accuracy for one in answers if one.accuracy is not None), None)
    return Side(
        source=str(configuration.bundle.path),
        model=manifest.name,
        format=manifest.format,
        precision=manifest.precision,
        runtime=configuration.runtime,
        versions=answers[0].versions,
        options=answers[0].options,
        threads=threads,
        device=configuration.device,
        machine=machine_of(host.describe()),
        timed_by=OWN_CLOCK,
        model_sha256=manifest.files[manifest.model].sha256,
        size_bytes=configuration.bundle.model_bytes,
        peak_mib=_median(one.peak_mib for one in answers),
        baseline_mib=_median(one.baseline_mib for one in answers),
        correct=None if counted is None else int(counted["correct"]),
        pictures=None if counted is None else int(counted["n"]),
    )


def _median(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None
