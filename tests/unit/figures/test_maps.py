"""Maps, units, kernels and poolings as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenet.figures.maps import TileRow, UnitPanel, grey, kernels, poolings, tile_rows, units

DRAW = np.random.Generator(np.random.PCG64(0))


def inches(path: Path) -> tuple[float, float]:
    """Return width and height of a PNG in inches."""
    with Image.open(path) as picture:
        return picture.width / 120, picture.height / 120


def test_grey_spans_black_to_white_on_one_scale() -> None:
    """Together, or each on its own; what does not vary is black."""
    values = np.array([[0.0, 1.0], [2.0, 4.0]])
    assert grey(values, over=(0, 1)).tolist() == [[0, 64], [128, 255]]
    assert grey(values, over=(1,)).tolist() == [[0, 255], [0, 255]]
    assert grey(np.full((2, 2), 7.0), over=(0, 1)).tolist() == [[0, 0], [0, 0]]


def test_tiles_of_any_shape_are_drawn_with_labels_as_long_as_they_are(tmp_path: Path) -> None:
    """Grey and colour, large and small; a longer label makes a wider picture."""
    tiles = [
        DRAW.integers(0, 256, shape, dtype=np.uint8) for shape in ((28, 28), (64, 20, 3), (1, 1))
    ]
    widths = []
    for label in ("a", "features.stage1_block1.body.activation1\nReLU 16×14×14"):
        rows = [TileRow(label=label, tiles=tiles), TileRow(label="b", tiles=tiles[:1])]
        tile_rows(rows, tmp_path / "tiles.png", title="maps", note="one line\nanother")
        widths.append(inches(tmp_path / "tiles.png")[0])
    assert widths[1] > widths[0]
    assert (tmp_path / "tiles.svg").read_text("utf-8").count("features.stage1_block1") == 1


def test_many_rows_stay_on_a_page(tmp_path: Path) -> None:
    """Tiles become smaller instead."""
    tile = np.zeros((8, 8), np.uint8)
    rows = [TileRow(label=str(number), tiles=[tile]) for number in range(60)]
    tile_rows(rows, tmp_path / "many.png", title="many", note="")
    assert inches(tmp_path / "many.png")[1] < 13


@pytest.mark.parametrize("layers", [1, 3])
def test_units_are_a_strip_a_layer(tmp_path: Path, layers: int) -> None:
    """With the number of the last unit below each."""
    panels = [UnitPanel(title=f"layer {n}", values=DRAW.random((2, 37))) for n in range(layers)]
    units(panels, ["one", "two"], tmp_path / "units.png", title="units")
    text = (tmp_path / "units.svg").read_text("utf-8")
    assert text.count(">37<") == layers
    assert f"layer {layers - 1}" in text


@pytest.mark.parametrize(("count", "channels"), [(6, 1), (20, 3), (1, 1), (9, 2)])
def test_kernels_are_numbered(tmp_path: Path, count: int, channels: int) -> None:
    """Grey ones with a scale, those of colour pictures in colour."""
    weights = DRAW.standard_normal((count, channels, 5, 5))
    kernels(weights, tmp_path / "kernels.png", title="kernels")
    text = (tmp_path / "kernels.svg").read_text("utf-8")
    assert f">{count}<" in text
    assert (">weight<" in text) == (channels != 3)
    with Image.open(tmp_path / "kernels.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    coloured = np.ptp(pixels, axis=2).max() > 60
    assert coloured == (channels == 3)


def test_kernels_that_are_all_zero_can_be_drawn(tmp_path: Path) -> None:
    """There is no scale to divide by."""
    kernels(np.zeros((2, 1, 3, 3)), tmp_path / "kernels.png", title="zero")
    assert (tmp_path / "kernels.png").stat().st_size > 1000


def test_poolings_carry_what_is_said_of_each(tmp_path: Path) -> None:
    """In as many rows as they need."""
    maps = {f"map {side}": DRAW.random((side, side)) for side in (8, 4, 2, 1)}
    poolings(maps, tmp_path / "pooling.png", title="pooling", note="a note")
    text = (tmp_path / "pooling.svg").read_text("utf-8")
    assert all(name in text for name in maps)
