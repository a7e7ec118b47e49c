"""The loop that everybody writes first, to measure ours against.

torchvision's MNIST with ToTensor and Normalize for every sample, a DataLoader without workers,
batch 64 and AdamW: most of its time goes into Python around 28×28 pixels, not into the network.
"""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from edgenet.data import mnist
from edgenet.models import ModelSpec, build, variant
from edgenet.runner.timing import now_ns

BATCH = 64
EPOCH_PICTURES = 60_000
DEGREES_OF_SHEAR = 5.71  # the angle whose tangent is 0.1


def reference_epoch(
    model: str, folder: Path, *, affine: bool = False, pictures: int = EPOCH_PICTURES
) -> float:
    """Train the ordinary way, with torch's present number of threads, and return the seconds.

    Args:
        model: Name in the table of models.
        folder: Where :func:`unpack_for_torchvision` laid the files out.
        affine: Move every picture at random.
        pictures: How many of MNIST's 60,000 to train on, in whole batches but for the last of all.
    """
    steps: list[Any] = [
        transforms.ToTensor(),
        transforms.Normalize((mnist.FACTS.mean,), (mnist.FACTS.std,)),
    ]
    if pad := variant(model).pad:
        steps.insert(0, transforms.Pad(pad))
    if affine:
        steps.insert(0, transforms.RandomAffine(10, (0.07, 0.07), (0.9, 1.1), DEGREES_OF_SHEAR))
    data = datasets.MNIST(str(folder), train=True, transform=transforms.Compose(steps))
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    network = build(ModelSpec(name=model)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    begun = now_ns()
    for images, labels in itertools.islice(loader, -(-pictures // BATCH)):
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return (now_ns() - begun) / 1e9


def unpack_for_torchvision(folder: Path) -> None:
    """Lay the embedded files out as torchvision looks for them."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in mnist.FOLDER.glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
