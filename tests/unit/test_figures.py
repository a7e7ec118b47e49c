"""Pictures are drawn without a display and written whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgenet.figures.curves import training_curves

RECORDS = [
    {
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "validation_loss": 1.2 / epoch,
        "train_accuracy": 1 - 0.3 / epoch,
        "validation_accuracy": 1 - 0.4 / epoch,
        "lr": 0.01 / epoch,
    }
    for epoch in range(1, 6)
]


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
