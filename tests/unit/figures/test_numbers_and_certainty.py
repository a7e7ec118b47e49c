"""Small sums as squares of numbers, and curves of certainty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgenet.explain.kernel_gradient import demonstrate
from edgenet.figures.certainty import Sample, certainty_curves
from edgenet.figures.numbers import kernel_gradient, number_squares


def words(path: Path) -> str:
    """Return the content of the SVG beside a PNG."""
    return path.with_suffix(".svg").read_text("utf-8")


def test_every_number_of_a_matrix_is_written(tmp_path: Path) -> None:
    """With a minus that is one."""
    number_squares({"a": np.array([[1.5, -2.0]])}, tmp_path / "a.png", title="squares")
    text = words(tmp_path / "a.png")
    assert ">1.5<" in text
    assert ">−2<" in text


def test_the_gradient_is_drawn_with_every_term(tmp_path: Path) -> None:
    """The products and what they add up to."""
    shown = demonstrate()
    kernel_gradient(
        inputs=shown.inputs,
        kernel=shown.kernel,
        outputs=shown.outputs,
        upstream=shown.upstream,
        patches=shown.patches,
        gradient=shown.gradient,
        path=tmp_path / "gradient.png",
    )
    text = words(tmp_path / "gradient.png")
    assert all(f">{number}<" in text for number in ("4·9", "37", "47", "67", "77"))


def test_certainty_is_drawn_where_doubt_is_zero_and_kinds_are_many(tmp_path: Path) -> None:
    """A doubt of 0 has no logarithm; the looks of lines repeat when there are more kinds."""
    spread = np.linspace(0, 1, 11)
    samples = {
        f"kind {number}": Sample(known=number == 0, doubt=spread, energy=-spread)
        for number in range(8)
    }
    certainty_curves(samples, tmp_path / "c.png", doubt=0.0, energy=-0.5, title="how sure")
    text = words(tmp_path / "c.png")
    assert all(name in text for name in samples)
    assert "99.99 %" in text
