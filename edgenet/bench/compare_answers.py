"""The answers of two bundles to the same pictures, paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.answer import load_array
from edgenet.errors import EdgenetError
from edgenet.runner.inputs import open_evaluation_set
from edgenet.verify.gate import PairedComparison


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What one process answered to an evaluation set.

    Attributes:
        folder: Of the process's arrays.
        event: Its ``accuracy`` event.
    """

    folder: Path
    event: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Of the evaluation set."""
        return str(self.event["digest"])


def paired_answers(
    a: Answered | None, b: Answered | None, evaluation_set: Path
) -> PairedComparison | str:
    """Count the pairs of answers, or say why they cannot be counted.

    Args:
        a: A's answers, in the parent's place; None where there are none.
        b: B's.
        evaluation_set: Whose labels both were compared with.
    """
    if a is None or b is None:
        return f"{'A' if a is None else 'B'} has no answers to test pictures"
    if a.digest != b.digest:
        return "the two were evaluated on different pictures"
    try:
        labels = np.asarray(open_evaluation_set(evaluation_set).labels)
        before, of_a = _answers(a, labels)
        after, of_b = _answers(b, labels)
    except EdgenetError as error:
        return error.message
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"the answers to single pictures are not at hand: {error}"
    classes = max(of_a, of_b, int(labels.max()) + 1)
    return PairedComparison.of(labels, before, after, [str(number) for number in range(classes)])


def _answers(one: Answered, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the classes [N] that were chosen, and of how many.

    Raises:
        ValueError: They are not those that the process counted.
    """
    name, logits = load_array(one.folder, one.event["logits"])
    if logits.ndim != 2 or len(logits) != len(labels):
        raise ValueError(f"{name} does not answer the evaluation set")
    chosen: NDArray[np.int64] = logits.argmax(axis=1).astype(np.int64)
    if int((chosen == labels).sum()) != one.event["correct"]:
        raise ValueError(f"{name} does not hold the answers that were counted")
    return chosen, logits.shape[1]
