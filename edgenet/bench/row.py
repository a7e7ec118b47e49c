"""One row of a benchmark: the figures of one configuration. Units end the names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgenet.bench.figures import Accuracy, EndToEnd, External, Failure, Latency
from edgenet.bench.verdict import Reason, Verdict

__all__ = ["OWN_CLOCK", "Accuracy", "EndToEnd", "External", "Failure", "Latency", "Row"]

OWN_CLOCK = "edgenet"
"""What rows say that were timed by us."""


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
        gpu_mib: Median of the GPU's memory that the loaded model takes at the least batch size, if
            nothing else uses it; None where the runtime does not tell.
        timed_by: Whose clock: ``edgenet``, or the program that timed itself; rows of two clocks are
            never compared.
        external: What that program says, one entry a batch size; then ``latency`` is empty.
        process_ms: Median from the start of the process to the runner's first line: the
            interpreter, and NumPy.
        open_ms: Median of checking the bundle's hashes.
        end_to_end: From encoded pictures to classes, or None.
        end_to_end_reason: Why there is none.
        cores: Processors that the first process was pinned to; None where it was not.
        cores_reason: Why it was not.
        timer_resolution_ns: Least step of the clock, median over processes.
        bind_overhead_ns: What the loop and its clock add to this part, median over processes.
        execute_overhead_ns: Likewise.
        fetch_overhead_ns: Likewise.
        baseline_pss_mib: Median of what is held with the runtime loaded but no model, pages that
            other processes use, too, divided among them.
        pss_mib: Likewise after queries at the least batch size.
        energy_mj: Median of the energy of a picture at the least batch size, the idle power
            subtracted; None where no sensor tells it.
        energy_error_mj: Its standard uncertainty in one process.
        power_w: Median of the mean power meanwhile.
        idle_w: Median of the power before, with the model loaded and waiting.
        energy_sensors: What was counted; energies of different sensors are not comparable.
        energy_reason: Why there is no energy, or what is not in it.
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
    gpu_mib: float | None = None
    timed_by: str = OWN_CLOCK
    external: tuple[External, ...] = ()
    process_ms: float | None = None
    open_ms: float | None = None
    end_to_end: EndToEnd | None = None
    end_to_end_reason: str | None = None
    cores: tuple[int, ...] | None = None
    cores_reason: str | None = None
    timer_resolution_ns: float | None = None
    bind_overhead_ns: float | None = None
    execute_overhead_ns: float | None = None
    fetch_overhead_ns: float | None = None
    baseline_pss_mib: float | None = None
    pss_mib: float | None = None
    energy_mj: float | None = None
    energy_error_mj: float | None = None
    power_w: float | None = None
    idle_w: float | None = None
    energy_sensors: tuple[str, ...] = ()
    energy_reason: str | None = None

    @property
    def timed_by_us(self) -> bool:
        """Whether the figures are of our own clock."""
        return self.timed_by == OWN_CLOCK

    @property
    def verdict(self) -> Verdict | None:
        """Whether all figures of time are to be believed; None where there are none of ours."""
        if not self.latency:
            return None
        reasons = [
            Reason(code=reason.code, detail=f"batch {latency.batch}: {reason.detail}")
            for latency in self.latency
            for reason in latency.verdict.reasons
        ]
        if self.end_to_end:
            reasons += [
                Reason(code=reason.code, detail=f"end to end: {reason.detail}")
                for reason in self.end_to_end.verdict.reasons
            ]
        if self.failure:
            started = self.processes + self.failure.processes
            detail = f"{self.failure.processes} of {started} processes did not finish"
            reasons.append(Reason(code="failed-process", detail=detail))
        return Verdict(reasons=tuple(reasons))

    @property
    def offline(self) -> Latency | None:
        """The batch size of the greatest throughput; None where there is but one."""
        if len(self.latency) < 2:
            return None
        return max(self.latency, key=lambda latency: latency.images_per_s)

    def at(self, batch: int) -> Latency | None:
        """Return the latency at a batch size, or None."""
        return next((latency for latency in self.latency if latency.batch == batch), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the verdict and the offline throughput."""
        offline, verdict = self.offline, self.verdict
        best = offline and {"batch": offline.batch, "images_per_s": offline.images_per_s}
        return {
            **asdict(self),
            "latency": [latency.to_json() for latency in self.latency],
            "end_to_end": self.end_to_end and self.end_to_end.to_json(),
            "offline": best,
            "verdict": verdict and verdict.to_json(),
            "verdict_reason": None if verdict else self._why_not_judged(),
        }

    def _why_not_judged(self) -> str:
        if self.external:
            return f"{self.timed_by} times itself, and nobody watched the machine meanwhile"
        return "nothing was timed"
