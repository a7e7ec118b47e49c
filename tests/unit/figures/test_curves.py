"""The curves of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgenet.figures.curves import training_curves
from tests.answers import RECORDS, words_of


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_training_curves_are_a_picture_of_their_format(tmp_path: Path, suffix: str) -> None:
    """A PNG decodes to something that is not one colour; an SVG names its axes."""
    file = tmp_path / f"results.{suffix}"
    training_curves(RECORDS, file, title="lenet5 on mnist")
    if suffix == "svg":
        assert file.read_text("utf-8").rstrip().endswith("</svg>")
        return
    from PIL import Image

    with Image.open(file) as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_one_perfect_epoch_can_be_drawn(tmp_path: Path) -> None:
    """An error of zero has no logarithm; the picture is drawn all the same."""
    perfect = {**RECORDS[0], "train_accuracy": 1.0, "validation_accuracy": 1.0}
    training_curves([perfect], tmp_path / "a.png", title="perfect")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_the_title_names_the_run_and_its_best_accuracy(tmp_path: Path) -> None:
    """Of the validation split, which is the one that chooses."""
    training_curves(RECORDS, tmp_path / "a", title="lenet5 on mnist")
    words = words_of(tmp_path / "a")
    assert "lenet5 on mnist: best validation accuracy 92.00 %" in words
    assert {"loss", "error in %", "learning rate", "train", "validation"} <= set(words)
