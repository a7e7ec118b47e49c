"""How often a measured file is right, and whether that is what its parent is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.figures import Accuracy, Change
from edgenet.bench.samples import load_array
from edgenet.errors import EdgenetError
from edgenet.launch.outcome import Event
from edgenet.runner.bundle import Bundle
from edgenet.runner.inputs import open_evaluation_set
from edgenet.statistics import confusion_matrix, mcnemar_p, paired_interval, wilson_interval

MOST_CLASSES = 100
"""With more the counts of pairs of classes are left out."""


def accuracy_of(
    event: Event, bundle: Bundle, folder: Path, evaluation_set: Path | None = None
) -> Accuracy:
    """Return the accuracy with its interval, and with the single answers what they allow.

    Args:
        event: ``accuracy`` of one process.
        bundle: What was run.
        folder: Of the process's arrays.
        evaluation_set: Whose labels the answers were compared with; None where it is not at hand.

    Raises:
        ValueError: The answers are not those that were counted.
        OSError: They are not there.
    """
    correct, n = int(event["correct"]), int(event["n"])
    low, high = wilson_interval(correct, n)
    base: dict[str, Any] = {
        "correct": correct,
        "n": n,
        "accuracy": correct / n,
        "low": low,
        "high": high,
        "digest": str(event["digest"]),
        "not_finite": int(event["not_finite"]),
    }
    if evaluation_set is None or event.get("logits") is None:
        return Accuracy(**base, parent_reason="the answers to single pictures are not at hand")
    labels = np.asarray(open_evaluation_set(evaluation_set).labels)
    answers = _answers(folder, event, labels)
    few = len(bundle.manifest.labels) <= MOST_CLASSES
    parent = parent_predictions(bundle, str(event["digest"]), n)
    change = None if isinstance(parent, str) else _change(labels, parent, answers)
    return Accuracy(
        **base,
        labels=bundle.manifest.labels if few else None,
        confusion=_confusion(labels, answers, len(bundle.manifest.labels)) if few else None,
        parent=change,
        parent_reason=parent if isinstance(parent, str) else None,
    )


def parent_predictions(bundle: Bundle, digest: str, n: int) -> NDArray[np.int64] | str:
    """Return the classes [n] that the parent network chose, or why they are not known.

    Args:
        bundle: Whose parent; it was told the parent's answers at export.
        digest: Of the evaluation set.
        n: Its pictures.
    """
    try:
        decided = bundle.golden().get(f"predictions_{digest}")
    except EdgenetError as error:
        return error.message
    if decided is None or len(decided) != n:
        return "the bundle holds no answers of its parent to these pictures"
    return decided.astype(np.int64)


def _answers(folder: Path, event: Event, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    name, logits = load_array(folder, event["logits"])
    if logits.ndim != 2 or len(logits) != len(labels) or len(labels) != event["n"]:
        raise ValueError(f"{name} does not answer the evaluation set")
    answers: NDArray[np.int64] = logits.argmax(axis=1).astype(np.int64)
    if int((answers == labels).sum()) != event["correct"]:
        raise ValueError(f"{name} does not hold the answers that were counted")
    return answers


def _confusion(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int
) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, confusion_matrix(labels, answers, classes).tolist()))


def _change(
    labels: NDArray[np.int64], parent: NDArray[np.int64], answers: NDArray[np.int64]
) -> Change:
    before, after = parent == labels, answers == labels
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    low, high = paired_interval(gained, lost, len(labels))
    return Change(
        gained=gained,
        lost=lost,
        differing=int((parent != answers).sum()),
        change=(gained - lost) / len(labels),
        low=low,
        high=high,
        p=mcnemar_p(gained, lost),
    )
