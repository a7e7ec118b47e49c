"""How often ``edgenet compare`` errs: 100 pairs of equal bundles, and 100 with 5 % between them.

A compiler that puts code elsewhere, a page that lies elsewhere: a process is faster or slower than
the next by a hundredth, for as long as it lives, whatever it runs. A clock that rises, a neighbour
on the machine: the whole machine is slower for seconds. Either is taken for a slower network by
whoever times one process of each, or all of A and then all of B. ``compare`` lets fresh processes
take turns and decides by the median of the ratios of neighbours (see `edgenet.bench.compare`).

Here both answers are known. *Equal* pairs are two copies of one bundle: whatever is told apart is a
false alarm. The interval of 12 rounds leaves out what it should hold in 3.9 %, and a difference up
to a hundredth counts as none (`edgenet.bench.compare.NEGLIGIBLE`). *Slowed* pairs are a bundle and
a copy whose queries spin for 5 % of their time at their end, the same code with another number (see
``_slowed_onnxruntime.py``): whatever is not found slower is missed. How much of the delay arrives
is told by the ratios that were measured.
Both kinds alternate, so that no hour of the machine is that of one kind alone. Verdicts are counted
and change nothing: an INVALID pair that is told apart is a false alarm, too.

Beside it stands what the same decision does with made-up noise (``--simulate`` does only that):
processes that differ by 1 %, a machine that drifts, and one process in 20 or in 10 that is slower
by a tenth or more on the average.

On an idle machine of 2 cores a pair takes about 12 s, all 200 about 40 minutes. What was measured
is kept in ``--keep`` after every pair, and another call goes on from there.
``python benchmarks/compare_pairs.py --pairs 100 --threads 1``
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _recording import HERE, record
from _slowed_onnxruntime import DELAY, SLOWED

from edgenet.bench.compare import paired_ratio
from edgenet.runner.bundle import open_bundle
from edgenet.runner.timing import now_ns
from edgenet.statistics import wilson_interval
from edgenet.workflows import CompareArguments, ExportArguments, compare, export
from edgenet.workflows.compare_arguments import ROUNDS
from edgenet.workflows.runs import Run, environment

RUN = "default-lenet5-relu-seed0"
EQUAL = "equal"
KINDS = (EQUAL, SLOWED)
MOST_FALSE_ALARMS, FEWEST_FOUND = 0.05, 0.95
SIMULATED = 4000
NOISE = {
    "quiet": {"process": 0.01, "walk": 0.0, "drift": 0.0, "slow": 0.0, "by": 0.1},
    "usual": {"process": 0.01, "walk": 0.005, "drift": 0.05, "slow": 0.05, "by": 0.1},
    "rough": {"process": 0.02, "walk": 0.01, "drift": 0.1, "slow": 0.1, "by": 0.2},
}
"""Standard deviations of processes and of a step from one to the next, the drift over all of them,
the share of slowed processes and by how much on the average; all of the logarithm of the time."""


def main() -> None:
    """Measure the pairs that are missing and record all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100, help="of each kind")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bundle", type=Path, help="an ONNX bundle; by default LeNet-5's")
    parser.add_argument("--keep", type=Path, default=HERE / "runs" / "compare-pairs.jsonl")
    parser.add_argument("--simulate", action="store_true", help="and measure nothing")
    options = parser.parse_args()
    if options.simulate:
        print(json.dumps(simulated(ROUNDS)))
        return
    started = environment()
    bundle = options.bundle or lenet()
    conditions = {
        "model_sha256": open_bundle(bundle).manifest.files["model.onnx"].sha256,
        "threads": options.threads,
        "rounds": ROUNDS,
    }
    pairs = kept(options.keep, conditions)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        interpreter = slowed_python(place)
        for name in ("first", EQUAL, SLOWED):
            shutil.copytree(bundle, place / name)
        for kind, number in missing(pairs, options.pairs):
            arguments = CompareArguments(
                a=place / "first",
                b=place / kind,
                threads=options.threads,
                accuracy=False,
                interpreter=interpreter,
            )
            pair = {"kind": kind, "number": number, **conditions, **measured(arguments)}
            with options.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(pair) + "\n")
            pairs.append(pair)
            print(f"{kind} {number + 1}: {pair['finding']} {pair['ratio']:.4f}", flush=True)
    record("compare_pairs", summary(pairs, conditions), started=started)


def lenet() -> Path:
    """Return LeNet-5's bundle, exported where it is not yet."""
    run = Run(HERE / "runs" / "train" / RUN)
    bundle = run.bundles / "onnx-fp32"
    if not bundle.is_dir():
        export(ExportArguments(source=run.path))
    return bundle


