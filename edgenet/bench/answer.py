"""The answer of one measurement process, read whole or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.energy import Energy, read_energy
from edgenet.bench.samples import FromPictures, Timed, load_array, read_from_pictures, read_timed
from edgenet.launch.outcome import Ending, Event, Outcome

__all__ = ["Answer", "Measured", "event_of", "load_array", "read_answer", "read_whole"]

_MIB = 1 << 20
_A = TypeVar("_A")
# What taking apart nonsense can raise: a list for an object, an empty file for an array.
_NOT_AS_PROMISED = (AttributeError, EOFError, LookupError, OSError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of one process, and where its arrays lie."""

    folder: Path
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The figures of one process that finished.

    Attributes:
        versions: Of the runtime.
        options: What the runtime was told that decides figures, such as to be exact in INT8.
        import_ms: Loading the runtime's library.
        load_ms: Loading the model.
        first_inference_ms: The first query.
        process_to_first_ms: From the start of the process to the first result, without the
            runner's own bookkeeping; None where the launcher's clock is not this machine's.
        baseline_mib: Peak memory with the runtime loaded but no model; None where unknown.
        peak_mib: Peak memory after queries at the least batch size; None where unknown.
        timed: By batch size the queries, of bind, execute and fetch.
        skipped: One sentence for each batch size that was not measured.
        accuracy: The ``accuracy`` event, or None.
        gpu_ns: By batch size int64 [n] nanoseconds of the GPU itself, where a runtime tells them.
        gpu_mib: The GPU's memory that the loaded model takes at the least batch size; None where
            unknown.
        process_ms: From the start of the process to the runner's first line; None where the
            launcher's clock is not this machine's.
        open_ms: Checking the bundle's hashes; None where unknown.
        end_to_end: Queries from encoded pictures to classes, or None.
        end_to_end_reason: Why there are none.
        cores: Processors that the process was pinned to, or None.
        cores_reason: Why it was not.
        resolution_ns: The least step of its clock; None where unknown.
        overhead_ns: What the loop adds to bind, execute and fetch; None where unknown.
        baseline_pss_mib: As ``baseline_mib``, but what was held at the time, with pages that other
            processes use, too, divided among them.
        pss_mib: Likewise after queries at the least batch size.
        energy: Of a picture at the least batch size.
    """

    versions: dict[str, str]
    options: dict[str, str]
    import_ms: float
    load_ms: float
    first_inference_ms: float
    process_to_first_ms: float | None
    baseline_mib: float | None
    peak_mib: float | None
    timed: Mapping[int, Timed]
    skipped: tuple[str, ...]
    accuracy: Event | None
    gpu_ns: Mapping[int, NDArray[np.int64]]
    gpu_mib: float | None
    process_ms: float | None
    open_ms: float | None
    end_to_end: FromPictures | None
    end_to_end_reason: str | None
    cores: tuple[int, ...] | None
    cores_reason: str | None
    resolution_ns: float | None
    overhead_ns: tuple[float, float, float] | None
    baseline_pss_mib: float | None
    pss_mib: float | None
    energy: Energy


def read_answer(measured: Measured) -> Answer | Outcome:
    """Read the figures of a process; where there are none, return the outcome that says why.

    A process that says it finished, but whose answer lacks something, did not finish.
    """
    return read_whole(measured, _answer)


def read_whole(measured: Measured, read: Callable[[Path, Outcome], _A]) -> _A | Outcome:
    """Read an answer that may be nonsense; where it is, return an outcome that says so.

    Args:
        measured: What became of a process.
        read: Takes the answer of one that finished apart, and raises where that cannot be.
    """
    if not measured.outcome.finished:
        return measured.outcome
    try:
        return read(measured.folder, measured.outcome)
    except _NOT_AS_PROMISED as error:
        reason = f"its answer is not whole: {type(error).__name__}: {error}"
        return replace(
            measured.outcome, ending=Ending.GARBAGE, reason=reason, hint=None, code="failed"
        )


def _answer(folder: Path, outcome: Outcome) -> Answer:
    imported = event_of(outcome, "imported")
    loaded = event_of(outcome, "loaded")
    first = event_of(outcome, "first-inference")
    latency = outcome.all("latency")
    skipped = outcome.all("skipped")
    left_out = [event for event in skipped if event.get("what") != "end-to-end"]
    if not latency and not left_out:
        raise ValueError("no latency")
    settled = outcome.find("settled")
    pinned = outcome.find("pinned") or {"cores": None, "reason": None}
    clock = outcome.find("clock")
    resolution_ns, overhead_ns = (None, None) if clock is None else _clock(clock)
    return Answer(
        versions={str(name): str(version) for name, version in imported["versions"].items()},
        options={str(name): str(value) for name, value in loaded["options"].items()},
        import_ms=float(imported["ms"]),
        load_ms=float(loaded["ms"]),
        first_inference_ms=float(first["ms"]),
        process_to_first_ms=_since_launch(first, outcome.find("inputs")),
        baseline_mib=_mib(imported, "peak_bytes"),
        peak_mib=None if settled is None else _mib(settled, "peak_bytes"),
        timed={int(event["batch"]): read_timed(folder, event, parts=3) for event in latency},
        skipped=tuple(f"batch {event['batch']}: {event['reason']}" for event in left_out),
        accuracy=_checked_accuracy(outcome.find("accuracy")),
        gpu_ns={
            int(event["batch"]): _gpu_samples(folder, event)
            for event in latency
            if event.get("gpu_samples") is not None
        },
        gpu_mib=None if settled is None else gpu_mib(settled),
        process_ms=_optional_ms(outcome.find("started"), "since_launch_ms"),
        open_ms=_optional_ms(outcome.find("opened"), "ms"),
        end_to_end=read_from_pictures(folder, outcome.find("end-to-end")),
        end_to_end_reason=next(
            (str(event["reason"]) for event in skipped if event not in left_out), None
        ),
        cores=None if pinned["cores"] is None else tuple(int(core) for core in pinned["cores"]),
        cores_reason=None if pinned["reason"] is None else str(pinned["reason"]),
        resolution_ns=resolution_ns,
        overhead_ns=overhead_ns,
        baseline_pss_mib=_mib(imported, "proportional_bytes"),
        pss_mib=None if settled is None else _mib(settled, "proportional_bytes"),
        energy=read_energy(min(latency, key=lambda event: event["batch"], default=None)),
    )


def event_of(outcome: Outcome, name: str) -> Event:
    """Return the first event of a name.

    Raises:
        ValueError: There is none.
    """
    event = outcome.find(name)
    if event is None:
        raise ValueError(f"no {name}")
    return event


def _clock(event: Event) -> tuple[float, tuple[float, float, float]]:
    bind, execute, fetch = event["overhead_ns"]
    return float(event["resolution_ns"]), (float(bind), float(execute), float(fetch))


def _gpu_samples(folder: Path, event: Event) -> NDArray[np.int64]:
    name, samples = load_array(folder, event["gpu_samples"])
    if samples.dtype != np.int64 or samples.ndim != 1 or not len(samples) or samples.min() < 0:
        raise ValueError(f"{name} does not hold a GPU's times")
    return samples


def _checked_accuracy(event: Event | None) -> Event | None:
    if event is not None and not 0 <= event["correct"] <= event["n"] > 0:
        raise ValueError("the accuracy is none")
    return event


def _since_launch(event: Event, inputs: Event | None) -> float | None:
    """Return the time to the first result, without bookkeeping and the reading of test pictures."""
    if event["since_launch_ms"] is None:
        return None
    reading = 0.0 if inputs is None else float(inputs["ms"])
    return float(event["since_launch_ms"]) - float(event["observing_ms"]) - reading


def _optional_ms(event: Event | None, name: str) -> float | None:
    value = None if event is None else event.get(name)
    return None if value is None else float(value)


def _mib(event: Event, name: str) -> float | None:
    value = event["memory"].get(name)
    return None if value is None else float(value) / _MIB


def gpu_mib(event: Event) -> float | None:
    """Return the GPU's memory; where CPU and GPU share it, without what the process holds anyway.

    There the free memory is the machine's: it lacks what the process has grown by, too, which is in
    its resident memory already and counted there.
    """
    memory = event.get("gpu_memory")
    if memory is None:
        return None
    taken = float(memory["free_before_bytes"]) - float(memory["free_bytes"])
    if memory.get("shared"):
        before, now = memory.get("resident_before_bytes"), event["memory"].get("resident_bytes")
        if before is None or now is None:
            return None
        taken = max(0.0, taken - max(0.0, float(now) - float(before)))
    return taken / _MIB
