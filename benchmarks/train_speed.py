"""Seconds an epoch of training takes, against the loop that everybody writes first.

The reference is torchvision's MNIST with ToTensor and Normalize for every sample, a DataLoader
without workers, batch 64 and AdamW: most of its time goes into Python around 28×28 pixels, not into
the network. Ours keeps the split as one tensor and prepares thousands of pictures at a time, so
what remains is the network's own arithmetic. The same network, optimizer, pictures, threads and
precision on both sides; ours also with a batch of 1,024, where the cost of a step's calls vanishes.

All configurations alternate within one run, one whole epoch of 60,000 pictures each. Ratios are
reference over ours, within one round. Run it on an idle machine: ``make benchmarks`` or
``python benchmarks/train_speed.py --rounds 5``.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _recording import record
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from edgenet.data import load, mnist
from edgenet.data.split import Split
from edgenet.models import ModelSpec, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.runner.timing import now_ns
from edgenet.training.loop import fit
from edgenet.training.pictures import Pictures
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.workflows.runs import environment

MEAN, STD = 0.1307, 0.3081
AFFINE = Augmentation(rotation_degrees=10, shift=0.07, scale=0.1, shear=0.1)
DEGREES_OF_SHEAR = 5.71  # the angle whose tangent is 0.1


def main() -> None:
    """Measure all configurations in turn and record the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each configuration")
    parser.add_argument("--model", default="lenet5-relu", help="name in the table of models")
    options = parser.parse_args()
    started = environment()
    with tempfile.TemporaryDirectory() as folder:
        unpack_for_torchvision(Path(folder))
        epochs = configurations(options.model, Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in epochs}
        for number in range(options.rounds):
            order = list(epochs) if number % 2 == 0 else list(reversed(epochs))
            for name in order:
                seconds[name].append(epochs[name]())
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", flush=True)
    record("train_speed", result(options.model, seconds), started=started)


def configurations(model: str, folder: Path) -> dict[str, Callable[[], float]]:
    """Return a function for every configuration that runs one epoch and returns its seconds."""
    pictures = whole_training_set()

    def ours(batch: int, augmentation: Augmentation) -> Callable[[], float]:
        return lambda: our_epoch(model, pictures, batch, augmentation)

    return {
        "reference, batch 64": lambda: reference_epoch(model, folder, affine=False),
        "ours, batch 64": ours(64, Augmentation()),
        "ours, batch 1024": ours(1024, Augmentation()),
        "reference with affine, batch 64": lambda: reference_epoch(model, folder, affine=True),
        "ours with affine, batch 64": ours(64, AFFINE),
        "ours with affine, batch 1024": ours(1024, AFFINE),
    }


def reference_epoch(model: str, folder: Path, *, affine: bool) -> float:
    """Train one epoch the ordinary way and return its seconds."""
    steps: list[Any] = [transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))]
    if affine:
        steps.insert(0, transforms.RandomAffine(10, (0.07, 0.07), (0.9, 1.1), DEGREES_OF_SHEAR))
    data = datasets.MNIST(str(folder), train=True, transform=transforms.Compose(steps))
    loader = DataLoader(data, batch_size=64, shuffle=True)
    network = build(ModelSpec(name=model)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    begun = now_ns()
    for images, labels in loader:
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return (now_ns() - begun) / 1e9


def our_epoch(model: str, pictures: Pictures, batch: int, augmentation: Augmentation) -> float:
    """Train one epoch with edgenet's loop and return its seconds, validation excluded."""
    recipe = Recipe(epochs=1, batch=batch, schedule="constant", augmentation=augmentation)
    few = dataclasses.replace(pictures, images=pictures.images[:64], labels=pictures.labels[:64])
    state = fit(build(ModelSpec(name=model)), recipe, train=pictures, validation=few)
    return len(pictures) / state.records[0].images_per_s


def whole_training_set() -> Pictures:
    """Return MNIST's 60,000 training pictures, as the reference has them."""
    data = load("mnist")
    train = Split(
        name="train",
        images=np.concatenate([data.train.images, data.validation.images]),
        labels=np.concatenate([data.train.labels, data.validation.labels]),
        class_names=data.train.class_names,
    )
    rule = Preprocessing(mode="L", height=28, width=28, resize="stretch", mean=(MEAN,), std=(STD,))
    return Pictures.of(train, rule, torch.device("cpu"))


def unpack_for_torchvision(folder: Path) -> None:
    """Lay the embedded files out as torchvision looks for them."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in mnist.FOLDER.glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))


def result(model: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians, spreads and ratios within rounds."""
    ratios = {}
    for ours, times in seconds.items():
        if ours.startswith("ours"):
            peer = "reference with affine, batch 64" if "affine" in ours else "reference, batch 64"
            each = [theirs / mine for theirs, mine in zip(seconds[peer], times, strict=True)]
            ratios[ours] = {
                "median": statistics.median(each),
                "lowest": min(each),
                "highest": max(each),
                "n": len(each),
            }
    return {
        "model": model,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "ratio_to_reference": ratios,
        "median_s": {name: statistics.median(times) for name, times in seconds.items()},
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
