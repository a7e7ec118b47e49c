"""Test accuracy over seeds for models, recipes and data sets: mean, spread and 95 % interval.

Recipes were chosen on the validation split; the test split is only counted here. Every seed is a
run of its own, so an interrupted campaign goes on where it stopped when it is started again, and
rows trained by several processes or on several days are gathered by the last one.
``python benchmarks/accuracy.py --rows default/lenet5-relu comparison/mlp``
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _recording import HERE, RESULTS, record, revision

from edgenet.files import write_text
from edgenet.statistics import mean_interval
from edgenet.workflows import TrainArguments, resume, train
from edgenet.workflows.runs import Run, environment


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table: what to train, and what its mean accuracy must reach.

    Attributes:
        model: Name in the table of models.
        recipe: Name of a recipe.
        data: Name of a data set.
        training: Changes to the recipe.
        seeds: How many, from 0 up.
        mark: What the mean's 95 % interval must contain or exceed; None where nothing is asked.
    """

    model: str
    recipe: str = "default"
    data: str = "mnist"
    training: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    mark: float | None = None


COMPARED = ("mlp", "mlp-small", "lenet5", "lenet5-relu", "simple-cnn", "lenet-caffe", "cnn3")
"""The models of source document S0's comparison, and those of the other documents beside them."""

ROWS = {
    "default/lenet5-relu": Row(model="lenet5-relu", seeds=5, mark=0.994),
    "default/lenet5": Row(model="lenet5", seeds=5, mark=0.992),
    "default/simple-cnn": Row(model="simple-cnn", mark=0.995),
    "default/teacher": Row(model="teacher", mark=0.9965),
    "fashion/lenet5-relu": Row(model="lenet5-relu", data="fashion-mnist", seeds=5, mark=0.91),
    **{f"comparison/{model}": Row(model=model, recipe="comparison") for model in COMPARED},
    "d2l/lenet5-d2l": Row(model="lenet5-d2l", recipe="d2l", data="fashion-mnist"),
    "d2l/lenet5-d2l-lr0.9": Row(
        model="lenet5-d2l", recipe="d2l", data="fashion-mnist", training={"lr": 0.9}
    ),
    "regularised/lenet-caffe": Row(model="lenet-caffe", recipe="regularised"),
    "symmetric/cnn3": Row(model="cnn3", recipe="symmetric"),
}


def main() -> None:
    """Train what is missing and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--threads", type=int, default=0, help="0 chooses by a probe")
    parser.add_argument("--project", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    started = environment()
    table = recorded()
    for name in options.rows:
        members = [
            member(name, seed, threads=options.threads, project=options.project)
            for seed in range(ROWS[name].seeds)
        ]
        table[name] = summary(ROWS[name], members)
        print(f"{name}: {table[name]['mean']:.4%}", flush=True)
    ordered = {name: table[name] for name in ROWS if name in table}
    record("accuracy", {"rows": ordered}, started=started)


def recorded() -> dict[str, Any]:
    """Return the rows that were recorded before."""
    file = RESULTS / "accuracy.json"
    rows: dict[str, Any] = json.loads(file.read_text("utf-8"))["result"].get("rows", {})
    return rows


def member(name: str, seed: int, *, threads: int, project: Path) -> dict[str, Any]:
    """Train one seed, finish it, or read what it reached before."""
    row = ROWS[name]
    run = Run(project / "train" / f"{name.replace('/', '-')}-seed{seed}")
    kept = run.path / "member.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return found
    before, whole = _cpu_seconds(), not run.path.is_dir()
    if not whole and run.status()["state"] != "finished":
        resume(run.path)
    elif whole:
        train(
            TrainArguments(
                model=row.model,
                recipe=row.recipe,
                data=row.data,
                training={**row.training, "seed": seed},
                threads=threads,
                project=project,
                name=run.path.name,
            )
        )
    status = run.status()
    result = {
        "seed": seed,
        "validation_accuracy": status["validation_accuracy"],
        "test_accuracy": status["test_accuracy"],
        "parameters": status["parameters"],
        "epochs": status["epochs"],
        "seconds": status["seconds"],
        # Of a run that an earlier process began, nobody knows all of it.
        **({"cpu_seconds": _cpu_seconds() - before} if whole else {}),
        "threads": run.arguments()["threads"],
        "revision": revision(),
    }
    write_text(kept, json.dumps(result) + "\n")
    return result


def summary(row: Row, members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds with its interval, and whether the mark is met."""
    accuracies = [member["test_accuracy"] for member in members]
    taken = [member["cpu_seconds"] for member in members if "cpu_seconds" in member]
    low, high = mean_interval(accuracies)
    return {
        "model": row.model,
        "recipe": row.recipe,
        "data": row.data,
        "training": dict(row.training),
        "parameters": members[0]["parameters"],
        "n": len(members),
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies),
        "interval_95": [low, high],
        "mark": row.mark,
        "met": None if row.mark is None else high >= row.mark,
        "median_seconds": statistics.median(member["seconds"] for member in members),
        "median_cpu_seconds": statistics.median(taken) if taken else None,
        "seeds": members,
    }


def _cpu_seconds() -> float:
    """Return the seconds that the cores spent on this process: beside busy neighbours, its cost."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
