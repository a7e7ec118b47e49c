"""What goes on inside a network: feature maps, units, kernels and poolings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.figures.style import drawing

_TILE_PIXELS = 64
_GAP_PIXELS = 8
_TILE_INCHES = 0.6
_MARGIN_INCHES = 0.12
_TITLE_INCHES = 0.4
_LETTER_INCHES = 0.075
_TALLEST_INCHES = 12.0
_PANELS_ACROSS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class TileRow:
    """A row of small pictures, with what stands before it.

    Attributes:
        label: What the row shows; may have two lines.
        tiles: uint8, [h, w] for grey and [h, w, 3] for colour.
    """

    label: str
    tiles: Sequence[NDArray[np.uint8]]


def grey(values: NDArray[np.floating[Any]], *, over: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return numbers as grey levels: 0 (black) for the lowest, 255 (white) for the highest.

    Args:
        values: Of any shape.
        over: The axes that share one scale; where all is one number, it is black.
    """
    low = values.min(axis=over, keepdims=True)
    span = values.max(axis=over, keepdims=True) - low
    shares = (values - low) / np.where(span > 0, span, 1)
    levels: NDArray[np.uint8] = np.rint(255 * shares).astype(np.uint8)
    return levels


def tile_rows(rows: Sequence[TileRow], path: Path, *, title: str, note: str) -> None:
    """Draw rows of small pictures, all of one size.

    Args:
        rows: One or more, each with one tile or more.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: What is seen.
        note: How to read it, below the rows.
    """
    step = _TILE_PIXELS + _GAP_PIXELS
    columns = max(len(row.tiles) for row in rows)
    sheet = np.full((len(rows) * step - _GAP_PIXELS, columns * step - _GAP_PIXELS, 3), 255)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row.tiles):
            pixels = _enlarged(tile)
            y, x = i * step, j * step
            sheet[y : y + len(pixels), x : x + pixels.shape[1]] = pixels
    inches = min(_TILE_INCHES, _TALLEST_INCHES / len(rows))
    letters = max(len(line) for row in rows for line in row.label.split("\n"))
    lines = note.split("\n")
    left, bottom = _LETTER_INCHES * letters + _MARGIN_INCHES, 0.15 * len(lines) + _MARGIN_INCHES
    wide, high = inches * sheet.shape[1] / step, inches * sheet.shape[0] / step
    # A letter of the title is about a third wider than those of the notes.
    text = _LETTER_INCHES * max(4 / 3 * len(title), *map(len, lines))
    width = max(left + wide, text) + _MARGIN_INCHES
    height = bottom + high + _TITLE_INCHES
    with drawing(width, height, path) as figure:
        figure.set_layout_engine("none")  # every place is known
        axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
        axes.imshow(sheet, aspect="auto")
        _bare(axes)
        places = [i * step + _TILE_PIXELS / 2 for i in range(len(rows))]
        axes.set_yticks(places, [row.label for row in rows], fontsize=8)
        axes.tick_params(length=0)
        margin = _MARGIN_INCHES / width
        figure.text(margin, 1 - _MARGIN_INCHES / height, title, va="top", fontsize=11)
        figure.text(margin, _MARGIN_INCHES / 2 / height, note, va="bottom", fontsize=8)


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitPanel:
    """The units of one layer, as every picture excites them.

    Attributes:
        title: Of the layer.
        values: [pictures, units].
    """

    title: str
    values: NDArray[np.floating[Any]]


def units(panels: Sequence[UnitPanel], labels: Sequence[str], path: Path, *, title: str) -> None:
    """Draw a strip a layer: a line a picture, a column a unit, white for the highest value.

    Args:
        panels: One or more layers.
        labels: Of the pictures.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: What is seen.
    """
    height = 0.5 + 0.12 * len(labels)
    with drawing(9, height * len(panels) + 0.6, path) as figure:
        for axes, panel in zip(_flat(figure.subplots(len(panels), 1)), panels, strict=True):
            image = axes.imshow(panel.values, aspect="auto")
            _bare(axes)
            axes.set_yticks(range(len(labels)), labels, fontsize=7)
            last = panel.values.shape[1] - 1
            axes.set_xticks([0, last], ["1", str(last + 1)], fontsize=7)
            axes.tick_params(length=0)
            axes.set_title(panel.title, fontsize=9, loc="left")
            figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03).ax.tick_params(labelsize=7)
        figure.suptitle(title, fontsize=11)


