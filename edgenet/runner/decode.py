"""From a picture file of any usual kind to grey or RGB bytes; every failure names the file.

Pillow decodes; a ``.npy`` picture needs only NumPy. A picture's size is known from its header and
is bounded before memory is taken for its pixels.
"""

import contextlib
import io
import os
import stat
import warnings
from typing import Any, BinaryIO, Iterator, NamedTuple, Tuple, Union

import numpy as np

from edgenet.errors import CorruptFile, NotPossible, UsageError

Source = Union[str, "os.PathLike[str]", bytes, BinaryIO]

MAX_FILE_BYTES = 1 << 28
MAX_PIXELS = 1 << 26  # below Pillow's own limit against decompression bombs
MAX_SIDE = 1 << 15

_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_EXIF_ORIENTATION = 0x0112
_NPY_MAGIC = b"\x93NUMPY"
_SMALLER = "give a smaller picture"


class Header(NamedTuple):
    """What a picture's header says: its upright size in pixels, and whether it is grey."""

    height: int
    width: int
    grey: bool


def decode(source: Source) -> np.ndarray:
    """Decode a picture, upright, with transparent parts on black.

    Of an animation the first frame counts. 16-bit pixels are scaled to 8 bits, palettes and CMYK
    become RGB, and the orientation that EXIF states is applied.

    Args:
        source: A path, the file's content, or a binary file open for reading. A ``.npy`` file
            holds the picture itself: uint8 [H, W], [H, W, 1] or [H, W, 3].

    Returns:
        uint8 [H, W, C]; C is 1 for a grey picture and 3 (RGB) for any other.

    Raises:
        UsageError: There is no such file, it is no picture, or not one of a supported kind or size.
        CorruptFile: The picture is damaged.
        NotPossible: Pillow is not installed, and the picture needs it.
    """
    name, content = _read(source)
    if content.startswith(_NPY_MAGIC):
        return _decode_npy(name, content)
    with _quiet_pillow():
        image = _open(name, content)
        try:
            image.load()
            if image.mode == "F" or (image.mode == "I" and not _fits_16_bits(image)):
                pixels = None
            else:
                pixels = _upright(_pixels(image), _orientation(image))
        except Exception as error:  # a broken picture makes Pillow raise anything
            raise CorruptFile("{} is damaged: {}".format(name, _reason(error))) from error
    if pixels is None:
        message = "{} has pixels of more than 16 bits, whose range is not known".format(name)
        raise UsageError(message, "save it with 8 or 16 bits a channel")
    return np.ascontiguousarray(pixels)


def probe(source: Source) -> Header:
    """Read a picture's header only.

    Raises:
        UsageError: There is no such file, it is no picture, or it is too large.
        CorruptFile: The header is damaged.
        NotPossible: Pillow is not installed, and the picture needs it.
    """
    name, content = _read(source)
    if content.startswith(_NPY_MAGIC):
        height, width, channels = _decode_npy(name, content).shape
        return Header(height, width, channels == 1)
    with _quiet_pillow():
        image = _open(name, content)
        # Pillow gives the upright size of a TIFF, and of nothing else.
        turned = image.format != "TIFF" and _orientation(image) >= 5
        width, height = image.size[::-1] if turned else image.size
        return Header(height, width, image.mode in _GREY_MODES)


def _read(source: Source) -> Tuple[str, bytes]:
    """Return a name for messages and the whole content, whose size is bounded first."""
    if isinstance(source, bytes):
        name, content = "the picture", source
    elif isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        try:
            with open(name, "rb", opener=_open_regular) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise UsageError("cannot read {}: {}".format(name, _reason(error))) from error
    else:
        name = str(getattr(source, "name", "the picture"))
        content = source.read(MAX_FILE_BYTES + 1)
    if not content:
        raise CorruptFile("{} is empty".format(name))
    if len(content) > MAX_FILE_BYTES:
        raise UsageError("{} has more than {} MiB".format(name, MAX_FILE_BYTES >> 20), _SMALLER)
    return name, content


def _open_regular(name: str, flags: int) -> int:
    """Open a file, but no pipe or device: reading one may never end."""
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError("not a regular file")


