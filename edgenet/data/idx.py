"""Reading IDX files, plain or gzip: the format of MNIST and its relatives.

The header's claims are checked against bounds and against the file's length before memory is
taken for the content.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from edgenet.errors import CorruptFile, DataUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 1 << 30

_UNSIGNED_BYTE = 0x08
_MAX_AXES = 4
_LONGEST_HEADER = 4 + 4 * _MAX_AXES
_PIECE_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for a gzip frame with the largest window
_DEFLATE_MAX_RATIO = 1032


def read(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Args:
        path: The file; gzip is told by its first bytes, not by its name.

    Returns:
        uint8, of the shape in the header, with 1 to 4 axes.

    Raises:
        DataUnavailable: The file cannot be read.
        CorruptFile: It is no IDX file of bytes, is damaged, or claims more than 1 GiB.

    Source:
        Y. LeCun, "The MNIST database", section "File formats"; RFC 1952 (gzip).
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptFile(f"{path} is larger than {MAX_BYTES >> 30} GiB")
        raw = path.read_bytes()
    except OSError as error:
        raise DataUnavailable(f"cannot read {path}: {error.strerror}") from error
    try:
        return _unpack(raw) if raw.startswith(_GZIP_MAGIC) else _parse(raw)
    except (ValueError, zlib.error) as error:
        raise CorruptFile(f"{path} is not a whole IDX file: {error}") from error


def md5_of(array: NDArray[np.uint8]) -> str:
    """Return the MD5, in hexadecimal, of the unpacked IDX file that holds ``array``.

    Data sets publish it; it guards against damage, not against malice.
    """
    digest = hashlib.md5(encode_header(array.shape), usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file of unsigned bytes of this shape."""
    return struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape)


def _unpack(raw: bytes) -> NDArray[np.uint8]:
    """Parse the content of a gzip file, inflating no more than its header speaks of."""
    shape = _shape(zlib.decompressobj(_GZIP_WINDOW).decompress(raw, _LONGEST_HEADER))
    start = len(encode_header(shape))
    length = start + math.prod(shape)
    if length > _DEFLATE_MAX_RATIO * len(raw):
        raise ValueError("it is too short for its header")
    # Piece by piece into its final place: memory is touched once, which halves the time.
    content = np.empty(length, np.uint8)
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    filled = 0
    for position in range(0, len(raw), _PIECE_BYTES):
        piece = inflater.decompress(raw[position : position + _PIECE_BYTES], length - filled + 1)
        if filled + len(piece) > length:
            break
        content[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    if filled != length or not inflater.eof or inflater.unused_data:
        raise ValueError("it does not end where its header says")
    return content[start:].reshape(shape)


def _parse(raw: bytes) -> NDArray[np.uint8]:
    """Parse plain content into an array of its own, which may be written to."""
    shape = _shape(raw)
    start = len(encode_header(shape))
    if len(raw) != start + math.prod(shape):
        raise ValueError(f"it has {len(raw)} bytes, which its header contradicts")
    return np.array(np.frombuffer(raw, np.uint8, offset=start).reshape(shape))


def _shape(content: bytes) -> tuple[int, ...]:
    if len(content) < 4:
        raise ValueError("it has no header")
    zero, kind, axes = struct.unpack_from(">HBB", content)
    if zero != 0 or kind != _UNSIGNED_BYTE or not 1 <= axes <= _MAX_AXES:
        raise ValueError("its header is not one of unsigned bytes")
    if len(content) < 4 + 4 * axes:
        raise ValueError("its header is cut off")
    shape: tuple[int, ...] = struct.unpack_from(f">{axes}I", content, 4)
    if math.prod(shape) > MAX_BYTES:
        raise ValueError(f"its header claims the shape {list(shape)}")
    return shape
