"""ZIP archives that nobody vouches for."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenet.runner.archive import check_directory, read_members, write_archive
from edgenet.runner.fields import FieldError


def _zip(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _zip64(members: int, directory_bytes: int) -> bytes:
    """Return the records at the end of an archive, as PyTorch writes them."""
    far = b"PK\x06\x06" + struct.pack(
        "<QHHIIQQQQ", 44, 45, 45, 0, 0, members, members, directory_bytes, 0
    )
    near = b"PK\x05\x06" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    return far + b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1) + near


def test_what_is_written_is_read() -> None:
    """And the same members give the same bytes, whenever they are written."""
    members = {"version": b"6", "data/0": bytes(range(256))}
    assert read_members(io.BytesIO(write_archive(members))) == members
    assert write_archive(members) == write_archive(dict(members))


def test_the_folder_that_all_members_lie_in_may_have_any_name() -> None:
    """PyTorch names it after the file."""
    assert read_members(io.BytesIO(_zip(("x/a", b"1"), ("x/b", b"2")))) == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an archive"),
        (b"PK", "not an archive"),
        (b"PK\x05\x06" + b"\0" * 17 + b"\1", "not an archive"),
        (_zip(("x/a", b"1")) + b"more", "not an archive"),
        (b"PK\x05\x06" + b"\0" * 6 + b"\xff\xff" + b"\0" * 10, "more than 10000 members"),
        (_zip64(1 << 40, 100), "more than 10000 members"),
        (_zip64(1, 1 << 40), "more than 10000 members"),
        (_zip64(1, 100)[3:], "not an archive"),
        (_zip(("x/../a", b"1")), "does not belong"),
        (_zip(("x/a", b"1"), ("/etc/passwd", b"2")), "does not belong"),
        (_zip(("x/a b", b"1")), "does not belong"),
        (_zip(("x/a", b"1" * 100), compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (_zip(("x/a", b"1" * 100), compression=zipfile.ZIP_BZIP2), "is compressed"),
    ],
)
def test_another_archive_is_refused_with_the_reason(content: bytes, complaint: str) -> None:
    """Lengths of directories, names, and what unpacks."""
    with pytest.raises(FieldError, match=complaint):
        read_members(io.BytesIO(content))


def test_a_name_that_is_there_twice_is_refused() -> None:
    """One reader would take the first, another the last."""
    with pytest.warns(UserWarning, match="Duplicate"):
        content = _zip(("x/a", b"1"), ("x/a", b"2"))
    with pytest.raises(FieldError, match="twice"):
        read_members(io.BytesIO(content))


def test_members_that_share_their_bytes_are_refused() -> None:
    """A directory may name one megabyte ten thousand times."""
    content = bytearray(_zip(("x/a", b"1" * 5000), ("x/b", b"2")))
    directory = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", directory + 1)
    for place in (20, 24, 16):  # packed length, length, checksum
        content[second + place : second + place + 4] = content[
            directory + place : directory + place + 4
        ]
    with pytest.raises(FieldError, match="overlap"):
        read_members(io.BytesIO(content))


def test_packed_members_are_read_where_that_is_said_and_bombs_never_are() -> None:
    """Code packs 3 to 10 times, zeros a thousand times."""
    code = _zip(("x/a", b"input = torch.relu(input)\n" * 9), compression=zipfile.ZIP_DEFLATED)
    assert len(read_members(io.BytesIO(code), packed=True)["a"]) == 234
    bomb = _zip(("x/a", bytes(2_000_000)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FieldError, match="unpacks to 2000000 bytes"):
        read_members(io.BytesIO(bomb), packed=True)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_makes_the_reader_raise_anything_but_a_field_error(data: st.DataObject) -> None:
    """Bytes changed anywhere, in records, names and lengths."""
    content = bytearray(_zip(("x/a", b"1" * 9), ("x/é", b"2")))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FieldError):
        check_directory(io.BytesIO(content), 5)
        read_members(io.BytesIO(content), packed=True)
