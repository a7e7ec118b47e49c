"""Samples, answers and mistakes: what is in the pictures, and that odd data can be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenet.figures.pictures import mistakes, predictions, samples
from edgenet.figures.style import RIGHT, WRONG
from tests.answers import answers_to, pictures_in, words_of

LONG = ("a class with quite a long name", "another class with a long name")


def test_samples_show_every_class_with_its_number_of_pictures(tmp_path: Path) -> None:
    """An absent class keeps its row, and a full one its eight pictures."""
    answers = answers_to([0] * 20 + [2] * 3, [0] * 23)
    samples(answers.split, tmp_path / "a", title="data")
    words = words_of(tmp_path / "a")
    assert words[0] == "data, test split: 23 pictures"
    assert words[1:] == ["ant", "20 pictures", "bee", "0 pictures", "cow", "3 pictures"]
    assert pictures_in(tmp_path / "a") == 8 + 3


def test_of_many_classes_one_picture_each_is_shown(tmp_path: Path) -> None:
    """Under its name; the class without pictures is left out."""
    names = [f"class {number}" for number in range(30)]
    answers = answers_to([*range(29)] * 2, [0] * 58, names)
    samples(answers.split, tmp_path / "a", title="data")
    words = words_of(tmp_path / "a")
    assert words[1] == "one picture of each class: 29 of 30"
    assert words[2:] == names[:29]
    assert pictures_in(tmp_path / "a") == 29


def test_a_wrong_answer_is_told_without_colour(tmp_path: Path) -> None:
    """It has a cross, its true class and a thicker frame beside its red."""
    answers = answers_to([0, 1], [0, 2], confidence=[0.75, 0.625])
    predictions(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    assert words[:3] == [answers.heading, "right: 1", "wrong: 1"]
    assert words[3:] == ["ant", "75.0 %", "✗ cow", "is bee", "62.5 %"]
    svg = (tmp_path / "a.svg").read_text("utf-8")
    assert f"stroke: {RIGHT}; stroke-width: 1.2" in svg
    assert f"stroke: {WRONG}; stroke-width: 3.5" in svg


def test_right_and_wrong_answers_are_evenly_spaced_over_the_split(tmp_path: Path) -> None:
    """Two rows of each, and the headings say of how many."""
    answers = answers_to([0] * 100 + [1] * 50, [0] * 150)
    predictions(answers, tmp_path / "a")
    assert words_of(tmp_path / "a")[1:3] == ["right: 20 of 100", "wrong: 20 of 50"]
    assert pictures_in(tmp_path / "a") == 40


def test_mistakes_come_in_the_order_of_their_confidence(tmp_path: Path) -> None:
    """With their positions, so that the pictures can be found."""
    answers = answers_to([0, 0, 0, 0], [1, 0, 2, 1], confidence=[0.5, 0.99, 0.9, 0.7])
    mistakes(answers, tmp_path / "a")
    words = words_of(tmp_path / "a")
    assert words[1] == "wrong answers by confidence: 3"
    assert [word for word in words if word.startswith("no. ")] == ["no. 2", "no. 3", "no. 0"]


@pytest.mark.parametrize("n", [1, 5])
def test_a_network_without_mistakes_can_be_drawn(tmp_path: Path, n: int) -> None:
    """The figures are there, and say that there are none."""
    answers = answers_to([0] * n, [0] * n)
    predictions(answers, tmp_path / "a")
    mistakes(answers, tmp_path / "b")
    assert words_of(tmp_path / "a")[1:3] == [f"right: {n}", "wrong: none"]
    assert words_of(tmp_path / "b")[1:] == ["wrong answers by confidence: none"]


def test_a_network_that_is_never_right_can_be_drawn(tmp_path: Path) -> None:
    """As an untrained one may be."""
    predictions(answers_to([0], [1]), tmp_path / "a")
    assert words_of(tmp_path / "a")[1:3] == ["right: none", "wrong: 1"]


@pytest.mark.parametrize(
    ("classes", "shape"),
    [(2, (3, 24, 64)), (12, (3, 256, 128)), (100, (3, 64, 64)), (3, (1, 1, 1))],
)
def test_the_files_stay_below_a_megabyte(
    tmp_path: Path, classes: int, shape: tuple[int, int, int]
) -> None:
    """Noise in colour is the worst that there is; larger pictures are made smaller first."""
    names = (LONG * 50)[:classes]
    labels = np.arange(10 * classes) % classes
    answers = answers_to(labels.tolist(), ((labels + 1) % classes).tolist(), names, shape=shape)
    samples(answers.split, tmp_path / "samples", title="data")
    mistakes(answers, tmp_path / "mistakes")
    for file in tmp_path.iterdir():
        assert file.stat().st_size < 1_000_000, file.name


def test_colours_are_those_of_the_pictures(tmp_path: Path) -> None:
    """Channels first in the data, last on paper: a red picture must not become a blue one."""
    answers = answers_to([0], [0], shape=(3, 8, 8))
    answers.split.images[:] = np.array([250, 100, 10], np.uint8)[:, None, None]
    samples(answers.split, tmp_path / "a", title="data")
    with Image.open(tmp_path / "a.png") as picture:
        colours = picture.convert("RGB").getcolors(1 << 16)
    assert colours is not None
    assert (250, 100, 10) in {colour for _, colour in colours}