def kernels(weights: NDArray[np.floating[Any]], path: Path, *, title: str) -> None:
    """Draw the kernels of a convolution that sees the pictures themselves.

    Args:
        weights: [out, in, k, k]. Of three inputs the kernel is drawn in colour, mid-grey for 0 and
            one scale for all; else its first input in grey, with the scale beside.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: What is seen.
    """
    count = len(weights)
    across = min(8, max(count, 1))
    down = -(-count // across)
    most = float(np.abs(weights).max()) or 1.0
    colour = weights.shape[1] == 3
    with drawing(max(5.5, 0.85 * across + 1), 0.95 * down + 0.9, path) as figure:
        grid = _flat(figure.subplots(down, across))
        for axes in grid[count:]:
            axes.set_axis_off()
        for number, (axes, kernel) in enumerate(zip(grid, weights, strict=False), start=1):
            if colour:
                image = axes.imshow(kernel.transpose(1, 2, 0) / (2 * most) + 0.5)
            else:
                image = axes.imshow(kernel[0], vmin=-most, vmax=most)
            _bare(axes, frame=True)
            axes.set_xlabel(str(number), fontsize=8, labelpad=2)
        if not colour:
            figure.colorbar(image, ax=grid, pad=0.02, fraction=0.05, label="weight")
        figure.suptitle(title, fontsize=11)
        note = (
            "red, green and blue weights as a colour; no weight is mid-grey, all on one scale"
            if colour
            else "white is positive, black negative, mid-grey 0, all on one scale"
        )
        figure.supxlabel(note, fontsize=8)


def poolings(
    maps: Mapping[str, NDArray[np.floating[Any]]], path: Path, *, title: str, note: str
) -> None:
    """Draw maps [h, w] by name, one size and one grey scale for all.

    Args:
        maps: In the order in which they are drawn, by what is said of each.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: What is seen.
        note: How to read it, below the maps.
    """
    low = min(float(values.min()) for values in maps.values())
    high = max(float(values.max()) for values in maps.values())
    down = -(-len(maps) // _PANELS_ACROSS)
    with drawing(7.5, 2.45 * down + 0.7, path) as figure:
        grid = _flat(figure.subplots(down, _PANELS_ACROSS))
        for axes in grid[len(maps) :]:
            axes.set_axis_off()
        for axes, (name, values) in zip(grid, maps.items(), strict=False):
            image = axes.imshow(values, vmin=low, vmax=high)
            _bare(axes, frame=True)
            axes.set_title(name, fontsize=9)
        figure.colorbar(image, ax=grid, pad=0.02, fraction=0.04, label="value")
        figure.suptitle(title, fontsize=11)
        figure.supxlabel(note, fontsize=8)


def _enlarged(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a tile as colour, its longer side as long as every tile's, pixels kept sharp."""
    height, width = (round(_TILE_PIXELS * side / max(tile.shape[:2])) for side in tile.shape[:2])
    rows = np.arange(max(height, 1)) * len(tile) // max(height, 1)
    columns = np.arange(max(width, 1)) * tile.shape[1] // max(width, 1)
    pixels = tile[rows][:, columns]
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)


def _flat(grid: Any) -> list[Any]:
    """Return the axes of :meth:`Figure.subplots`, which gives one alone as itself, as a list."""
    return list(np.atleast_1d(grid).ravel())


def _bare(axes: Any, *, frame: bool = False) -> None:
    """Take away grid and ticks, and what is left of the frame unless it is wanted whole."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(frame)
        spine.set_linewidth(0.6)
