"""Which figures a training and an evaluation leave, and that torch has no part in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgenet.data import Dataset
from edgenet.workflows.result_figures import draw_training
from tests.answers import RECORDS, answers_to, words_of


def test_a_training_leaves_curves_samples_and_the_answers_to_the_test_split(tmp_path: Path) -> None:
    """Samples are of what was learnt from; everything else says that it is of the test split."""
    answers = answers_to([0, 1, 2, 2], [0, 1, 2, 0])
    train = answers.split.take(answers.right, "train")
    validation = answers.split.take(answers.right, "validation")
    dataset = Dataset(
        name="a name of the data that is too long for any title of a figure",
        train=train,
        validation=validation,
        test=answers.split,
        mean=(0.5,),
        std=(0.5,),
        polarity=None,
    )
    draw_training(
        tmp_path / "figures",
        model="net",
        dataset=dataset,
        records=RECORDS,
        probabilities=answers.probabilities,
    )
    names = ("curves", "samples", "predictions", "mistakes", "classes", "confusion")
    files = {file.name for file in (tmp_path / "figures").iterdir()}
    assert files == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    for name in names[2:]:
        words = " ".join(words_of(tmp_path / "figures" / name))
        assert "test split: 3 of 4 right (75.00 %)" in words
    assert "train split: 3 pictures" in words_of(tmp_path / "figures" / "samples")[0]


def test_the_figures_need_no_torch(tmp_path: Path) -> None:
    """A bundle is evaluated where torch is not installed."""
    code = "import sys, edgenet.workflows.result_figures; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == 0
