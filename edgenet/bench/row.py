"""One row of a benchmark: the figures of one configuration. Units end the names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Single-stream latency at one batch size. A query is bind, execute and fetch.

    Attributes:
        batch: Pictures a query.
        n: Queries of all processes.
        p50_us: Median over all queries of all processes; microseconds a query.
        p90_us: Likewise, exceeded by one query in 10.
        p99_us: Likewise, exceeded by one query in 100.
        bind_p50_us: Median of copying the input in.
        execute_p50_us: Median of the model alone.
        fetch_p50_us: Median of reading the output.
        process_p50_us: Median of each process.
        spread: Greatest of these over least, less one.
        images_per_s: Pictures of all queries over the time of all queries.
        steady: Every process's warm-up ended with two blocks of queries alike.
    """

    batch: int
    n: int
    p50_us: float
    p90_us: float
    p99_us: float
    bind_p50_us: float
    execute_p50_us: float
    fetch_p50_us: float
    process_p50_us: tuple[float, ...]
    spread: float
    images_per_s: float
    steady: bool


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
    """

    correct: int
    n: int
    accuracy: float
    low: float
    high: float
    digest: str
    not_finite: int


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


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one configuration. Those that no process gave are None or empty.

    Attributes:
        name: Of the configuration.
        bundle: Folder of the bundle.
        model: What people call it.
        format: Of the bundle.
        precision: Of the bundle.
        runtime: What ran it.
        versions: Of the runtime.
        options: What the runtime was told that decides figures, such as to be exact in INT8.
        threads: CPU threads.
        device: What it ran on.
        model_sha256: Of the model file.
        size_bytes: Of the model file on disk.
        processes: Processes that finished.
        latency: One entry a batch size, ascending.
        skipped: One sentence for each batch size that the bundle does not take.
        import_ms: Median over processes of loading the runtime's library.
        load_ms: Median of loading the model, its file having been read for the hash check.
        first_inference_ms: Median of the first query.
        process_to_first_ms: Median of all from the start of the process to the first result,
            without what the runner itself spends on bookkeeping.
        baseline_mib: Median of the peak memory with the runtime loaded but no model.
        peak_mib: Median of the peak memory after queries at the least batch size.
        accuracy: Over the evaluation set, or None.
        accuracy_reason: Why there is none.
        failure: Why not all processes finished, or None.
    """

    name: str
    bundle: str
    model: str
    format: str
    precision: str
    runtime: str
    versions: dict[str, str]
    options: dict[str, str]
    threads: int
    device: str
    model_sha256: str
    size_bytes: int
    processes: int
    latency: tuple[Latency, ...]
    skipped: tuple[str, ...]
    import_ms: float | None
    load_ms: float | None
    first_inference_ms: float | None
    process_to_first_ms: float | None
    baseline_mib: float | None
    peak_mib: float | None
    accuracy: Accuracy | None
    accuracy_reason: str | None
    failure: Failure | None

    def at(self, batch: int) -> Latency | None:
        """Return the latency at a batch size, or None."""
        return next((latency for latency in self.latency if latency.batch == batch), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return asdict(self)
