"""From logits to decisions, in one place, so that all who compare them count alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def decisions(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of the largest logit for each picture.

    Args:
        logits: float32 [N, K].

    Returns:
        int64 [N]; -1, which equals no class, where a logit is not a finite number.
    """
    finite = np.isfinite(logits).all(axis=1)
    classes: NDArray[np.int64] = np.where(finite, logits.argmax(axis=1), -1).astype(np.int64)
    return classes
