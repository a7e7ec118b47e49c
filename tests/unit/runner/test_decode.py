"""Decoding pictures of every usual kind, and refusing what is none."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from edgenet.errors import CorruptFile, EdgenetError, NotPossible, UsageError
from edgenet.runner import decode as module
from edgenet.runner.decode import decode, probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    """Return the bytes of a ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """Return a PNG of 70 bytes whose header claims that size."""
    content = encoded(Image.new("L", (1, 1)))
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def failure(read: Callable[[bytes], object], content: bytes) -> EdgenetError | None:
    """Return the error for damage or no picture; any other error fails the test."""
    try:
        read(content)
    except (CorruptFile, UsageError) as error:
        return error
    return None


def test_grey_has_one_channel_and_colour_three() -> None:
    """Lossless files give back what was written."""
    assert (decode(encoded(Image.fromarray(GREY)))[:, :, 0] == GREY).all()
    assert (decode(encoded(Image.fromarray(COLOUR))) == COLOUR).all()


def test_a_path_bytes_and_an_open_file_give_the_same(tmp_path: Path) -> None:
    """`predict` takes files, folders and standard input."""
    content = encoded(Image.fromarray(COLOUR))
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    for source in (path, str(path), content, io.BytesIO(content)):
        assert (decode(source) == COLOUR).all()


def test_sixteen_bits_are_scaled_to_eight() -> None:
    """White stays white, and each level is the nearest: 65535 / 255 = 257."""
    wide = np.array([[0, 128, 129, 257, 65535, 40000]], np.uint16)
    pixels = decode(encoded(Image.fromarray(wide)))
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 1, 255, 156]


def test_thirty_two_bits_and_floats_are_refused() -> None:
    """Nobody knows which value is white."""
    for dtype in (np.int32, np.float32):
        wide = Image.fromarray(np.full((4, 4), 70000, dtype))
        with pytest.raises(UsageError, match="more than 16 bits"):
            decode(encoded(wide, "TIFF"))


def test_transparent_parts_are_composited_on_black() -> None:
    """Half-transparent white is mid grey; what is under full transparency does not show."""
    alpha = np.array([[0, 128, 255]], np.uint8)
    layers = np.dstack([np.full((1, 3), 255, np.uint8), alpha])
    assert decode(encoded(Image.fromarray(layers)))[0, :, 0].tolist() == [0, 128, 255]
    four = np.dstack([np.full((1, 3, 3), 200, np.uint8), alpha])
    assert decode(encoded(Image.fromarray(four)))[0].tolist() == [[0] * 3, [100] * 3, [200] * 3]


def test_a_transparent_colour_of_a_palette_is_black() -> None:
    """GIF and PNG can name one colour, or give each its own opacity."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    assert decode(encoded(image))[0].tolist() == [[255, 0, 0], [0, 255, 0]]
    single = encoded(image, transparency=0)
    assert decode(single)[0].tolist() == [[0, 0, 0], [0, 255, 0]]
    each = encoded(image, transparency=bytes([255, 0]))
    assert decode(each)[0].tolist() == [[255, 0, 0], [0, 0, 0]]


def test_a_transparent_grey_keeps_one_channel() -> None:
    """PNG's tRNS chunk may go with a grey picture."""
    content = encoded(Image.fromarray(np.array([[9, 80]], np.uint8)), transparency=80)
    assert decode(content).tolist() == [[[9], [0]]]
    assert probe(content).grey


def test_one_bit_pictures_are_black_and_white() -> None:
    """And not 0 and 1."""
    image = Image.fromarray(np.array([[True, False]]))
    assert decode(encoded(image))[0, :, 0].tolist() == [255, 0]


def test_cmyk_becomes_rgb() -> None:
    """Print-ready JPEGs turn up among photographs."""
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    pixels = decode(encoded(image, "JPEG", quality=95))
    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels[4, 4].astype(int) - [255, 0, 0]).max() < 10


