"""Time from pictures on disk to 99 % on MNIST's test pictures, in epochs of the ordinary loop.

``lenet5-relu`` with the recipe ``sprint``: loading the data, building the network, the probe for
the number of threads, every step and the loop's own validation passes are inside the time, imports
are not. The recipe was chosen on the validation split with other seeds; a run ends after its
epochs, whatever it has reached, and the test pictures are counted after the clock has stopped.

The unit is one epoch of 60,000 pictures of the loop that everybody writes first (see
``train_speed.py``), its own loading excluded. Epochs of it and runs of ours alternate; a run's
ratio is to the mean of the epochs before and after it, so a machine that changes its speed changes
both. What a step's time is made of is measured at the end: where forward and backward have nearly
all of it, the network's own arithmetic is the limit, not Python, data or optimizer.
Run it on an idle machine: ``python benchmarks/time_to_99.py``
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from _recording import record, spread
from _reference import reference_epoch, unpack_for_torchvision

from edgenet.models import DEFAULT
from edgenet.progress import ignore
from edgenet.runner.timing import now_ns
from edgenet.training.epoch import CHUNK_IMAGES
from edgenet.training.loop import fit
from edgenet.training.losses import loss_of
from edgenet.training.optim import make_optimizer
from edgenet.training.pictures import Pictures, logits_of
from edgenet.training.reorder import pooling_before_relu
from edgenet.training.state import best_epoch
from edgenet.workflows import TrainArguments
from edgenet.workflows.runs import environment
from edgenet.workflows.train_session import Session

ACCURACY = 0.99
MARK = 1.2
PARTS = ("forward and loss", "backward", "optimizer")


def main() -> None:
    """Let reference epochs and our runs alternate, one run a seed, and record the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="from 0 up")
    parser.add_argument("--recipe", default="sprint", help="name of a recipe")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, default=0, help="ours; 0 chooses by a probe")
    options = parser.parse_args()
    started, default_threads = environment(), torch.get_num_threads()

    def arguments(seed: int) -> TrainArguments:
        epochs = {} if options.epochs is None else {"epochs": options.epochs}
        return TrainArguments(
            recipe=options.recipe, training={"seed": seed, **epochs}, threads=options.threads
        )

    Session.prepare(arguments(0), ignore)  # the imports
    with tempfile.TemporaryDirectory() as folder:
        unpack_for_torchvision(Path(folder))
        references, runs = [reference_epoch(DEFAULT, Path(folder))], []
        for seed in range(options.seeds):
            runs.append(run(arguments(seed)))
            torch.set_num_threads(default_threads)
            print(f"seed {seed}: {runs[-1]}", flush=True)
            references.append(reference_epoch(DEFAULT, Path(folder)))
            print(f"reference: {references[-2]:.2f} and {references[-1]:.2f} s", flush=True)
    result = {
        "model": DEFAULT,
        "recipe": arguments(0).to_config()["training"],
        "dtype": "float32",
        "cores": os.cpu_count(),
        "reference_threads": default_threads,
        "reference_s": references,
        **summary(references, runs),
        "step_us": step_us(arguments(0), runs[0]["threads"]),
        "seeds": runs,
    }
    record("time_to_99", result, started=started)


def run(arguments: TrainArguments) -> dict[str, Any]:
    """Train one seed and return its seconds and what it reached."""
    begun = now_ns()
    session = Session.prepare(arguments, ignore)
    prepared = now_ns()
    torch.set_num_threads(session.arguments.threads)
    state = fit(session.network, session.recipe, train=session.train, validation=session.validation)
    ended = now_ns()
    test = Pictures.of(session.dataset.test, session.train.preprocessing, session.device)
    correct = int((logits_of(session.network, test).argmax(1) == test.labels).sum())
    trained_s = sum(len(session.train) / record.images_per_s for record in state.records)
    return {
        "seed": session.recipe.seed,
        "threads": session.arguments.threads,
        "seconds": (ended - begun) / 1e9,
        "prepare_s": (prepared - begun) / 1e9,
        "train_s": trained_s,
        "validate_s": sum(record.seconds for record in state.records) - trained_s,
        "validation_accuracy": best_epoch(state.records).validation_accuracy,
        "test_correct": correct,
        "test_accuracy": correct / len(test),
    }


def summary(references: list[float], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ratios, the lowest accuracy and whether the marks are met."""
    ratios = [
        one["seconds"] / statistics.mean(around)
        for one, around in zip(runs, pairwise(references), strict=True)
    ]
    lowest = min(one["test_accuracy"] for one in runs)
    return {
        "ratio_to_reference_epoch": spread(ratios),
        "median_s": statistics.median(one["seconds"] for one in runs),
        "median_reference_s": statistics.median(references),
        "lowest_test_accuracy": lowest,
        "mark": {"accuracy": ACCURACY, "ratio": MARK},
        "met": lowest >= ACCURACY and statistics.median(ratios) <= MARK,
    }


def step_us(arguments: TrainArguments, threads: int, *, steps: int = 640) -> dict[str, float]:
    """Return the mean microseconds of each part of a training step, over ``steps`` or an epoch."""
    session = Session.prepare(arguments, ignore)
    network, recipe, train = session.network, session.recipe, session.train
    network.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network, recipe)
    steps = min(steps, len(train) // recipe.batch)
    spent: Counter[str] = Counter()
    torch.set_num_threads(threads)
    with pooling_before_relu(network):
        for rows in torch.randperm(len(train))[: steps * recipe.batch].split(CHUNK_IMAGES):
            begun = now_ns()
            chunk = train.inputs(rows).split(recipe.batch)
            spent["inputs"] += now_ns() - begun
            for inputs, labels in zip(chunk, train.labels[rows].split(recipe.batch), strict=True):
                optimizer.zero_grad(set_to_none=True)
                marks = [now_ns()]
                loss = loss_of(recipe, network(inputs), labels)
                marks.append(now_ns())
                loss.backward()
                marks.append(now_ns())
                optimizer.step()
                marks.append(now_ns())
                for part, (before, after) in zip(PARTS, pairwise(marks), strict=True):
                    spent[part] += after - before
    return {part: ns / steps / 1e3 for part, ns in spent.items()}


if __name__ == "__main__":
    main()
