"""Reading what is typed: pairs, lists and sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.cli import options
from edgenet.errors import UsageError


def test_model_options_become_values_of_their_kind() -> None:
    """As a configuration file would hold them; a dash in a name is an underscore."""
    pairs = ["dropout=0.2", "kernel=3", "batch-norm=true", "channels=8,16", "activation=tanh"]
    assert options.model_options(pairs) == {
        "dropout": 0.2,
        "kernel": 3,
        "batch_norm": True,
        "channels": [8, 16],
        "activation": "tanh",
    }
    assert options.model_options(None) == {}


@pytest.mark.parametrize("pairs", [["dropout"], ["=1"], ["a=1", "a=2"]])
def test_a_pair_that_is_none_is_refused(pairs: list[str]) -> None:
    """The second of two values would win in silence."""
    with pytest.raises(UsageError):
        options.model_options(pairs)


def test_settings_of_a_recipe_may_name_a_value_of_its_table() -> None:
    """Every field of a recipe can be reached, those of the augmentation too."""
    pairs = ["warmup=0.2", "betas=0.9,0.99", "augmentation.noise=0.1", "augmentation.shift=0"]
    assert options.settings(pairs) == {
        "warmup": 0.2,
        "betas": [0.9, 0.99],
        "augmentation": {"noise": 0.1, "shift": 0},
    }


def test_labels_are_names_or_the_lines_of_a_file(tmp_path: Path) -> None:
    """A thousand class names do not fit a command line."""
    file = tmp_path / "labels.txt"
    file.write_text("T-shirt/top\n\n Bag \nAnkle boot, brown\n")
    assert options.labels(str(file)) == ["T-shirt/top", "Bag", "Ankle boot, brown"]
    assert options.labels("zero, one,two") == ["zero", "one", "two"]


def test_a_file_of_labels_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Binary content would become names."""
    file = tmp_path / "labels.bin"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read the labels"):
        options.labels(str(file))


def test_numbers_and_sizes() -> None:
    """One side is a square; otherwise height comes first."""
    assert options.numbers("mean", "0.1307") == [0.1307]
    assert options.numbers("mean", ".485, .456,.406") == [0.485, 0.456, 0.406]
    assert options.whole_numbers("batch", "1,64") == [1, 64]
    assert options.image_size("32") == (32, 32)
    assert options.image_size("24,32") == (24, 32)
    assert options.image_size(None) is None


@pytest.mark.parametrize("text", ["", "1,2,3", "x", "1.5"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match="--imgsz"):
        options.image_size(text)


def test_numbers_that_are_none_are_refused_by_the_options_name() -> None:
    """So that the reader knows which of several lists is meant."""
    with pytest.raises(UsageError, match="--std"):
        options.numbers("std", "0.5,y")
    with pytest.raises(UsageError, match="--batch"):
        options.whole_numbers("batch", "1,6.4")


def test_options_that_were_not_given_are_left_out() -> None:
    """Zero, false and the empty text were given."""
    assert options.given(a=None, b=0, c=False, d="") == {"b": 0, "c": False, "d": ""}
    assert options.flags({"label_smoothing": 1, "lr": 2}) == "--label-smoothing, --lr"