def test_the_first_frame_of_an_animation_counts() -> None:
    """A frame is a picture; which of them could be asked for by none."""
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert set(decode(content).ravel()) == {10}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(9))
def test_pictures_stand_upright_as_exif_says(orientation: int, format: str) -> None:
    """The eight turns and mirrorings that a camera notes, and a value that means nothing."""
    pixels = np.zeros((24, 40), np.uint8)
    pixels[:8, :8] = 255  # a light corner, at the upper left
    stored = {
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: np.rot90(pixels),
        7: pixels[::-1, ::-1].T,
        8: np.rot90(pixels, -1),
    }.get(orientation, pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    options = {"lossless": True} if format == "WEBP" else {}
    content = encoded(image, format, exif=exif, **options)
    found = decode(content)
    assert found.shape[:2] == (24, 40)
    assert found[:8, :8].min() > 240
    assert found[16:].max() < 15
    assert probe(content)[:2] == (24, 40)


def test_a_picture_of_one_pixel_is_a_picture() -> None:
    """The smallest case of every index."""
    assert decode(encoded(Image.new("L", (1, 1), 7))).tolist() == [[[7]]]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_cut_off_file_is_damaged_or_no_picture(format: str) -> None:
    """Never a traceback, at whatever length it ends."""
    content = encoded(Image.fromarray(np.tile(COLOUR, (9, 9, 1))), format)
    lengths = range(1, len(content) // 2, 29)
    errors = [failure(decode, content[:length]) for length in lengths]
    assert all(error and error.message.startswith("the picture ") for error in errors)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_garbled_bytes_raise_nothing_unexpected(format: str) -> None:
    """Pillow raises many kinds of errors; all become one of two."""
    content = encoded(Image.fromarray(COLOUR), format)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        garbled = np.frombuffer(content, np.uint8).copy()
        garbled[rng.integers(0, len(garbled), 3)] = rng.integers(0, 256, 3)
        failure(decode, garbled.tobytes())
        failure(probe, garbled.tobytes())


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    """Text, nothing, a folder, a pipe, and no file at all."""
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UsageError, match=r"notes\.txt is not a picture"):
        decode(tmp_path / "notes.txt")
    with pytest.raises(CorruptFile, match=r"empty\.png is empty"):
        decode(tmp_path / "empty.png")
    with pytest.raises(UsageError, match=r"pipe\.png: not a regular file"):
        decode(tmp_path / "pipe.png")
    with pytest.raises(UsageError, match="cannot read"):
        decode(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        decode(tmp_path / "absent.png")


def test_a_picture_is_bounded_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes of PNG can claim gigapixels."""
    for size in ((40_000, 1), (10_000, 8_000), (10_000, 10_000), (20_000, 20_000)):
        with pytest.raises(UsageError, match="too large"):
            decode(claiming(*size))
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    with pytest.raises(UsageError, match="has more than"):
        decode(encoded(Image.fromarray(GREY)))


def test_npy_pictures_need_no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board may have NumPy only."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert (decode(npy(COLOUR)) == COLOUR).all()
    assert (decode(npy(GREY))[:, :, 0] == GREY).all()
    assert probe(npy(GREY)) == (5, 7, True)
    with pytest.raises(NotPossible, match="Pillow is needed") as caught:
        decode(b"\x89PNG")
    assert "pip install pillow" in str(caught.value.hint)


def test_an_array_that_is_no_picture_is_refused() -> None:
    """By its header: neither pickles nor sizes that the file does not have are read."""
    for array in (GREY.astype(np.float32), COLOUR[None], COLOUR[:, :, :2], np.array([{}])):
        with pytest.raises(UsageError, match="no picture"):
            decode(npy(array))
    for content in (npy(COLOUR)[:-1], npy(COLOUR) + b"\0", npy(COLOUR)[:20], npy(COLOUR)[:6]):
        with pytest.raises(CorruptFile, match="damaged"):
            decode(content)
    with pytest.raises(CorruptFile, match="no pixels"):
        decode(npy(GREY[:0]))
    claims = npy(GREY).replace(b"(5, 7)", b"(9**9,")
    with pytest.raises(CorruptFile, match="damaged"):
        decode(claims)
