"""The figures of ``train`` and ``eval``, each as a PNG and an SVG of the same name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.figures import classes, pictures
from edgenet.figures.answers import Answers
from edgenet.figures.curves import training_curves
from edgenet.figures.style import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.data import Dataset, Split

_LONGEST_TITLE = 55


def draw_training(
    folder: Path,
    *,
    model: str,
    dataset: Dataset,
    records: Sequence[Mapping[str, float]],
    probabilities: NDArray[np.floating],
) -> None:
    """Draw how a training went, what it learnt from, and what came of it on the test split.

    Args:
        folder: Where ``curves``, ``samples`` (of the training split), ``predictions``,
            ``mistakes``, ``classes`` and ``confusion`` go, ``.png`` and ``.svg`` of each.
        model: Its name.
        dataset: What it was trained and tested on.
        records: The epochs, as :func:`edgenet.figures.curves.training_curves` takes them.
        probabilities: Of the test split's pictures, floats [N, K].

    Raises:
        EdgenetError: The folder cannot be written.
    """
    title = _title(model, dataset.name)
    training_curves(records, folder / "curves", title=title)
    pictures.samples(dataset.train, folder / "samples", title=shown(dataset.name, _LONGEST_TITLE))
    _draw_answers(folder, Answers(title=title, split=dataset.test, probabilities=probabilities))


def draw_evaluation(
    folder: Path,
    *,
    model: str,
    data: str,
    split: Split,
    probabilities: NDArray[np.floating],
) -> None:
    """Draw what a network was asked and what it answered.

    Args:
        folder: Where ``samples``, ``predictions``, ``mistakes``, ``classes`` and ``confusion`` go,
            ``.png`` and ``.svg`` of each.
        model: Its name.
        data: Name of the data set.
        split: The pictures, one at least.
        probabilities: Of each of them, floats [N, K].

    Raises:
        EdgenetError: The folder cannot be written.
    """
    pictures.samples(split, folder / "samples", title=shown(data, _LONGEST_TITLE))
    title = _title(model, data)
    _draw_answers(folder, Answers(title=title, split=split, probabilities=probabilities))


def _draw_answers(folder: Path, answers: Answers) -> None:
    pictures.predictions(answers, folder / "predictions")
    pictures.mistakes(answers, folder / "mistakes")
    classes.class_accuracy(answers, folder / "classes")
    classes.confusion(answers, folder / "confusion")


def _title(model: str, data: str) -> str:
    return shown(f"{model} on {data}", _LONGEST_TITLE)
