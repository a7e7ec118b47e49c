"""The answer of one measurement process, read whole or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.launch.outcome import Ending, Event, Outcome

_MIB = 1 << 20
# What taking apart nonsense can raise: a list for an object, an empty file for an array.
_NOT_AS_PROMISED = (AttributeError, EOFError, LookupError, OSError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of one process, and where its arrays lie."""

    folder: Path
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
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
        samples: By batch size int64 [n, 3] nanoseconds of bind, execute and fetch.
        steady: By batch size, whether the warm-up became steady.
        skipped: One sentence for each batch size that was not measured.
        accuracy: The ``accuracy`` event, or None.
    """

    versions: dict[str, str]
    options: dict[str, str]
    import_ms: float
    load_ms: float
    first_inference_ms: float
    process_to_first_ms: float | None
    baseline_mib: float | None
    peak_mib: float | None
    samples: Mapping[int, NDArray[np.int64]]
    steady: Mapping[int, bool]
    skipped: tuple[str, ...]
    accuracy: Event | None


def read_answer(measured: Measured) -> Answer | Outcome:
    """Read the figures of a process; where there are none, return the outcome that says why.

    A process that says it finished, but whose answer lacks something, did not finish.
    """
    if not measured.outcome.finished:
        return measured.outcome
    try:
        return _answer(measured.folder, measured.outcome)
    except _NOT_AS_PROMISED as error:
        reason = f"its answer is not whole: {type(error).__name__}: {error}"
        return replace(
            measured.outcome, ending=Ending.GARBAGE, reason=reason, hint=None, code="failed"
        )


def _answer(folder: Path, outcome: Outcome) -> Answer:
    imported = _event(outcome, "imported")
    loaded = _event(outcome, "loaded")
    first = _event(outcome, "first-inference")
    latency = outcome.all("latency")
    skipped = outcome.all("skipped")
    if not latency and not skipped:
        raise ValueError("no latency")
    settled = outcome.find("settled")
    return Answer(
        versions={str(name): str(version) for name, version in imported["versions"].items()},
        options={str(name): str(value) for name, value in loaded["options"].items()},
        import_ms=float(imported["ms"]),
        load_ms=float(loaded["ms"]),
        first_inference_ms=float(first["ms"]),
        process_to_first_ms=_since_launch(first),
        baseline_mib=_peak_mib(imported),
        peak_mib=None if settled is None else _peak_mib(settled),
        samples={int(event["batch"]): _samples(folder, event) for event in latency},
        steady={int(event["batch"]): bool(event["steady"]) for event in latency},
        skipped=tuple(f"batch {event['batch']}: {event['reason']}" for event in skipped),
        accuracy=_checked_accuracy(outcome.find("accuracy")),
    )


def _event(outcome: Outcome, name: str) -> Event:
    event = outcome.find(name)
    if event is None:
        raise ValueError(f"no {name}")
    return event


def _samples(folder: Path, event: Event) -> NDArray[np.int64]:
    name = Path(str(event["samples"])).name  # a plain name: never outside of the folder
    samples: NDArray[Any] = np.load(folder / name, allow_pickle=False)
    if samples.dtype != np.int64 or samples.ndim != 2 or samples.shape[1] != 3 or not len(samples):
        raise ValueError(f"{name} does not hold samples")
    if samples.min() < 0 or not np.median(samples.sum(axis=1)) > 0:
        raise ValueError(f"{name} holds queries that took no time")
    return samples


def _checked_accuracy(event: Event | None) -> Event | None:
    if event is not None and not 0 <= event["correct"] <= event["n"] > 0:
        raise ValueError("the accuracy is none")
    return event


def _since_launch(event: Event) -> float | None:
    if event["since_launch_ms"] is None:
        return None
    return float(event["since_launch_ms"]) - float(event["observing_ms"])


def _peak_mib(event: Event) -> float | None:
    peak = event["memory"]["peak_bytes"]
    return None if peak is None else float(peak) / _MIB
