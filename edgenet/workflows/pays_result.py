"""Whether a compressed bundle pays on this machine: the figures, and what they advise."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgenet.statistics import median_interval
from edgenet.verify.gate import Gate

_LEAST_CONFIDENCE = 0.9
"""Below it, with 4 rounds or fewer, the range of the ratios proves no difference."""


@dataclass(frozen=True, kw_only=True)
class Pays:
    """What a compressed bundle, the child, costs and saves against its parent on this machine.

    Every figure is the child's over the parent's: below 1 the child is the better one.

    Attributes:
        parent: What the parent is called: its precision, such as ``FP32``, where they differ in it.
        child: What the child is called, such as ``INT8``.
        parent_bytes: Length of the parent's model file on disk.
        child_bytes: Of the child's.
        machine: The processor, or the board.
        runtime: What ran both.
        versions: Of the runtime.
        options: What the runtime was told for the child that decides figures.
        threads: CPU threads.
        batch: Pictures a query.
        parent_p50_us: The parent's median latency in each round, microseconds a query.
        child_p50_us: The child's, likewise; empty where it could not be measured.
        steady: Every process's warm-up ended with two blocks of queries alike.
        gate: Whether the child is accurate enough, and how its accuracy changed; None where
            nobody asked.
        reason: Why there is no latency, or None.
    """

    parent: str
    child: str
    parent_bytes: int
    child_bytes: int
    machine: str
    runtime: str | None
    versions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    threads: int
    batch: int
    parent_p50_us: tuple[float, ...] = ()
    child_p50_us: tuple[float, ...] = ()
    steady: bool = True
    gate: Gate | None = None
    reason: str | None = None

    @property
    def measured(self) -> bool:
        """Whether there is a latency of both."""
        return self.reason is None

    @property
    def n(self) -> int:
        """Rounds: pairs of fresh processes."""
        return len(self.ratios)

    @property
    def ratios(self) -> tuple[float, ...]:
        """The child's median latency over the parent's in each round."""
        pairs = zip(self.child_p50_us, self.parent_p50_us, strict=True)
        return tuple(child / parent for child, parent in pairs)

    @property
    def size_ratio(self) -> float:
        """Bytes of the child's model file over those of the parent's."""
        return self.child_bytes / self.parent_bytes

    @property
    def latency_ratio(self) -> float | None:
        """Median of the ratios; None where nothing was measured."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """An interval of the median ratio that assumes no distribution.

        It lies between two of the ratios, :func:`edgenet.statistics.median_interval`: with 6 to 8
        rounds from the least to the greatest. Rounds of the same minute on the same machine are
        what it speaks of, not other days or other machines.
        """
        return median_interval(self.ratios)[:2] if self.ratios else None

    @property
    def confidence(self) -> float | None:
        """How often such an interval holds the median: 96.9 % with 6 rounds, 75 % with 3."""
        return median_interval(self.ratios)[2] if self.ratios else None

    @property
    def accuracy_change(self) -> float | None:
        """Accuracy of the child minus that of the parent on the validation split, as a share."""
        return None if self.gate is None else self.gate.validation.change

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """The paired 95 % interval of ``accuracy_change``."""
        return None if self.gate is None else self.gate.validation.interval

    @property
    def conditions(self) -> str:
        """Of what the latency is: machine, runtime, threads, batch."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        told = "".join(f", {name}={value}" for name, value in self.options.items())
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        runtime = f"{versions or self.runtime or 'no runtime'}{told}"
        return f"{self.machine}, {runtime}, {threads}, batch {self.batch}"

    @property
    def recommendation(self) -> str:
        """Return one sentence: what was found, and what to take."""
        return f"{self._finding()}: {self._advice()}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field and property name."""
        change = self.accuracy_interval
        interval = self.interval
        return {
            **vars(self),
            "versions": dict(self.versions),
            "options": dict(self.options),
            "parent_p50_us": list(self.parent_p50_us),
            "child_p50_us": list(self.child_p50_us),
            "gate": None if self.gate is None else self.gate.verdict,
            "n": self.n,
            "ratios": list(self.ratios),
            "size_ratio": self.size_ratio,
            "latency_ratio": self.latency_ratio,
            "latency_ratio_interval": None if interval is None else list(interval),
            "confidence": self.confidence,
            "accuracy_change": self.accuracy_change,
            "accuracy_change_interval_95": None if change is None else list(change),
            "conditions": self.conditions,
            "recommendation": self.recommendation,
        }

    @property
    def _slower(self) -> bool | None:
        """Whether the child takes longer; None where the rounds do not tell."""
        if self.interval is None or self.confidence is None or self.confidence < _LEAST_CONFIDENCE:
            return None
        low, high = self.interval
        return True if low > 1 else False if high < 1 else None

    def _finding(self) -> str:
        size = f"{100 * self.size_ratio:.0f} % of {self.parent}'s bytes"
        if self.latency_ratio is None or self.interval is None or self.confidence is None:
            return f"{self.child} was not timed here ({self.reason}); it has {size}"
        low, high = self.interval
        spread = f"{low:.2f} to {high:.2f}, {100 * self.confidence:.0f} % interval, n {self.n}"
        if self._slower is None:
            return (
                f"no difference in time between {self.child} and {self.parent} could be shown here "
                f"(ratio {self.latency_ratio:.2f}, {spread}); {self.child} has {size}"
            )
        return (
            f"{self.child} takes {self.latency_ratio:.2f} times as long as {self.parent} here "
            f"({spread}) and has {size}"
        )

    def _advice(self) -> str:
        child, parent = self.child, self.parent
        if self.gate is not None and not self.gate.passed:
            return f"keep {parent}, since {child} has not passed its accuracy gate"
        smaller = self.child_bytes < self.parent_bytes
        if not self.measured:
            return f"time it with `edgenet bench` before taking {child} for its speed"
        if self._slower is None:
            return f"take {child} where bytes count" if smaller else f"keep {parent}"
        if self._slower:
            where = f", take {child} where bytes count" if smaller else ""
            return f"keep {parent} on this machine{where}"
        return f"take {child}" if smaller else f"take {child}, and {parent} where bytes count"
