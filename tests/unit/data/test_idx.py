"""IDX files: whole ones are read, and nothing in a broken one is believed."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgenet.data import idx
from edgenet.errors import CorruptFile, DataUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ARRAY = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
CONTENT = idx.encode_header(ARRAY.shape) + ARRAY.tobytes()

MD5_OF_A_SMALL_FILE = "4dde75878d3726cb1b635a41b62417c2"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_plain_or_gzip_whatever_its_name(tmp_path: Path, packed: bool) -> None:
    """Distributions differ in what they call the same files."""
    path = tmp_path / "pictures"
    path.write_bytes(gzip.compress(CONTENT) if packed else CONTENT)
    array = idx.read(path)
    assert array.dtype == np.uint8
    assert (array == ARRAY).all()
    array[0] = 0  # it may be written to, as torch.from_numpy wants it


def test_a_large_file_is_inflated_in_pieces(tmp_path: Path) -> None:
    """Compressed content of more than one piece joins without a seam."""
    array = np.random.default_rng(0).integers(0, 256, (300, 1000), dtype=np.uint8)
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(idx.encode_header(array.shape) + array.tobytes(), 1))
    assert (idx.read(path) == array).all()


def test_the_md5_is_that_of_the_unpacked_file() -> None:
    """Published checksums are compared without keeping the file's own bytes."""
    assert idx.md5_of(np.array([[1, 2], [3, 4]], np.uint8)) == MD5_OF_A_SMALL_FILE


def broken_files() -> dict[str, bytes]:
    """Contents that are each wrong in one way."""
    claims = struct.pack(">HBB3I", 0, 8, 3, 60_000, 1 << 14, 1 << 14)
    packed = gzip.compress(CONTENT)
    flipped = bytearray(packed)
    flipped[-6] ^= 1
    return {
        "empty": b"",
        "short header": CONTENT[:3],
        "header cut off": CONTENT[:10],
        "other magic": b"\x01" + CONTENT[1:],
        "floats": b"\0\0\x0d" + CONTENT[3:],
        "no axes": struct.pack(">HBB", 0, 8, 0) + b"1",
        "ten axes": struct.pack(">HBB10I", 0, 8, 10, *[1] * 10) + b"1",
        "one byte missing": CONTENT[:-1],
        "one byte more": CONTENT + b"\0",
        "claims terabytes": claims,
        "claims terabytes, gzip": gzip.compress(claims),
        "claims 900 MB, gzip": gzip.compress(struct.pack(">HBBI", 0, 8, 1, 900_000_000)),
        "gzip with one byte missing": gzip.compress(CONTENT[:-1]),
        "gzip with one byte more": gzip.compress(CONTENT + b"\0"),
        "gzip cut off": packed[:-4],
        "gzip cut in the middle": packed[:40],
        "gzip with bytes after it": packed + b"\0",
        "gzip with a wrong checksum": bytes(flipped),
        "gzip bomb": gzip.compress(CONTENT + bytes(1 << 22)),
        "zlib, not gzip": zlib.compress(CONTENT),
        "gzip magic only": b"\x1f\x8b",
    }


@pytest.mark.parametrize("kind", list(broken_files()))
def test_a_broken_file_is_named(tmp_path: Path, kind: str) -> None:
    """No traceback, no memory taken for what a header merely claims."""
    path = tmp_path / "broken"
    path.write_bytes(broken_files()[kind])
    with pytest.raises(CorruptFile, match="broken is not a whole IDX file"):
        idx.read(path)


def test_an_absent_file_is_unavailable(tmp_path: Path) -> None:
    """It is no damage when a file was never there."""
    with pytest.raises(DataUnavailable, match="No such file"):
        idx.read(tmp_path / "absent")
