"""A learnable task of a few hundred pictures, for tests of training."""

from __future__ import annotations

import pytest
import torch

from edgenet.runner.preprocess import Preprocessing
from edgenet.training.pictures import Pictures

PREPROCESSING = Preprocessing(
    mode="L", height=12, width=12, resize="stretch", mean=(0.3,), std=(0.3,), pad=0, polarity=None
)


@pytest.fixture
def bars() -> Pictures:
    """Return 300 noisy pictures of 12×12 with a bright bar: class 0 lies, class 1 stands."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 120, (300, 1, 12, 12), generator=generator, dtype=torch.uint8)
    labels = torch.arange(300) % 2
    for number, place in enumerate(torch.randint(2, 10, (300,), generator=generator)):
        bar = (0, place) if labels[number] == 0 else (0, slice(None), place)
        images[number][bar] = 230
    return Pictures(images=images, labels=labels, preprocessing=PREPROCESSING)
