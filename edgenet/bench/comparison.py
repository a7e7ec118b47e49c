"""Two configurations beside each other: what both are, and B's figures over A's."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgenet.bench.compare import Ratio
from edgenet.verify.gate import PairedComparison


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        source: What was named: a bundle, or a result and its configuration.
        model: What people call it.
        format: Of the bundle.
        precision: Of the bundle.
        runtime: What ran it.
        versions: Of the runtime.
        options: What the runtime was told that decides figures.
        threads: CPU threads.
        device: What it ran on.
        machine: The processor or the board, with its cores.
        timed_by: Whose clock.
        model_sha256: Of the model file.
        size_bytes: Of the model file on disk.
        peak_mib: Median over processes of the peak memory after queries; None where unknown.
        baseline_mib: The same with the runtime loaded but no model.
        correct: Pictures right of the evaluation set, or None.
        pictures: Pictures of it, or None.
        name: Of the configuration in its result; None of a bundle that was measured now.
    """

    source: str
    model: str
    format: str
    precision: str
    runtime: str
    versions: Mapping[str, str]
    options: Mapping[str, str]
    threads: int
    device: str
    machine: str
    timed_by: str
    model_sha256: str
    size_bytes: int
    peak_mib: float | None
    baseline_mib: float | None
    correct: int | None = None
    pictures: int | None = None
    name: str | None = None

    @property
    def accuracy(self) -> float | None:
        """Share of the evaluation set that is right, or None."""
        return None if self.correct is None or not self.pictures else self.correct / self.pictures

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            **vars(self),
            "versions": dict(self.versions),
            "options": dict(self.options),
            "accuracy": self.accuracy,
        }


@dataclass(frozen=True, kw_only=True)
class Times:
    """Both at one batch size.

    Attributes:
        batch: Pictures a query.
        a_p50_us: A's median query in each process, microseconds.
        b_p50_us: B's.
        p50: The ratio of these; what is decided on.
        a_p90_us: The time that one query in 10 of a process exceeds; empty where unknown.
        b_p90_us: B's.
        p90: The ratio of these; shown, and nothing is decided on it; None where unknown.
        invalid: Why the figures are not to be believed; empty where they are.
        remarks: What was seen in single rounds, and is too little to spoil the whole.
        judged: The machine was watched while both were measured.
    """

    batch: int
    a_p50_us: tuple[float, ...]
    b_p50_us: tuple[float, ...]
    p50: Ratio
    a_p90_us: tuple[float, ...] = ()
    b_p90_us: tuple[float, ...] = ()
    p90: Ratio | None = None
    invalid: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    judged: bool = True

    @property
    def verdict(self) -> str | None:
        """``VALID``, ``INVALID``, or None where nobody judged one of the two."""
        if self.invalid:
            return "INVALID"
        return "VALID" if self.judged else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the verdict and the medians over processes."""
        return {
            **vars(self),
            **{name: list(getattr(self, name)) for name in _TUPLES},
            "a_median_us": statistics.median(self.a_p50_us),
            "b_median_us": statistics.median(self.b_p50_us),
            "p50": self.p50.to_json(),
            "p90": self.p90 and self.p90.to_json(),
            "verdict": self.verdict,
        }


_TUPLES = ("a_p50_us", "b_p50_us", "a_p90_us", "b_p90_us", "invalid", "remarks")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """B against A.

    Attributes:
        a: What was there before.
        b: What is to be judged.
        times: One entry a batch size, ascending; empty where they are not compared.
        answers: Both on the same pictures, A in the parent's place; None where that is unknown.
        answers_reason: Why it is.
    """

    a: Side
    b: Side
    times: tuple[Times, ...]
    answers: PairedComparison | None = None
    answers_reason: str | None = None

    @property
    def size_ratio(self) -> float:
        """Bytes of B's model file over those of A's."""
        return self.b.size_bytes / self.a.size_bytes

    @property
    def peak_mib_change(self) -> float | None:
        """B's peak memory less A's, or None."""
        return _difference(self.a.peak_mib, self.b.peak_mib)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field and property name."""
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "times": [one.to_json() for one in self.times],
            "size_ratio": self.size_ratio,
            "peak_mib_change": self.peak_mib_change,
            "accuracy": None if self.answers is None else _answers(self.answers),
            "accuracy_reason": self.answers_reason,
        }


UNKNOWN_MACHINE = "an unknown machine"
"""Of a result that does not tell its machine: no two of them are the same."""


def machine_of(host: Mapping[str, Any]) -> str:
    """Return a machine in a few words: by these two results are of one machine, or not.

    Args:
        host: As `edgenet.runner.host.describe` tells it.
    """
    cpu = host.get("cpu")
    facts: Mapping[str, Any] = cpu if isinstance(cpu, Mapping) else {}
    name = host.get("board") or facts.get("model") or host.get("machine") or UNKNOWN_MACHINE
    cores = facts.get("logical_cores")
    return f"{name}, {cores} cores" if cores else str(name)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _answers(compared: PairedComparison) -> dict[str, Any]:
    """Return the paired change of accuracy under the names of this comparison."""
    return {
        "n": compared.n,
        "only_a_right": compared.only_parent_right,
        "only_b_right": compared.only_child_right,
        "equal_decisions": compared.equal_decisions,
        "change": compared.change,
        "change_interval_95": list(compared.interval),
        "mcnemar_p": compared.p,
    }