@contextlib.contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence Pillow's remarks on odd metadata for a while: they say nothing of the pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(name: str, content: bytes) -> Any:
    """Open a picture with Pillow, which reads its header, and bound its size."""
    try:
        from PIL import Image
    except ImportError as error:
        message = "Pillow is needed to decode {}, and is not installed".format(name)
        hint = "install it (pip install pillow), or give a .npy file"
        raise NotPossible(message, hint) from error
    try:
        image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise UsageError("{} is too large: {}".format(name, error), _SMALLER) from error
    except Exception as error:  # a broken header makes Pillow raise anything
        message = "{} is not a picture that Pillow can read".format(name)
        raise UsageError(message, "give a PNG, JPEG, BMP, GIF, TIFF, WebP or .npy file") from error
    width, height = image.size
    _bound(name, height, width)
    return image


def _bound(name: str, height: int, width: int) -> None:
    """Refuse a picture whose pixels would take too much memory."""
    if height < 1 or width < 1:
        raise CorruptFile("{} has no pixels".format(name))
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        message = "{} is too large: {} x {} pixels".format(name, width, height)
        hint = "at most {} a side and {} in all".format(MAX_SIDE, MAX_PIXELS)
        raise UsageError(message, hint)


def _pixels(image: Any) -> np.ndarray:
    """Return a loaded Pillow image as uint8 [H, W, 1 or 3]."""
    grey = image.mode in _GREY_MODES
    if image.mode.startswith("I"):
        # 65535 / 255 = 257: the brightest stays the brightest, and the nearest level is taken.
        wide = np.asarray(image).astype(np.uint32)
        return ((wide + 128) // 257).astype(np.uint8)[:, :, np.newaxis]
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        layers = np.asarray(image.convert("RGBA")).astype(np.uint16)
        on_black = ((layers[:, :, :3] * layers[:, :, 3:] + 127) // 255).astype(np.uint8)
        return on_black[:, :, :1] if grey else on_black
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels[:, :, np.newaxis] if grey else pixels


def _fits_16_bits(image: Any) -> bool:
    """Tell whether 32-bit pixels hold 16-bit values, as those of a PNG do in older Pillows."""
    lowest, highest = image.getextrema()
    return bool(lowest >= 0 and highest <= 0xFFFF)


def _orientation(image: Any) -> int:
    """Return EXIF's orientation, 1 (upright) to 8; 1 where there is none or it makes no sense."""
    getexif = getattr(image, "getexif", None) or getattr(image, "_getexif", None)
    try:
        exif = getexif() if getexif else None
    except Exception:  # noqa: BLE001 - broken metadata makes Pillow raise anything; pixels are fine
        return 1
    value = exif.get(_EXIF_ORIENTATION) if exif else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the turn or mirroring that the camera noted.

    Source:
        Exif 2.32 (CIPA DC-008), section 4.6.4, tag Orientation.
    """
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _decode_npy(name: str, content: bytes) -> np.ndarray:
    """Read a picture from the bytes of a ``.npy`` file, its header checked before its pixels."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    except Exception as error:  # the header is a Python literal, and fails in any way
        raise CorruptFile("{} is damaged: {}".format(name, _reason(error))) from error
    layout = len(shape) in (2, 3) and shape[2:] in ((), (1,), (3,)) and not fortran
    if dtype != np.uint8 or not layout:
        message = "{} holds {} {}, which is no picture".format(name, dtype, list(shape))
        raise UsageError(message, "a .npy picture is uint8 [H, W], [H, W, 1] or [H, W, 3]")
    height, width = shape[:2]
    _bound(name, height, width)
    channels = shape[2] if len(shape) == 3 else 1
    pixels = np.frombuffer(content, np.uint8, offset=file.tell())
    if pixels.size != height * width * channels:
        raise CorruptFile("{} is damaged: its size is not what its header says".format(name))
    return pixels.reshape(height, width, channels)


def _reason(error: BaseException) -> str:
    """Say in one line what the system, Pillow or NumPy had to say."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
