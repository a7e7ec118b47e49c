"""The same map under every pooling of the table, side by side."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgenet.models.poolings import POOLINGS

Floats = NDArray[np.float32]

EXAMPLE: Floats = np.array(
    [[1, 3, 2, 4], [5, 6, 7, 8], [9, 2, 0, 1], [3, 4, 5, 6]], dtype=np.float32
)
"""A map of 4×4 whose poolings can be followed by eye."""

STOCHASTIC = "stochastic"
_SPOKEN = {"avg": "average", "lp": "L2"}


def pooled(values: Floats, window: int, *, seed: int = 0) -> dict[str, Floats]:
    """Pool a map [H, W] to [H // window, W // window] in every way, by the way's name.

    Stochastic pooling draws, as in training; it is for values that are not negative, and is left
    out where one is.

    Args:
        values: The map.
        window: Side of the square windows, which is also their stride.
        seed: Of the draw.
    """
    maps = torch.from_numpy(values)[None, None]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return {
            _SPOKEN.get(name, name): pool(window)(maps)[0, 0].numpy()
            for name, pool in POOLINGS.items()
            if name != STOCHASTIC or values.min() >= 0
        }


def global_average(values: Floats) -> Floats:
    """Return the mean of a map [H, W] as a map [1, 1].

    Source:
        Lin, Chen, Yan 2013, Network in network, arXiv:1312.4400, section 3.2.
    """
    mean: Floats = values.mean(keepdims=True)
    return mean
