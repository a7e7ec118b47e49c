"""A benchmark's results as a report needs them, from whatever version of them was written.

Results of older versions lack what was added since: such a field is None here, and what shows it
says so. The figures of a row stay under the names that they have in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OWN_CLOCK = "edgenet"
VALID, INVALID = "VALID", "INVALID"

Figures = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Whether a measurement is to be believed.

    Attributes:
        word: ``VALID``, ``INVALID``, or that nobody judged it: results older than verdicts, and
            what another program timed.
        reasons: Code and detail of each; none where it is valid.
    """

    word: str
    reasons: tuple[tuple[str, str], ...] = ()

    @property
    def valid(self) -> bool:
        """Nothing speaks against it."""
        return self.word != INVALID


NOT_JUDGED = Judged(word="not judged")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The figures of a configuration at one batch size, by our clock or by another program's.

    Attributes:
        batch: Pictures a query.
        figures: All of its numbers, by name.
        process_p50_us: Median of each process.
        verdict: Whether they are to be believed.
        reasons: Why a figure is None, by its name, where the result says so.
        intervals: Both ends of a figure's 95 % interval, by its name, where the result has it.
        notes: What is to be known beside the figures.
        command: Of a program that timed itself.
    """

    batch: int
    figures: Figures
    process_p50_us: tuple[float, ...]
    verdict: Judged = NOT_JUDGED
    reasons: Mapping[str, str] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def p50_us(self) -> float:
        """The median query, in microseconds."""
        return self.figures["p50_us"] or 0.0


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How often the network was right on the evaluation set.

    Attributes:
        correct: Pictures right.
        n: Pictures seen.
        accuracy: Share that is right.
        low: Lower end of its 95 % interval.
        high: Upper end.
        digest: Of the evaluation set.
        not_finite: Pictures with a logit that is no finite number.
        confusion: Counts [K][K], row = true class; None where the result has none.
        labels: The K classes, or None.
        change: Against the parent network: ``change``, ``low``, ``high``, ``gained``, ``lost``;
            empty where the result has none.
        change_reason: Why there is none, where the result says so.
    """

    correct: int
    n: int
    accuracy: float
    low: float
    high: float
    digest: str
    not_finite: int
    confusion: tuple[tuple[int, ...], ...] | None
    labels: tuple[str, ...] | None
    change: Figures
    change_reason: str | None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why processes of a configuration did not finish."""

    ending: str
    reason: str
    hint: str | None
    processes: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration.

    Attributes:
        name: Unlike that of any other.
        facts: What it was, as text by name: bundle, model, format, precision, runtime, device,
            model_sha256.
        versions: Of the runtime.
        options: What the runtime was told.
        figures: Its numbers by name, those of single batch sizes apart.
        reasons: Why a figure is None, by its name, where the result says so.
        timings: By ascending batch size.
        timed_by: Whose clock.
        accuracy: How often it was right, or None.
        end_to_end: From encoded pictures to classes, or None.
        cores: That its first process was pinned to; empty where it was not.
        energy_sensors: What its energy was counted by; empty where nothing told it.
        skipped: One sentence for each batch size that was not measured.
        failure: Why not all processes finished, or None.
    """

    name: str
    facts: Mapping[str, str]
    versions: Mapping[str, str]
    options: Mapping[str, str]
    figures: Figures
    reasons: Mapping[str, str]
    timings: tuple[Timing, ...]
    timed_by: str
    accuracy: Answers | None
    end_to_end: Timing | None
    cores: tuple[int, ...]
    energy_sensors: tuple[str, ...]
    skipped: tuple[str, ...]
    failure: Failed | None

    @property
    def timed_by_us(self) -> bool:
        """Whether its figures are of our own clock."""
        return self.timed_by == OWN_CLOCK

    @property
    def latency(self) -> tuple[Timing, ...]:
        """The figures by batch size that our own clock took."""
        return self.timings if self.timed_by_us else ()

    @property
    def size_bytes(self) -> float:
        """Length of the model's file."""
        return self.figures["size_bytes"] or 0

    def at(self, batch: int) -> Timing | None:
        """Return the figures at a batch size, or None."""
        return next((timing for timing in self.timings if timing.batch == batch), None)


@dataclass(frozen=True, kw_only=True)
class Document:
    """One benchmark.

    Attributes:
        rows: One a configuration.
        complete: Every process was run.
        environment: The machine and the versions.
        arguments: What was asked for.
        processes: What became of every process, in order.
        not_measured: Why a runtime that was asked for was not used, by its name.
        schema: Of the file.
    """

    rows: tuple[Row, ...]
    complete: bool
    environment: Mapping[str, Any]
    arguments: Mapping[str, Any]
    processes: tuple[Mapping[str, Any], ...]
    not_measured: Mapping[str, str]
    schema: str
    own: tuple[Row, ...] = field(init=False)
    others: tuple[Row, ...] = field(init=False)
    batches: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        own = tuple(row for row in self.rows if row.timed_by_us)
        object.__setattr__(self, "own", own)
        object.__setattr__(self, "others", tuple(row for row in self.rows if not row.timed_by_us))
        batches = {timing.batch for row in own for timing in row.timings}
        object.__setattr__(self, "batches", tuple(sorted(batches)))

    @property
    def least(self) -> int:
        """The least batch size that was measured by our clock; 1 where there is none."""
        return self.batches[0] if self.batches else 1
