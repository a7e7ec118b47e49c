"""The two constants by which every exported graph normalises raw pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.runner.preprocess import Preprocessing


def pixel_constants(rule: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return offset and scale, float32 [1, C, 1, 1] each, of (p − offset) · scale.

    That is (p/255 − mean)/std in two operations instead of three: the offset is 255·mean, the scale
    1/(255·std), both rounded once from float64.
    """
    mean, std = np.asarray(rule.mean, np.float64), np.asarray(rule.std, np.float64)
    offset, scale = 255 * mean, 1 / (255 * std)
    return (
        offset.astype(np.float32).reshape(1, -1, 1, 1),
        scale.astype(np.float32).reshape(1, -1, 1, 1),
    )
