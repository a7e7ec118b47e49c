"""Digits and units of every kind of figure."""

from __future__ import annotations

import pytest

from edgenet.report.format import figure, listed, plain


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("p50_us", 33.849, "33.8"),
        ("p99_us", 9507.466, "9,507.5"),
        ("p50_us", 40, "40.0"),
        ("load_ms", 29.248535, "29.2"),
        ("first_inference_ms", 0.404811, "0.40"),
        ("images_per_s", 21994.49, "21,994"),
        ("peak_mib", 62.80078125, "62.8"),
        ("size_bytes", 999, "999 B"),
        ("size_bytes", 71_700, "71.7 kB"),
        ("size_bytes", 2_345_678, "2.35 MB"),
        ("accuracy", 0.9961, "99.61 %"),
        ("spread", 0.0031, "0.3 %"),
        ("change", -0.0004, "−0.04"),
        ("change", 0.0004, "+0.04"),
        ("n", 12_253, "12,253"),
        ("timer_resolution_ns", 60.0, "60"),
        ("per_inference_mj", 1.25, "1.250"),
        ("idle_w", 3.456, "3.46"),
        ("whatever", 0.123456, "0.1235"),
        ("p50_us", None, None),
    ],
)
def test_the_unit_that_ends_a_name_decides_the_digits(
    name: str, value: float | None, text: str | None
) -> None:
    """A column of one figure lines up."""
    assert figure(name, value) == text


def test_a_text_is_one_line_that_shows_what_it_hides() -> None:
    """A character that turns the direction of writing can make a name look like another."""
    assert plain("a\nb\u202ec\ud800") == "a\\nb\\u202ec\\ud800"
    assert plain("Größe 值") == "Größe 值"


def test_names_are_listed_as_in_a_sentence() -> None:
    """With an 'and' before the last."""
    assert (listed(["a"]), listed(["a", "b"])) == ("a", "a and b")
    assert listed(("a", "b", "c")) == "a, b and c"
