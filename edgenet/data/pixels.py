"""What the training pictures' pixels are like: mean, standard deviation, polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenet.runner.preprocess import border_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1024
_SAMPLE = 2048
_CLEAR_MAJORITY = 0.95
_SMALLEST_STD = 1 / 255


def mean_and_std(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return each channel's mean and standard deviation of pixels in [0, 1].

    They are taken from counts of the 256 levels, so that neither order nor rounding matters. A
    deviation is at least one level, since it divides.

    Args:
        images: uint8 [N, C, H, W], N > 0.
    """
    counts = np.zeros((images.shape[1], 256), np.int64)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        for channel in range(len(counts)):
            counts[channel] += np.bincount(block[:, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, np.newaxis]) ** 2).sum(axis=1))
    std = np.maximum(std, _SMALLEST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())


def polarity_of(images: NDArray[np.uint8]) -> str | None:
    """Tell whether pictures are light on a dark ground, dark on a light one, or mixed (None).

    A polarity holds when at least 95 % of up to 2,048 pictures, evenly spaced, have its border.

    Args:
        images: uint8 [N, C, H, W], N > 0.
    """
    sample = np.linspace(0, len(images) - 1, min(len(images), _SAMPLE)).astype(np.int64)
    light = [border_level(images[index].transpose(1, 2, 0)) > 0.5 for index in sample]
    share = sum(light) / len(light)
    if share <= 1 - _CLEAR_MAJORITY:
        return "light-on-dark"
    return "dark-on-light" if share >= _CLEAR_MAJORITY else None
