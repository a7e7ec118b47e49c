"""Untrained checkpoints and random data to export them with: small, seeded, quick to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from edgenet.data import load
from edgenet.data.idx import encode_header
from edgenet.models import ModelSpec, OptionValue, build, variant
from edgenet.runner.preprocess import Preprocessing
from edgenet.training.checkpoint import Checkpoint, save


def write_random_data(folder: Path, *, side: int = 28, train: int = 120, test: int = 40) -> Path:
    """Write four IDX files of random pictures with labels 0 to 9; return their folder."""
    folder.mkdir(parents=True)
    draw = np.random.Generator(np.random.PCG64(3))
    for part, count in (("train", train), ("t10k", test)):
        images = draw.integers(0, 256, (count, side, side), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = encode_header(array.shape) + array.tobytes()
            (folder / f"{part}-{kind}-ubyte").write_bytes(content)
    return folder


def write_random_pictures(
    folder: Path, *, side: int = 64, classes: int = 3, each: int = 20
) -> Path:
    """Write a folder of class folders of random colour pictures; return it."""
    draw = np.random.Generator(np.random.PCG64(3))
    for name in range(classes):
        (folder / f"class{name}").mkdir(parents=True)
        for number in range(each):
            pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class{name}" / f"{number}.png")
    return folder


def write_checkpoint(
    path: Path,
    data: Path,
    *,
    model: str = "lenet5-relu",
    options: Mapping[str, OptionValue] | None = None,
) -> Path:
    """Write an untrained checkpoint of a network for the pictures in ``data``; return its path."""
    dataset = load(data)
    channels, height, width = dataset.train.images.shape[1:]
    labels = dataset.train.class_names
    spec = ModelSpec(
        name=model,
        options=options or {},
        in_channels=channels,
        image_size=(height, width),
        classes=len(labels),
    )
    checkpoint = Checkpoint(
        spec=spec,
        labels=labels,
        preprocessing=Preprocessing(
            mode="L" if channels == 1 else "RGB",
            height=height,
            width=width,
            resize="stretch",
            mean=dataset.mean,
            std=dataset.std,
            pad=variant(model).pad,
            polarity=dataset.polarity,
        ),
        data={"name": str(data), "test": dataset.test.digest},
        recipe={},
        weights=seeded(lambda: build(spec)).state_dict(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(checkpoint, path)
    return path


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network from seed 0, with batch statistics that are not those of a fresh one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 2)
                nn.init.normal_(module.bias)
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return network.eval()
