"""Two results of ``bench``, compared as they are: nothing is measured.

Rows are compared that were made alike: format, precision, runtime, threads, device and clock, at
each batch size that both have. Where one result has several of them, the model has to be the same,
and where that is not enough, the name. What is left over is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgenet.bench.compare import asked_confidence, independent_ratio
from edgenet.bench.comparison import UNKNOWN_MACHINE, Comparison, Times
from edgenet.errors import CorruptFile, UsageError
from edgenet.report.document import NOT_JUDGED, Document, Judged, Row
from edgenet.runner.runtimes import CPU
from edgenet.workflows.compare_stored import Stored, are_times, p90_of, paired, side_of

_ACROSS = "--across-machines compares the times all the same"
_Pairs = list[tuple[Row, Row]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What two results have in common.

    Attributes:
        comparisons: One for each configuration that both have.
        unmatched: Those that only one has, each with its side.
        untimed: Those that A has times of and B none, each with the reason; empty where the times
            are not compared at all.
        notes: In what the two differ as a whole.
        times_reason: Why no times are compared, or None.
        hint: What to do about that.
    """

    comparisons: tuple[Comparison, ...]
    unmatched: tuple[str, ...]
    untimed: tuple[str, ...]
    notes: tuple[str, ...]
    times_reason: str | None
    hint: str


def compare_stored(a: Stored, b: Stored, *, across_machines: bool) -> Found:
    """Compare every configuration that both have."""
    pairs, unmatched = _match(a.document, b.document)
    machines = _machines(a, b, pairs)
    reason, hint = None, _ACROSS
    if machines and not across_machines:
        reason = f"{machines}: times say nothing there"
    shared = [one.at(timing.batch) for one, other in pairs for timing in other.timings]
    asked = asked_confidence(len([timing for timing in shared if timing is not None]))
    comparisons = []
    for one, other in pairs:
        times = () if reason else tuple(_times(a, b, one, other, asked))
        comparisons.append(_comparison(a, b, one, other, times))
        for row, others, side in ((one, other, "A"), (other, one, "B")):
            lone = [timing.batch for timing in row.timings if others.at(timing.batch) is None]
            unmatched += [f"{side}: {row.name} at batch {batch}" for batch in lone]
    untimed = () if reason else tuple(_untimed(pairs))
    if not reason and not any(one.times for one in comparisons):
        reason, hint = "no row was timed at a batch size that both have", "see --batch of bench"
    return Found(
        comparisons=tuple(comparisons),
        unmatched=tuple(unmatched),
        untimed=untimed,
        notes=tuple(_notes(a, b, pairs, machines)),
        times_reason=reason,
        hint=hint,
    )


def refuse_other_machine(baseline: Stored, machine: str) -> None:
    """Refuse a baseline of another machine, before anything is measured.

    Raises:
        UsageError: It is of another one.
    """
    if baseline.machine != machine:
        message = f"{baseline.source} was measured on {baseline.machine}, this is {machine}"
        raise UsageError(message, _ACROSS)


def _alike(row: Row) -> tuple[object, ...]:
    facts = (row.facts[name] for name in ("format", "precision", "runtime", "device"))
    return (*facts, row.figures.get("threads"), row.timed_by)


def _match(a: Document, b: Document) -> tuple[_Pairs, list[str]]:
    """Pair rows that were made alike; return what is left over by its side and name, too."""
    pairs = []
    for row in a.rows:
        partner = _partner(row, a.rows, b.rows)
        if partner is not None:
            pairs.append((row, partner))
    taken = {id(row) for pair in pairs for row in pair}
    sides = (("A", a.rows), ("B", b.rows))
    left = [(side, row) for side, rows in sides for row in rows if id(row) not in taken]
    return pairs, [f"{side}: {_described(row)}" for side, row in left]


def _partner(row: Row, ours: Sequence[Row], theirs: Sequence[Row]) -> Row | None:
    """Return the only row that a row can be meant to be compared with, if there is one."""

    def key(one: Row, *more: str) -> tuple[object, ...]:
        return (*_alike(one), *(one.facts.get(name, one.name) for name in more))

    for more in ((), ("model",), ("model", "name")):
        alike = [
            [one for one in rows if key(one, *more) == key(row, *more)] for rows in (ours, theirs)
        ]
        if len(alike[0]) == len(alike[1]) == 1:
            return alike[1][0]
    return None


def _described(row: Row) -> str:
    facts = (*(row.facts[name] for name in ("format", "precision", "runtime", "device")),)
    return f"{row.name} ({', '.join(facts)}, threads {row.figures.get('threads')})"