def slowed_python(folder: Path) -> Path:
    """Write a program that is called as Python is, and runs ``_slowed_python.py``."""
    program = folder / "python"
    script = HERE.resolve() / "_slowed_python.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n', "utf-8")
    program.chmod(0o755)
    return program


def kept(file: Path, conditions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pairs that were measured before, under the same conditions."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        return []
    pairs = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    if any({name: pair[name] for name in conditions} != conditions for pair in pairs):
        raise SystemExit(f"{file} has pairs of other conditions: name another file with --keep")
    return pairs


def missing(pairs: list[dict[str, Any]], wanted: int) -> Iterator[tuple[str, int]]:
    """Yield kind and number of each pair that is to be measured, the kinds in turn."""
    there = {(pair["kind"], pair["number"]) for pair in pairs}
    for number in range(wanted):
        for kind in KINDS:
            if (kind, number) not in there:
                yield kind, number


def measured(arguments: CompareArguments) -> dict[str, Any]:
    """Compare one pair."""
    begun = now_ns()
    result = compare(arguments)
    (times,) = result.times
    return {
        "seconds": (now_ns() - begun) / 1e9,
        "ratio": times.p50.value,
        "low": times.p50.low,
        "high": times.p50.high,
        "finding": times.p50.finding,
        "invalid": list(times.invalid),
        "a_p50_us": list(times.a_p50_us),
        "b_p50_us": list(times.b_p50_us),
    }


def summary(pairs: list[dict[str, Any]], conditions: dict[str, Any]) -> dict[str, Any]:
    """Return how often the decision was wrong, with intervals, and the pairs themselves."""
    equal, slowed = ([pair for pair in pairs if pair["kind"] == kind] for kind in KINDS)
    alarms = [pair for pair in equal if pair["finding"] != "not told apart"]
    found = [pair for pair in slowed if pair["finding"] == "slower"]
    return {
        **conditions,
        "delay": DELAY,
        "equal": {
            "n": len(equal),
            "false_alarms": len(alarms),
            "share_interval_95": list(wilson_interval(len(alarms), len(equal))),
            **figures(equal),
        },
        "slowed": {
            "n": len(slowed),
            "found": len(found),
            "share_interval_95": list(wilson_interval(len(found), len(slowed))),
            **figures(slowed),
        },
        "met": len(alarms) <= MOST_FALSE_ALARMS * len(equal)
        and len(found) >= FEWEST_FOUND * len(slowed),
        "seconds_a_pair": statistics.median(pair["seconds"] for pair in pairs),
        "simulated": simulated(conditions["rounds"]),
        "pairs": pairs,
    }


def figures(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ratios of one kind, how wide their intervals are, and how many are INVALID."""
    ratios = [pair["ratio"] for pair in pairs]
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
        "interval_width_median": statistics.median(pair["high"] - pair["low"] for pair in pairs),
        "intervals_without_one": sum(not pair["low"] <= 1 <= pair["high"] for pair in pairs),
        "invalid": sum(bool(pair["invalid"]) for pair in pairs),
    }


def simulated(rounds: int) -> dict[str, dict[str, float]]:
    """Return how often the decision errs with made-up noise, by its name."""
    rates = {}
    for name, noise in NOISE.items():
        generator = np.random.default_rng(0)
        findings: dict[float, list[str]] = {0.0: [], DELAY: []}
        for _ in range(SIMULATED):
            times = made_up(generator, rounds, **noise)
            for delay, said in findings.items():
                said.append(paired_ratio(times[0], times[1] * (1 + delay)).finding)
        rates[name] = {
            **noise,
            "n": SIMULATED,
            "false_alarms": 1 - findings[0.0].count("not told apart") / SIMULATED,
            "found": findings[DELAY].count("slower") / SIMULATED,
        }
    return rates


def made_up(
    generator: np.random.Generator,
    rounds: int,
    *,
    process: float,
    walk: float,
    drift: float,
    slow: float,
    by: float,
) -> Any:
    """Return times [2, rounds] of A and B, equal but for the noise of processes that take turns."""
    n = 2 * rounds
    times = generator.normal(0, process, n) + np.cumsum(generator.normal(0, walk, n))
    times += np.linspace(0, drift, n)
    times += (generator.random(n) < slow) * generator.exponential(by, n)
    pairs = np.exp(times.reshape(rounds, 2))
    pairs[1::2] = pairs[1::2, ::-1]  # every second round begins with B
    return pairs.T


if __name__ == "__main__":
    main()
