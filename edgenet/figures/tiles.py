"""Pictures side by side with captions, laid out in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.figures.style import RIGHT, WRONG, drawing
from edgenet.runner.preprocess import Preprocessing, prepare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# All in inches.
_WIDTH, _MARGIN, _GAP = 10.0, 0.12, 0.12
_NARROWEST, _CHARACTER = 0.84, 0.066
_TITLE, _HEADING, _BESIDE, _LINE = 0.34, 0.3, 1.6, 0.135

_CAPTION_POINTS = 7.5
_PIXELS_BYTES = 500_000
"""What the pictures of a drawing take before they are compressed: an SVG stays below 1 MB."""
_SHARPEST = 64

_FRAMES: dict[bool | None, dict[str, Any]] = {
    None: {"edgecolor": "0.6", "linewidth": 0.6},
    True: {"edgecolor": RIGHT, "linewidth": 1.2},
    False: {"edgecolor": WRONG, "linewidth": 3.5},
}
_INKS = {None: "black", True: RIGHT, False: WRONG}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture with its caption.

    Attributes:
        image: uint8 [C, H, W]; one channel is grey, three are RGB.
        caption: Its lines.
        right: Whether the answer is right, which decides colour and frame; None without an answer.
    """

    image: NDArray[np.uint8]
    caption: tuple[str, ...] = ()
    right: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Section:
    """Tiles under a heading; maybe none."""

    heading: str
    tiles: Sequence[Tile]


def columns_for(characters: int, *, beside: bool = False) -> int:
    """Return how many tiles fit side by side.

    Args:
        characters: In the longest line of their captions.
        beside: The headings are beside the tiles.
    """
    room = _WIDTH - 2 * _MARGIN - (_BESIDE if beside else 0)
    return int((room + _GAP) / (_side(characters) + _GAP))


def draw_tiles(
    sections: Sequence[Section], path: Path, *, title: str, beside: bool = False
) -> None:
    """Draw sections one below the other.

    Args:
        sections: One at least. All pictures have one shape.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: Above all; one line of print.
        beside: Put the headings beside the tiles instead of above them.
    """
    tiles = [tile for section in sections for tile in section.tiles]
    characters = max((len(line) for tile in tiles for line in tile.caption), default=0)
    columns = columns_for(characters, beside=beside)
    side = _side(characters)
    _, rows, wide = tiles[0].image.shape if tiles else (1, 1, 1)
    height, width = side * min(1, rows / wide), side * min(1, wide / rows)

    places: list[tuple[Tile, float, float]] = []
    headings: list[tuple[str, float]] = []
    start, top = _MARGIN + (_BESIDE if beside else 0), _TITLE
    for section in sections:
        headings.append((section.heading, top + (height if beside else _HEADING) / 2))
        top += 0 if beside else _HEADING
        lines = max((len(tile.caption) for tile in section.tiles), default=0)
        pitch = height + _LINE * lines + _GAP
        for number, tile in enumerate(section.tiles):
            row, column = divmod(number, columns)
            left = start + column * (side + _GAP) + (side - width) / 2
            places.append((tile, left, top + row * pitch))
        top += max(math.ceil(len(section.tiles) / columns), 1 if beside else 0) * pitch

    shrunk = _shrinking(tiles)
    with drawing(_WIDTH, top + _MARGIN, path) as figure:
        figure.set_layout_engine("none")  # every place is known
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.text(_MARGIN, 0.1, title, va="top", fontsize=11)
        for heading, y in headings:
            axes.text(_MARGIN, y, heading, va="center", fontsize=9, weight="bold")
        for tile, x, y in places:
            _place(axes, tile, shrunk, (x, x + width, y + height, y))
        axes.set(xlim=(0, _WIDTH), ylim=(top + _MARGIN, 0), aspect="auto")


def _side(characters: int) -> float:
    return max(_NARROWEST, characters * _CHARACTER)


def _place(
    axes: Any,
    tile: Tile,
    shrunk: Preprocessing | None,
    extent: tuple[float, float, float, float],
) -> None:
    """Draw a tile with its picture at ``extent``: left, right, bottom and top, y growing down."""
    from matplotlib.patches import Rectangle

    image = tile.image
    if shrunk is not None:
        image = prepare(image.transpose(1, 2, 0), shrunk)
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    left, right, bottom, top = extent
    # Without interpolation an SVG gets the pixels as they are, and the viewer scales them.
    axes.imshow(pixels, vmin=0, vmax=255, extent=extent, interpolation="none", aspect="auto")
    frame = Rectangle((left, top), right - left, bottom - top, fill=False, **_FRAMES[tile.right])
    axes.add_patch(frame)
    for number, line in enumerate(tile.caption):
        y = bottom + 0.05 + _LINE * (number + 0.5)
        axes.text(
            *((left + right) / 2, y, line),
            ha="center",
            va="center",
            fontsize=_CAPTION_POINTS,
            color=_INKS[tile.right],
        )


def _shrinking(tiles: Sequence[Tile]) -> Preprocessing | None:
    """Return how pictures are made small enough for one file; None where they are."""
    if not tiles:
        return None
    channels, height, width = tiles[0].image.shape
    longest = min(_SHARPEST, math.isqrt(_PIXELS_BYTES // (len(tiles) * channels)))
    if max(height, width) <= longest:
        return None
    scale = longest / max(height, width)
    return Preprocessing(
        "L" if channels == 1 else "RGB",
        max(1, round(height * scale)),
        max(1, round(width * scale)),
        resize="stretch",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )
