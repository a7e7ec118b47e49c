"""From a picture to the network's uint8 input: the same lines at the desk and on the board.

Grey/RGB conversion, resizing and polarity happen here, after :mod:`edgenet.runner.decode`;
normalisation and zero padding are in the exported graph. All arithmetic is on integers, or on
integers that float64 holds exactly, so that a picture gives the same bytes on every machine.
"""

import functools
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from edgenet.errors import CorruptFile, UsageError
from edgenet.runner.decode import Header, Source, decode, probe

__all__ = [
    "MAX_INPUT_SIDE",
    "MODES",
    "POLARITIES",
    "Header",
    "Preprocessing",
    "Source",
    "border_level",
    "decode",
    "looks_inverted",
    "prepare",
    "probe",
]

MODES = {"L": 1, "RGB": 3}
POLARITIES = ("light-on-dark", "dark-on-light")
MAX_INPUT_SIDE = 1024

_LARGEST_NUMBER = 1e6  # NaN is not below it either
_WEIGHT_BITS = 22
_BLOCK_PIXELS = 1 << 18


class Preprocessing(NamedTuple):
    """What turns a picture into the network's input, as a checkpoint and a bundle declare it.

    Attributes:
        mode: ``L`` (grey, one channel) or ``RGB``.
        height: Rows of the input in pixels, before padding.
        width: Columns of the input in pixels, before padding.
        resize: ``stretch``: antialiased bilinear to exactly height x width.
        mean: Per channel, of pixels in [0, 1]; subtracted in the graph.
        std: Per channel, of pixels in [0, 1]; divided by in the graph.
        pad: Zero pixels added on every side, in the graph, before normalising.
        polarity: ``light-on-dark``, ``dark-on-light``, or None where the data are mixed.
    """

    mode: str
    height: int
    width: int
    resize: str
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    pad: int = 0
    polarity: Optional[str] = None

    @property
    def shape(self) -> Tuple[int, int, int]:
        """The shape (C, H, W) of one prepared picture."""
        return MODES[self.mode], self.height, self.width

    def to_json(self) -> Dict[str, Any]:
        """Return plain JSON values; :meth:`from_json` reads them back."""
        return dict(self._asdict(), mean=list(self.mean), std=list(self.std))

    @classmethod
    def from_json(cls, value: Any) -> "Preprocessing":
        """Read what :meth:`to_json` wrote, and trust nothing in it.

        Raises:
            CorruptFile: A field is missing, unknown or out of its range.
        """
        if not isinstance(value, dict) or set(value) != set(cls._fields):
            raise CorruptFile("the preprocessing must have exactly: " + ", ".join(cls._fields))
        channels = MODES.get(value["mode"]) if isinstance(value["mode"], str) else None
        checks = {
            "mode": channels is not None,
            "height": _is_whole(value["height"], 1),
            "width": _is_whole(value["width"], 1),
            "resize": value["resize"] == "stretch",
            "mean": _are_numbers(value["mean"], channels),
            "std": _are_numbers(value["std"], channels) and min(value["std"]) > 0,
            "pad": _is_whole(value["pad"], 0),
            "polarity": value["polarity"] is None or value["polarity"] in POLARITIES,
        }
        wrong = [field for field in cls._fields if not checks[field]]
        if wrong:
            message = "the preprocessing's {} cannot be {!r}".format(wrong[0], value[wrong[0]])
            raise CorruptFile(message)
        numbers = {field: tuple(float(x) for x in value[field]) for field in ("mean", "std")}
        return cls(**dict(value, **numbers))


def prepare(picture: np.ndarray, preprocessing: Preprocessing, invert: bool = False) -> np.ndarray:
    """Bring a decoded picture to the network's mode, size and layout.

    Args:
        picture: uint8 [H, W, C] with C 1 (grey) or 3 (RGB), as :func:`decode` gives it.
        preprocessing: Says the mode and the size.
        invert: Exchange light and dark.

    Returns:
        uint8 [C, height, width].

    Raises:
        UsageError: ``picture`` has another type or shape.

    Source:
        Pillow's ``Image.resize(..., BILINEAR)``: a triangle filter whose support grows with the
        reduction; 22-bit weights; the horizontal pass first, each pass rounded to 8 bits. (From
        version 13 Pillow orders the passes by cost, which moves a pixel by one level at most.)
        Grey is ITU-R BT.601 luma with Pillow's 16-bit weights.
    """
    _check(picture)
    rows, columns = picture.shape[:2]
    channels, height, width = preprocessing.shape
    across = _resize_weights(columns, width)
    down = _resize_weights(rows, height)
    narrow = np.empty((rows, channels, width), np.uint8)
    step = max(1, _BLOCK_PIXELS // columns)
    for start in range(0, rows, step):
        block = _converted(picture[start : start + step], preprocessing.mode)
        if invert:
            block = 255 - block
        planes = block.transpose(0, 2, 1).astype(np.float64)
        narrow[start : start + step] = _rounded(planes @ across)
    resized = _rounded(down.T @ narrow.reshape(rows, -1).astype(np.float64))
    return np.ascontiguousarray(resized.reshape(height, channels, width).transpose(1, 0, 2))


def border_level(picture: np.ndarray) -> float:
    """Return how light a picture's outermost pixels are on average, from 0 (black) to 1 (white).

    Args:
        picture: uint8 [H, W, C] with C 1 (grey) or 3 (RGB).

    Raises:
        UsageError: ``picture`` has another type or shape.
    """
    _check(picture)
    ring = [picture[:1], picture[-1:], picture[1:-1, :1], picture[1:-1, -1:]]
    pixels = np.concatenate([edge.reshape(1, -1, picture.shape[2]) for edge in ring], axis=1)
    return float(_converted(pixels, "L").mean()) / 255


def looks_inverted(picture: np.ndarray, polarity: Optional[str]) -> bool:
    """Tell whether a picture's border speaks against the polarity of the training pictures.

    Args:
        picture: uint8 [H, W, C].
        polarity: That of the training pictures; None, where they were mixed, speaks for nothing.
    """
    if polarity is None:
        return False
    return (border_level(picture) > 0.5) == (polarity == "light-on-dark")


def _check(picture: np.ndarray) -> None:
    shape = picture.shape
    if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        message = "a picture is uint8 [H, W, 1 or 3], not {} {}".format(picture.dtype, list(shape))
        raise UsageError(message)


def _converted(picture: np.ndarray, mode: str) -> np.ndarray:
    """Return uint8 [H, W, C] with the channels of ``mode``."""
    if picture.shape[2] == MODES[mode]:
        return picture
    if mode == "RGB":
        return np.repeat(picture, 3, axis=2)
    luma = picture.astype(np.uint32) @ np.array([[19595], [38470], [7471]], np.uint32)
    return ((luma + 0x8000) >> 16).astype(np.uint8)


@functools.lru_cache(maxsize=16)
def _resize_weights(size: int, new_size: int) -> np.ndarray:
    """Return the filter's weights, whole numbers scaled by 2**22, as float64 [size, new_size]."""
    scale = size / new_size
    support = max(scale, 1.0)
    weights = np.zeros((size, new_size))
    for column in range(new_size):
        centre = (column + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        distance = np.abs(np.arange(first, last) - centre + 0.5) / support
        triangle = np.maximum(1.0 - distance, 0.0)
        triangle /= triangle.sum()
        weights[first:last, column] = np.floor(triangle * (1 << _WEIGHT_BITS) + 0.5)
    weights.setflags(write=False)
    return weights


def _rounded(sums: np.ndarray) -> np.ndarray:
    """Divide by 2**22, round half up and clip to uint8: exact, as all sums are below 2**53."""
    half = 1 << (_WEIGHT_BITS - 1)
    levels = np.floor((sums + half) / (1 << _WEIGHT_BITS))
    return np.clip(levels, 0, 255).astype(np.uint8)


def _is_whole(value: Any, least: int) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and least <= value <= MAX_INPUT_SIDE


def _are_numbers(values: Any, n: Optional[int]) -> bool:
    if not isinstance(values, (list, tuple)) or len(values) != n:
        return False
    numbers = [isinstance(x, (int, float)) and not isinstance(x, bool) for x in values]
    return all(numbers) and all(abs(x) <= _LARGEST_NUMBER for x in values)
