"""The figures of one measurement, as a row holds them. Units end the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgenet.bench.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Tails:
    """Quantiles of a query's time in microseconds, over all queries of all processes.

    A quantile is None where there are too few queries to know it, and ``withheld`` says so.

    Attributes:
        p50_us: The median.
        p90_us: Exceeded by one query in 10; the headline of the single-stream scenario.
        p95_us: By one in 20.
        p99_us: By one in 100.
        p999_us: By one in 1,000.
        withheld: Why a quantile is None, by its name.
        intervals: 95 % intervals of the quantiles and of the throughput by their names, see
            `edgenet.statistics.bootstrap`; empty with one process, which says nothing of another.
    """

    p50_us: float
    p90_us: float | None
    p95_us: float | None
    p99_us: float | None
    p999_us: float | None
    withheld: Mapping[str, str] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Latency(Tails):
    """Single-stream latency at one batch size. A query is bind, execute and fetch.

    Attributes:
        batch: Pictures a query.
        n: Queries of all processes.
        bind_p50_us: Median of copying the input in.
        execute_p50_us: Median of the model alone.
        fetch_p50_us: Median of reading the output.
        process_p50_us: Median of each process.
        spread: Greatest of these over least, less one.
        images_per_s: Pictures of all queries over the time of all queries.
        steady: Every process's warm-up ended with two blocks of queries alike.
        verdict: Whether the figures are to be believed.
        gpu_p50_us: Median of the GPU's own time, between two events around the model; None where no
            GPU ran it, or its runtime does not tell.
    """

    batch: int
    n: int
    bind_p50_us: float
    execute_p50_us: float
    fetch_p50_us: float
    process_p50_us: tuple[float, ...]
    spread: float
    images_per_s: float
    steady: bool
    verdict: Verdict
    gpu_p50_us: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {**asdict(self), "verdict": self.verdict.to_json()}


@dataclass(frozen=True, kw_only=True)
class EndToEnd(Tails):
    """From encoded pictures in memory to their classes, one query at a time.

    Attributes:
        batch: Pictures a query.
        n: Queries of all processes.
        decode_p50_us: Median of decoding.
        resize_p50_us: Median of bringing to the network's mode and size.
        infer_p50_us: Median of bind, execute and fetch.
        argmax_p50_us: Median of finding the greatest logit.
        process_p50_us: Median of each process.
        spread: Greatest of these over least, less one.
        images_per_s: Pictures of all queries over the time of all queries.
        steady: Every process's warm-up ended with two blocks of queries alike.
        verdict: Whether the figures are to be believed.
        picture: What was decoded: ``encoding``, ``height``, ``width`` and ``bytes``, the median.
    """

    batch: int
    n: int
    decode_p50_us: float
    resize_p50_us: float
    infer_p50_us: float
    argmax_p50_us: float
    process_p50_us: tuple[float, ...]
    spread: float
    images_per_s: float
    steady: bool
    verdict: Verdict
    picture: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {**asdict(self), "verdict": self.verdict.to_json()}


@dataclass(frozen=True, kw_only=True)
class External:
    """What a program that times itself says of one batch size; not to be put beside `Latency`.

    Another clock, other inputs and other seams: a query here is what its GPU says of copying the
    input, computing and copying the output, without the host that asks for it.

    Attributes:
        timed_by: The program.
        batch: Pictures a query.
        n: Queries of all processes, without the warm-up.
        p50_us: Median of a query over all of them; microseconds.
        p90_us: Likewise, exceeded by one query in 10; None where there are too few to know it.
        p99_us: Likewise, exceeded by one query in 100; None where there are too few to know it.
        h2d_p50_us: Median of copying the input.
        compute_p50_us: Median of the network.
        d2h_p50_us: Median of copying the output.
        enqueue_p50_us: Median of the host's time to ask for it, which overlaps the others.
        process_p50_us: Median of each process.
        spread: Greatest of these over least, less one.
        images_per_s: The program's own figure, times the batch: median over the processes.
        agrees: What it printed and what it wrote have the same median, to 1 in 1,000.
        command: Of the first process, with every flag.
        modes: What was timed and how, by name, as the flags say it.
        warnings: The program's own, of all processes.
        withheld: Why a quantile is None, by its name.
    """

    timed_by: str
    batch: int
    n: int
    p50_us: float
    p90_us: float | None
    p99_us: float | None
    h2d_p50_us: float
    compute_p50_us: float
    d2h_p50_us: float
    enqueue_p50_us: float
    process_p50_us: tuple[float, ...]
    spread: float
    images_per_s: float
    agrees: bool
    command: tuple[str, ...]
    modes: dict[str, Any]
    warnings: tuple[str, ...]
    withheld: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """The file's answers against its parent's, picture by picture.

    Attributes:
        gained: Pictures that only the file gets right.
        lost: Pictures that only the parent gets right.
        differing: Pictures that the two put into different classes.
        change: Accuracy less the parent's.
        low: Lower end of Tango's 95 % interval of it.
        high: Upper end.
        p: McNemar's exact two-sided p of equal accuracies.
    """

    gained: int
    lost: int
    differing: int
    change: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 accuracy over the evaluation set, by the session that was timed.

    Attributes:
        correct: Pictures right.
        n: Pictures seen.
        accuracy: ``correct / n``.
        low: Lower end of Wilson's 95 % interval.
        high: Upper end.
        digest: Of the evaluation set.
        not_finite: Pictures with a logit that is no finite number.
        labels: The K classes; None with more than 100 of them, or where the answers of single
            pictures are not at hand.
        confusion: Counts [K, K], row = true class, column = answer; None likewise.
        parent: Against the parent network, or None.
        parent_reason: Why there is none.
    """

    correct: int
    n: int
    accuracy: float
    low: float
    high: float
    digest: str
    not_finite: int
    labels: tuple[str, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    parent: Change | None = None
    parent_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a process of the configuration did not finish.

    Attributes:
        ending: One of `edgenet.launch.outcome.Ending`.
        code: As `edgenet.errors` names it.
        reason: One sentence.
        hint: What to do about it, where that is known.
        processes: How many of the processes did not finish.
    """

    ending: str
    code: str
    reason: str
    hint: str | None
    processes: int