def _times(a: Stored, b: Stored, one: Row, other: Row, asked: float) -> Iterator[Times]:
    """Compare two rows at every batch size that both have."""
    for timing in one.timings:
        partner = other.at(timing.batch)
        if partner is None:
            continue
        medians = (timing.process_p50_us, partner.process_p50_us)
        if not all(map(are_times, medians)):
            raise CorruptFile(f"{one.name} has no medians of its processes at batch {timing.batch}")
        judgements = (("A", one, timing.verdict), ("B", other, partner.verdict))
        unjudged = [side for side, _, verdict in judgements if verdict == NOT_JUDGED]
        nineties = p90_of(a, one, timing), p90_of(b, other, partner)
        yield Times(
            batch=timing.batch,
            a_p50_us=medians[0],
            b_p50_us=medians[1],
            p50=independent_ratio(*medians, asked=asked),
            a_p90_us=nineties[0],
            b_p90_us=nineties[1],
            p90=independent_ratio(*nineties, asked=asked) if all(nineties) else None,
            invalid=tuple(
                f"{side}: {code}: {detail}"
                for side, row, verdict in judgements
                for code, detail in _doubts(row, verdict)
            ),
            remarks=tuple(
                f"{side} was not judged: it is of an older edgenet, or of another clock"
                for side in unjudged
            ),
            judged=not unjudged,
        )


def _doubts(row: Row, verdict: Judged) -> Iterator[tuple[str, str]]:
    """Yield code and detail of what speaks against a row's times, as its own result has it."""
    if not verdict.valid:
        yield from verdict.reasons or (("invalid", "no reason is given"),)
    if row.failure is not None:
        yield "failed-process", f"{row.failure.processes} of its processes did not finish"


def _untimed(pairs: _Pairs) -> Iterator[str]:
    """Name the rows of B without any time that A has times of, each with the reason."""
    for one, other in pairs:
        if one.timings and not other.timings:
            failure = other.failure and other.failure.reason
            yield f"{other.name}: {failure or '; '.join(other.skipped) or 'it was not measured'}"


def _machines(a: Stored, b: Stored, pairs: _Pairs) -> str | None:
    """Say on what both were measured, where that is not the same machine; else None.

    Graphics cards are a part of it where one of them ran a row, and both results tell theirs.
    """
    cards = any(row.facts["device"] != CPU for pair in pairs for row in pair)
    cards = cards and all(one.cards for one in (a, b))
    before, after = (", ".join((one.machine, *(one.cards if cards else ()))) for one in (a, b))
    if before == after and not before.startswith(UNKNOWN_MACHINE):
        return None
    return f"A was measured on {before}, B on {after}"


def _comparison(a: Stored, b: Stored, one: Row, other: Row, times: tuple[Times, ...]) -> Comparison:
    answers = paired(a, b, one, other)
    known = not isinstance(answers, str)
    return Comparison(
        a=side_of(a, one),
        b=side_of(b, other),
        times=times,
        answers=answers if known else None,  # type: ignore[arg-type]
        answers_reason=None if known else answers,  # type: ignore[arg-type]
    )


def _notes(a: Stored, b: Stored, pairs: _Pairs, machines: str | None) -> Iterator[str]:
    """Say in what the two results differ as a whole."""
    if machines:
        yield machines
    for side, result in (("A", a), ("B", b)):
        if not result.document.complete:
            yield f"{side} was interrupted: processes are missing"
    for side, rows in (("A", [one for one, _ in pairs]), ("B", [one for _, one in pairs])):
        for row in rows:
            if row.failure is not None:
                yield f"{side}: {row.failure.processes} of {row.name} failed: {row.failure.reason}"
    for name, before, after in _differences(a.document, b.document, pairs):
        yield f"{name}: {before} in A, {after} in B"
    yield (
        "the two were not measured in turns: their intervals know how processes of one sitting "
        "differ, not what the machine did in between"
    )


def _differences(a: Document, b: Document, pairs: _Pairs) -> Iterator[tuple[str, object, object]]:
    """Yield the name of what differs, and both values."""
    environments = a.environment, b.environment
    hosts = [_object(one.get("host")) for one in environments]
    named: list[tuple[str, object, object]] = [
        (name, hosts[0].get(name), hosts[1].get(name))
        for name in ("kernel", "python", "numpy", "memory_bytes", "limits", "gpu_driver")
    ]
    for part, names in _SETTINGS.items():
        before, after = (_object(one.get(part)) for one in hosts)
        named += [(name, before.get(name), after.get(name)) for name in names]
    named.append(("edgenet", environments[0].get("edgenet"), environments[1].get("edgenet")))
    for one, other in (pair for pair in pairs if all(row.timings for row in pair)):
        named.append(("pinned to a processor", bool(one.cores), bool(other.cores)))
        for before, after in ((one.versions, other.versions), (one.options, other.options)):
            named += [
                (name, before.get(name), after.get(name)) for name in sorted({*before, *after})
            ]
    told: list[tuple[str, object, object]] = []
    for difference in named:
        if difference[1] != difference[2] and difference not in told:
            told.append(difference)
            yield difference


_SETTINGS = {
    "cpu": ("governor", "boost", "affinity"),
    "jetson": ("l4t", "power_mode_name", "jetson_clocks"),
}
"""What of a machine may be set otherwise, by the part of its description."""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
