"""Preparing decoded pictures: resizing as Pillow does, grey, polarity, and the declared block."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgenet.errors import CorruptFile, UsageError
from edgenet.runner.preprocess import (
    MODES,
    Preprocessing,
    border_level,
    looks_inverted,
    prepare,
)


def block(mode: str, height: int, width: int, **changes: Any) -> Preprocessing:
    """A preprocessing block of that form."""
    n = MODES[mode]
    return Preprocessing(mode, height, width, "stretch", (0.5,) * n, (0.25,) * n, **changes)


def random_case(seed: int) -> tuple[np.ndarray, str, int, int]:
    """A random picture, and the mode and size to bring it to: up, down or the same."""
    rng = np.random.default_rng(seed)
    rows, columns, height, width = (int(side) for side in rng.integers(1, 120, 4))
    if seed % 10 == 0:
        height, width = rows, columns
    channels = int(rng.choice([1, 3]))
    picture = rng.integers(0, 256, (rows, columns, channels), dtype=np.uint8)
    return picture, str(rng.choice(list(MODES))), height, width


def by_pillow(picture: np.ndarray, mode: str) -> Image.Image:
    """The picture in Pillow, converted to ``mode``."""
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).convert(mode)


def planes(image: Image.Image) -> np.ndarray:
    """A Pillow image as int64 [C, H, W]."""
    pixels = np.asarray(image, np.int64)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


@pytest.mark.parametrize("seed", range(200))
def test_resizing_agrees_with_pillows_antialiased_bilinear(seed: int) -> None:
    """Within one level of its resize, and exactly with its two passes one after the other.

    Each pass rounds to 8 bits, and Pillow 13 does the vertical one first where that is cheaper.
    """
    picture, mode, height, width = random_case(seed)
    got = prepare(picture, block(mode, height, width))
    assert got.dtype == np.uint8
    assert got.shape == (MODES[mode], height, width)
    image = by_pillow(picture, mode)
    bilinear = Image.Resampling.BILINEAR
    at_once = image.resize((width, height), bilinear, reducing_gap=None)
    assert np.abs(got - planes(at_once)).max() <= 1
    horizontal = image.resize((width, image.height), bilinear)
    assert (got == planes(horizontal.resize((width, height), bilinear))).all()


def test_a_large_picture_is_resized_in_blocks_without_a_seam() -> None:
    """More rows than one block holds."""
    picture = np.random.default_rng(0).integers(0, 256, (700, 900, 1), dtype=np.uint8)
    got = prepare(picture, block("L", 28, 28))
    image = by_pillow(picture, "L").resize((28, 700), Image.Resampling.BILINEAR)
    assert (got == planes(image.resize((28, 28), Image.Resampling.BILINEAR))).all()


def test_a_picture_of_the_right_form_is_left_as_it_is() -> None:
    """MNIST's own pictures must reach the network unchanged."""
    picture = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    assert (prepare(picture, block("L", 28, 28))[0] == picture[:, :, 0]).all()


def test_inverting_exchanges_light_and_dark() -> None:
    """Black ink on white paper becomes MNIST's light on dark."""
    picture = np.array([[[0], [100], [255]]], np.uint8)
    assert prepare(picture, block("L", 1, 3), invert=True).tolist() == [[[255, 155, 0]]]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 1), np.float32),
        np.zeros((0, 4, 1), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused(picture: np.ndarray) -> None:
    """A message, not a broadcast error three calls later."""
    with pytest.raises(UsageError, match="a picture is uint8"):
        prepare(picture, block("L", 4, 4))
    with pytest.raises(UsageError, match="a picture is uint8"):
        border_level(picture)


def test_the_border_tells_the_polarity() -> None:
    """Only the outermost pixels count, each once."""
    picture = np.zeros((4, 5, 1), np.uint8)
    picture[1:-1, 1:-1] = 255
    assert border_level(picture) == 0
    assert border_level(255 - picture) == 1
    picture[0, 0] = 255
    assert border_level(picture) == pytest.approx(1 / 14)
    assert border_level(np.full((1, 1, 3), 51, np.uint8)) == pytest.approx(0.2)


def test_only_a_border_against_the_training_pictures_looks_inverted() -> None:
    """And where those were mixed, nothing does."""
    dark, light = np.zeros((3, 3, 1), np.uint8), np.full((3, 3, 1), 255, np.uint8)
    assert looks_inverted(light, "light-on-dark")
    assert not looks_inverted(dark, "light-on-dark")
    assert looks_inverted(dark, "dark-on-light")
    assert not looks_inverted(light, "dark-on-light")
    assert not looks_inverted(light, None)


@pytest.mark.parametrize("mode", list(MODES))
def test_the_block_survives_json(mode: str) -> None:
    """A checkpoint and a manifest give back what was declared."""
    declared = block(mode, 28, 32, pad=2, polarity="light-on-dark")
    read = Preprocessing.from_json(json.loads(json.dumps(declared.to_json())))
    assert read == declared
    assert read.shape == (MODES[mode], 28, 32)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "CMYK"),
        ("mode", ["L"]),
        ("height", 0),
        ("height", True),
        ("width", 28.0),
        ("width", 1 << 40),
        ("resize", "crop"),
        ("mean", []),
        ("mean", [0.1, 0.2]),
        ("mean", ["0.1"]),
        ("mean", [float("nan")]),
        ("mean", [10**400]),
        ("mean", 0.1),
        ("std", [0.0]),
        ("std", [-1.0]),
        ("std", [float("inf")]),
        ("std", ["x"]),
        ("pad", -1),
        ("pad", None),
        ("polarity", "upside-down"),
        ("polarity", ["light-on-dark"]),
    ],
)
def test_nonsense_in_the_block_is_named(field: str, value: object) -> None:
    """A bundle's manifest is not trusted."""
    declared = {**block("L", 28, 28).to_json(), field: value}
    with pytest.raises(CorruptFile, match=f"preprocessing's {field} cannot be"):
        Preprocessing.from_json(declared)


@pytest.mark.parametrize(
    "value", [None, [], {}, {"mode": "L"}, {**block("L", 2, 2).to_json(), "x": 1}]
)
def test_missing_and_unknown_fields_are_refused(value: object) -> None:
    """A field of a later version would change what the network sees."""
    with pytest.raises(CorruptFile, match="exactly"):
        Preprocessing.from_json(value)
