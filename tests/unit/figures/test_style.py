"""What every figure shares: its files and the names in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.figures.style import drawing, percent, shown
from tests.answers import words_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cat", "cat"), ("Labrador retriever", "Labrador …"), ("a\nb\tc", "a b c")],
)
def test_a_name_is_one_line_of_bounded_length(name: str, expected: str) -> None:
    """A folder may be called anything."""
    assert shown(name, 10) == expected


def test_a_share_is_given_in_per_cent() -> None:
    """With the digits that were asked for."""
    assert (percent(0.99514), percent(1, 0)) == ("99.51 %", "100 %")


def test_a_name_with_dollar_signs_or_foreign_letters_is_drawn_as_it_is(tmp_path: Path) -> None:
    """Neither a formula that cannot be parsed nor a warning about a font."""
    with drawing(2, 1, tmp_path / "a") as figure:
        figure.text(0, 0.5, shown("$5_a$ 猫", 20))
    assert words_of(tmp_path / "a") == ["$5_a$ 猫"]


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    """A figure under version control changes when its data do, and not with the clock."""
    for name in ("a", "b"):
        with drawing(2, 1, tmp_path / name) as figure:
            figure.subplots().plot([1, 2], [3, 4])
    for suffix in (".png", ".svg"):
        one, other = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("a", "b"))
        assert one == other
