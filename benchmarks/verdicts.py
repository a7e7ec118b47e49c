"""How often a disturbed measurement is found INVALID, and how often a quiet one is.

Each measurement is one process as ``bench`` starts it: pinned, a warm-up, and one window of queries
of LeNet-5 at batch 1. In every second one a program that never rests (``yes``) is started in the
middle of the window and goes on to its end: in turn on the core that the process is pinned to,
where they share what is left of the window, and on another, where it takes only what both cores
share. The measurement knows nothing of it; its verdict is made of its samples and of the counters
that it read before and after. When the hog really started is taken from the clock of the window,
and only hogs that ran for 30 to 70 % of it count: a warm-up that did not settle moves it.

On a machine that does other work meanwhile, quiet measurements are INVALID with good reason; that
rate says something on an idle one only. The intervals are Wilson's, at 95 %.
Run it on an idle machine: ``python benchmarks/verdicts.py``; 200 measurements take 11 minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _recording import HERE, record

from edgenet.bench.answer import Measured, read_answer
from edgenet.bench.plan import Configuration
from edgenet.bench.rows import row_of
from edgenet.bench.verdict import Limits, judge
from edgenet.launch.local import run_job
from edgenet.launch.outcome import Event, Outcome
from edgenet.runner.affinity import choose
from edgenet.runner.bundle import open_bundle
from edgenet.runner.job import Job, Scenario
from edgenet.runner.timing import now_ns
from edgenet.statistics import wilson_interval
from edgenet.workflows import ExportArguments, export
from edgenet.workflows.runs import Run, environment

RUN = "default-lenet5-relu-seed0"
MARK = 0.95
PLACES = ("our core", "another core")
NOTHING = Limits(
    other_load_cores=-1.0,
    steal_cores=-1.0,
    waiting_share=-1.0,
    frequency_drop=-1.0,
    drift=-1.0,
)
"""Limits that are always passed, so that whatever was seen is told."""
_FEWEST = 221
_MIDDLE = (0.3, 0.7)


def main() -> None:
    """Measure quietly and beside a hog in turn, and record the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--number", type=int, default=100, help="of each kind")
    parser.add_argument("--window", type=float, default=2.0, help="seconds of queries")
    parser.add_argument("--warmup", type=float, default=0.3, help="seconds before them")
    parser.add_argument("--bundle", type=Path, help="what is measured; by default LeNet-5's")
    options = parser.parse_args()
    started = environment()
    bundle = options.bundle or lenet()
    scenario = Scenario(1, options.warmup, options.window, _FEWEST)
    measurements = []
    for number in range(options.number):
        kinds = ["quiet", PLACES[number % len(PLACES)]]
        for kind in kinds if number % 4 < 2 else reversed(kinds):
            measurements.append(measured(bundle, scenario, kind))
            print(f"{number + 1} {measurements[-1]}", flush=True)
    result = {
        "bundle": bundle.name,
        "window_s": options.window,
        "warmup_s": options.warmup,
        **summary(measurements),
        "mark": MARK,
        "measurements": measurements,
    }
    result["met"] = result["found"]["rate"] is not None and result["found"]["rate"] >= MARK
    record("verdicts", result, started=started)


def lenet() -> Path:
    """Return LeNet-5's bundle, exported where it is not yet."""
    run = Run(HERE / "runs" / "train" / RUN)
    bundle = run.bundles / "onnx-fp32"
    if not bundle.is_dir():
        export(ExportArguments(source=run.path))
    return bundle


def measured(bundle: Path, scenario: Scenario, kind: str) -> dict[str, Any]:
    """Measure once and return the verdict.

    Args:
        bundle: What is measured.
        scenario: Its only window.
        kind: ``quiet``, or where the hog runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        hog = Hog(kind, after_s=scenario.warmup_s + scenario.min_duration_s / 2)
        job = Job(
            bundle=bundle.resolve(),
            runtime="onnxruntime",
            output=place,
            latency=(scenario,),
            pin=True,
        )
        try:
            outcome = run_job(job, place / "job.json", on_event=hog.watch)
        finally:
            hog.end()
        configuration = Configuration(name="it", bundle=open_bundle(bundle), runtime="onnxruntime")
        measurement = Measured(folder=place, outcome=outcome)
        row = row_of(configuration, [measurement], threads=1)
        answer = read_answer(measurement)
    if row.verdict is None or isinstance(answer, Outcome):
        raise SystemExit(f"a measurement failed: {row.failure}")
    latency = row.latency[0]
    (event,) = outcome.all("latency")
    return {
        "kind": kind,
        "verdict": row.verdict.word,
        "codes": [reason.code for reason in row.verdict.reasons],
        "seen": [reason.detail for reason in judge([answer.timed[1].window], NOTHING).reasons],
        "hog_share": hog.share(event["host_before"]["at_ns"], event["host_after"]["at_ns"]),
        "p50_us": latency.p50_us,
        "p99_us": latency.p99_us,
        "n": latency.n,
    }


class Hog:
    """A program that never rests, started when the window should be half over.

    Args:
        kind: Where it runs; ``quiet`` starts none.
        after_s: So long after the warm-up's beginning it is started.
    """

    def __init__(self, kind: str, *, after_s: float) -> None:
        self._kind = kind
        self._timer = threading.Timer(after_s, self._start)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_ns: int | None = None

    def watch(self, event: Event) -> None:
        """Wait for the event right before the warm-up."""
        if event["event"] == "settled" and self._kind in PLACES:
            self._timer.start()

    def share(self, first_ns: int, last_ns: int) -> float | None:
        """Return for which share of a window it ran; None without one."""
        if self._started_ns is None:
            return None
        return (last_ns - max(self._started_ns, first_ns)) / (last_ns - first_ns)

    def end(self) -> None:
        """End it, and wait for its end."""
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        allowed = os.sched_getaffinity(0)
        ours = set(choose(allowed, 1) or allowed)
        self._process = subprocess.Popen(["yes"], stdout=subprocess.DEVNULL)
        cores = ours if self._kind == "our core" else allowed - ours or ours
        os.sched_setaffinity(self._process.pid, cores)
        self._started_ns = now_ns()


def summary(measurements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the rates of INVALID among those with a hog in mid-window, and among the quiet."""
    low, high = _MIDDLE
    hogs = [one for one in measurements if one["kind"] in PLACES]
    middle = [one for one in hogs if one["hog_share"] and low <= one["hog_share"] <= high]
    quiet = [one for one in measurements if one["kind"] == "quiet"]
    return {
        "found": rate(middle),
        **{place: rate([one for one in middle if one["kind"] == place]) for place in PLACES},
        "hogs not in mid-window": len(hogs) - len(middle),
        "quiet blamed": rate(quiet),
        "reasons beside a hog": reasons(middle),
        "reasons when quiet": reasons(quiet),
    }


def rate(measurements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the share of INVALID with its interval; None where there is none."""
    n = len(measurements)
    invalid = sum(one["verdict"] == "INVALID" for one in measurements)
    low, high = wilson_interval(invalid, n)
    share = invalid / n if n else None
    return {"invalid": invalid, "n": n, "rate": share, "low": low, "high": high}


def reasons(measurements: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Count the kinds of reasons."""
    return dict(Counter(code for one in measurements for code in one["codes"]))


if __name__ == "__main__":
    main()
