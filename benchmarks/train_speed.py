"""Seconds an epoch of training takes, against the loop that everybody writes first.

The reference is torchvision's MNIST with ToTensor and Normalize for every sample, a DataLoader
without workers, batch 64 and AdamW: most of its time goes into Python around 28×28 pixels, not into
the network. Ours keeps the split as one tensor and prepares thousands of pictures at a time, so
what remains is the network's own arithmetic. The same network, optimizer, pictures, threads and
precision on both sides; ours also with a batch of 1,024, where the cost of a step's calls vanishes.
The more arithmetic a network has, the less there is to save.

All configurations of a model alternate within one run, one whole epoch of 60,000 pictures each, or
as many pictures as are asked for: the share of a slow network's time does not depend on how many.
Before the first round each runs once on 1,024 pictures, uncounted. Ratios are reference over ours,
within one round. Run it on an idle machine: ``make benchmarks`` or
``python benchmarks/train_speed.py --rounds 5``; for every model of the table
``python benchmarks/train_speed.py --models all --pictures 2048 --no-affine``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _recording import record, spread
from _reference import EPOCH_PICTURES, reference_epoch, unpack_for_torchvision

from edgenet.data import load
from edgenet.data.split import Split
from edgenet.models import DEFAULT, TABLE, ModelSpec, build, variant
from edgenet.runner.preprocess import Preprocessing
from edgenet.training.loop import fit
from edgenet.training.pictures import Pictures
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.workflows.runs import environment

AFFINE = Augmentation(rotation_degrees=10, shift=0.07, scale=0.1, shear=0.1)
LARGE_BATCH = 1024
ALL = "all"

Measure = Callable[[int], float]
"""Trains on so many pictures and returns the seconds."""


def main() -> None:
    """Measure all configurations in turn and record the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each configuration")
    parser.add_argument("--models", nargs="+", default=[DEFAULT], choices=[*TABLE, ALL])
    parser.add_argument("--pictures", type=int, default=EPOCH_PICTURES, help="of one run")
    parser.add_argument("--affine", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    if not LARGE_BATCH <= options.pictures <= EPOCH_PICTURES:
        parser.error(f"--pictures must be {LARGE_BATCH} to {EPOCH_PICTURES}")
    models = list(TABLE) if ALL in options.models else options.models
    started = environment()
    with tempfile.TemporaryDirectory() as folder:
        unpack_for_torchvision(Path(folder))
        rows = {}
        for model in models:
            measures = configurations(model, Path(folder), affine=options.affine)
            rows[model] = row(measured(model, measures, options.rounds, options.pictures))
    result = {
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "pictures": options.pictures,
        "models": rows,
    }
    record("train_speed" if models == [DEFAULT] else "train_speed_models", result, started=started)


def configurations(model: str, folder: Path, *, affine: bool) -> dict[str, Measure]:
    """Return every configuration by name."""
    training_set = whole_training_set(model)

    def reference(*, affine: bool) -> Measure:
        return lambda count: reference_epoch(model, folder, affine=affine, pictures=count)

    def ours(batch: int, augmentation: Augmentation) -> Measure:
        return lambda count: our_epoch(model, first(training_set, count), batch, augmentation)

    plain = {
        "reference, batch 64": reference(affine=False),
        "ours, batch 64": ours(64, Augmentation()),
        f"ours, batch {LARGE_BATCH}": ours(LARGE_BATCH, Augmentation()),
    }
    moved = {
        "reference with affine, batch 64": reference(affine=True),
        "ours with affine, batch 64": ours(64, AFFINE),
        f"ours with affine, batch {LARGE_BATCH}": ours(LARGE_BATCH, AFFINE),
    }
    return {**plain, **moved} if affine else plain


def measured(
    model: str, measures: dict[str, Measure], rounds: int, pictures: int
) -> dict[str, list[float]]:
    """Run the configurations in turn, in either order, and return the seconds of each."""
    for measure in measures.values():
        measure(LARGE_BATCH)
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        order = list(measures) if number % 2 == 0 else list(reversed(measures))
        for name in order:
            seconds[name].append(measures[name](pictures))
            print(f"{model}, round {number + 1}: {name}: {seconds[name][-1]:.2f} s", flush=True)
    return seconds


def our_epoch(model: str, pictures: Pictures, batch: int, augmentation: Augmentation) -> float:
    """Train one epoch with edgenet's loop and return its seconds, validation excluded."""
    recipe = Recipe(epochs=1, batch=batch, schedule="constant", augmentation=augmentation)
    state = fit(
        build(ModelSpec(name=model)), recipe, train=pictures, validation=first(pictures, 64)
    )
    return len(pictures) / state.records[0].images_per_s


def first(pictures: Pictures, count: int) -> Pictures:
    """Return the first ``count`` pictures."""
    return dataclasses.replace(
        pictures, images=pictures.images[:count], labels=pictures.labels[:count]
    )


def whole_training_set(model: str) -> Pictures:
    """Return MNIST's 60,000 training pictures, as the reference has them."""
    data = load("mnist")
    train = Split(
        name="train",
        images=np.concatenate([data.train.images, data.validation.images]),
        labels=np.concatenate([data.train.labels, data.validation.labels]),
        class_names=data.train.class_names,
    )
    rule = Preprocessing(
        mode="L",
        height=28,
        width=28,
        resize="stretch",
        mean=data.mean,
        std=data.std,
        pad=variant(model).pad,
    )
    return Pictures.of(train, rule, torch.device("cpu"))


def row(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return one model's medians, spreads and ratios within rounds."""
    ratios = {}
    for ours, times in seconds.items():
        if ours.startswith("ours"):
            peer = "reference with affine, batch 64" if "affine" in ours else "reference, batch 64"
            each = [theirs / mine for theirs, mine in zip(seconds[peer], times, strict=True)]
            ratios[ours] = spread(each)
    return {
        "ratio_to_reference": ratios,
        "median_s": {name: statistics.median(times) for name, times in seconds.items()},
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
