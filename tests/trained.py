"""A network that has learned something, trained in seconds, for tests of what a change costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgenet.data import load
from edgenet.data.idx import encode_header
from edgenet.workflows import TrainArguments, train


def write_mnist_part(folder: Path, *, train: int = 6000, test: int = 500) -> Path:
    """Write the first pictures of MNIST as four IDX files; return their folder."""
    folder.mkdir(parents=True)
    dataset = load("mnist")
    for part, split, count in (("train", dataset.train, train), ("t10k", dataset.test, test)):
        arrays = (("images-idx3", split.images[:count, 0]), ("labels-idx1", split.labels[:count]))
        for kind, array in arrays:
            content = encode_header(array.shape) + array.astype(np.uint8).tobytes()
            (folder / f"{part}-{kind}-ubyte").write_bytes(content)
    return folder


def train_on_mnist_part(folder: Path, *, model: str = "lenet5-relu", epochs: int = 2) -> Path:
    """Train a network on a part of MNIST in a few seconds; return its run.

    It gets some 97 % right, which is enough to see a fault cost accuracy.

    Args:
        folder: Gets the data and the run.
        model: Name in the table of models.
        epochs: Passes over 5,500 pictures.
    """
    arguments = TrainArguments(
        model=model,
        data=str(write_mnist_part(folder / "mnist-part")),
        training={"epochs": epochs},
        device="cpu",
        threads=1,
        project=folder / "runs",
    )
    return train(arguments).path
