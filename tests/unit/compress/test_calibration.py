"""Which pictures decide the ranges."""

from __future__ import annotations

import numpy as np
import pytest

from edgenet.compress.calibration import DEFAULT_COUNT, draw_calibration_set
from edgenet.data import Split
from edgenet.errors import UsageError

EXPECTED_OF_SEED_7 = [37, 614, 865]


def split(name: str, labels: list[int], *, first: int = 0) -> Split:
    """Return pictures that are all different; the first one holds the number ``first``."""
    numbers = np.arange(first, first + len(labels), dtype=np.uint32)
    images = np.ascontiguousarray(numbers).view(np.uint8).reshape(len(labels), 1, 2, 2)
    return Split(
        name=name,
        images=images,
        labels=np.array(labels, np.int64),
        class_names=("a", "b", "c"),
    )


TRAIN = split("train", [0] * 600 + [1] * 50 + [2] * 350)
HELD_OUT = (split("validation", [0, 1], first=5000), split("test", [2, 2], first=6000))


def test_every_class_gives_the_same_number_of_pictures() -> None:
    """A class that is rare in training has ranges of its own."""
    drawn = draw_calibration_set(TRAIN, HELD_OUT, count=30)
    assert np.bincount(drawn.split.labels).tolist() == [10, 10, 10]
    assert drawn.left_out == 0


def test_a_class_with_too_few_gives_all_and_the_others_fill_up() -> None:
    """The number that was asked for is what comes."""
    drawn = draw_calibration_set(TRAIN, HELD_OUT, count=450)
    assert np.bincount(drawn.split.labels).tolist() == [200, 50, 200]


def test_a_seed_means_the_same_pictures_always() -> None:
    """The generator's stream is guaranteed, so the digest can be written down."""
    drawn = draw_calibration_set(TRAIN, HELD_OUT, count=3, seed=7)
    again = draw_calibration_set(TRAIN, HELD_OUT, count=3, seed=7)
    other = draw_calibration_set(TRAIN, HELD_OUT, count=3, seed=8)
    assert drawn.images[:, 0].reshape(3, 4).view(np.uint32).ravel().tolist() == EXPECTED_OF_SEED_7
    assert drawn.to_json() == again.to_json()
    assert drawn.split.digest != other.split.digest


def test_a_picture_that_occurs_in_a_held_out_split_is_left_out_and_counted() -> None:
    """Whatever its label there: its pixels must not be fitted to."""
    leaked = (split("validation", [1] * 20, first=580), split("test", [2] * 5, first=995))
    drawn = draw_calibration_set(TRAIN, leaked, count=975)
    numbers = drawn.images[:, 0].reshape(-1, 4).view(np.uint32).ravel()
    assert drawn.left_out == 25
    assert set(numbers.tolist()) == {*range(580), *range(600, 995)}


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_split_that_is_not_for_training_is_refused(name: str) -> None:
    """Calibrating on what decides, or on what is reported, is leakage."""
    with pytest.raises(UsageError, match=f"come from the {name} split"):
        draw_calibration_set(split(name, [0, 1, 2]), (), count=1)


def test_more_pictures_than_there_are_is_an_error_and_not_fewer() -> None:
    """Nothing asked for is silently changed; only the default adapts."""
    few = split("train", [0, 1, 2])
    with pytest.raises(UsageError, match="4 calibration pictures cannot be drawn from 3"):
        draw_calibration_set(few, (), count=4)
    assert len(draw_calibration_set(few, ()).split) == 3
    assert len(draw_calibration_set(TRAIN, ()).split) == DEFAULT_COUNT


@pytest.mark.parametrize("options", [{"count": 0}, {"count": -1}, {"count": 1, "seed": -1}])
def test_numbers_that_cannot_be_are_refused(options: dict[str, int]) -> None:
    """Before anything is drawn."""
    with pytest.raises(UsageError):
        draw_calibration_set(TRAIN, (), **options)


def test_a_training_split_that_is_held_out_whole_leaves_nothing_to_draw() -> None:
    """The same folder given for both, perhaps."""
    with pytest.raises(UsageError, match="from 0"):
        draw_calibration_set(TRAIN, (TRAIN,))
