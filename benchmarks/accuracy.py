"""Test accuracy of the default recipes over seeds: mean, spread and 95 % interval.

The recipes were chosen on the validation split; the test split is only counted here. Every seed is
a run of its own, so an interrupted campaign goes on where it stopped when it is started again.
``python benchmarks/accuracy.py --models lenet5-relu lenet5 --seeds 5``
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from _recording import HERE, record

from edgenet.statistics import mean_interval
from edgenet.workflows import TrainArguments, resume, train
from edgenet.workflows.runs import Run, environment

MARKS = {"lenet5-relu": 0.993, "lenet5": 0.991}
"""What the mean's 95 % interval must contain or exceed."""


def main() -> None:
    """Train what is missing and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(MARKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 chooses by a probe")
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    started = environment()
    table = {}
    for model in options.models:
        members = [
            member(model, seed, threads=options.threads, project=options.project)
            for seed in range(options.seeds)
        ]
        table[model] = row(model, members)
        print(f"{model}: {table[model]['mean']:.4%}", flush=True)
    record("accuracy", {"models": table}, started=started)


def member(model: str, seed: int, *, threads: int, project: Path) -> dict[str, Any]:
    """Train one seed, finish it, or read what it reached before."""
    run = Run(project / "train" / f"{model}-seed{seed}")
    if run.path.is_dir() and run.status()["state"] != "finished":
        resume(run.path)
    elif not run.path.is_dir():
        train(
            TrainArguments(
                model=model,
                training={"seed": seed},
                threads=threads,
                project=project,
                name=run.path.name,
            )
        )
    status = run.status()
    return {
        "seed": seed,
        "validation_accuracy": status["validation_accuracy"],
        "test_accuracy": status["test_accuracy"],
        "epochs": status["epochs"],
        "seconds": status["seconds"],
        "threads": run.arguments()["threads"],
    }


def row(model: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds with its interval, and whether the mark is met."""
    accuracies = [member["test_accuracy"] for member in members]
    low, high = mean_interval(accuracies)
    mark = MARKS.get(model)
    return {
        "n": len(members),
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "interval_95": [low, high],
        "mark": mark,
        "met": None if mark is None else high >= mark,
        "median_seconds": statistics.median(member["seconds"] for member in members),
        "seeds": members,
    }


if __name__ == "__main__":
    main()
