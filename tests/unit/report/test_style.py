"""The page's colours can be told apart by everyone, and what is printed is dark on white."""

from __future__ import annotations

import importlib.resources
import re

import pytest

STYLE = importlib.resources.files("edgenet.report").joinpath("report.css").read_text("utf-8")
TEXTS = ("ink", "muted", "accent", "good", "bad", *(f"series-{number}" for number in range(8)))

Rgb = tuple[float, ...]


def _colours(dark: bool) -> dict[str, Rgb]:
    blocks = re.findall(r":root \{[^}]*(--page[^}]*)\}", STYLE)
    assert len(blocks) == 2
    return {
        name: tuple(int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
        for name, digits in re.findall(r"--([a-z0-9-]+): #([0-9a-f]{6})", blocks[dark])
    }


def _contrast(one: Rgb, other: Rgb) -> float:
    """Return the ratio of relative luminances; source: WCAG 2.2, definition of contrast ratio."""
    lights = []
    for colour in (one, other):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        weights = (0.2126, 0.7152, 0.0722)
        lights.append(sum(w * c for w, c in zip(weights, linear, strict=True)) + 0.05)
    return max(lights) / min(lights)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(dark: bool) -> None:
    """4.5 to 1, WCAG 2.2, 1.4.3; a cell of a confusion with every picture in it, too."""
    colours = _colours(dark)
    for name in TEXTS:
        assert _contrast(colours[name], colours["page"]) >= 4.5, name
    assert _contrast(colours["ink"], colours["raised"]) >= 4.5
    [share] = re.findall(r"var\(--accent\) calc\(var\(--share\) \* ([0-9.]+)\), transparent", STYLE)
    fullest = tuple(
        float(share) * over + (1 - float(share)) * under
        for over, under in zip(colours["accent"], colours["page"], strict=True)
    )
    assert _contrast(colours["ink"], fullest) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_bar_stands_out_from_the_page(dark: bool) -> None:
    """3 to 1, WCAG 2.2, 1.4.11."""
    from edgenet.report.bars import COLD_COLOURS, STEP_COLOURS

    colours = _colours(dark)
    for name in {*COLD_COLOURS, *STEP_COLOURS, "quiet", "accent"}:
        assert _contrast(colours[name], colours["page"]) >= 3, name
