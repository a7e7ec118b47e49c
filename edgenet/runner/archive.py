"""ZIP archives that nobody vouches for: bounded before they are read, and written anew.

`zipfile` reads an archive's whole directory at once, as long as the record at the file's end says
it is. So that record is read first, here, in the one place where `zipfile` looks for it. PyTorch
has a ZIP reader of its own, and two readers can see two archives in one file; so PyTorch gets the
members that were read and checked here, in an archive written by this module.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16.
"""

import io
import os
import re
import struct
import zipfile
from typing import BinaryIO, Dict, Mapping, Sequence, Tuple, Type

from edgenet.runner.fields import FieldError

FAULTS: Tuple[Type[Exception], ...] = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    NotImplementedError,  # an unknown compression
    OSError,
    RuntimeError,  # an encrypted member
    ValueError,  # a name that is not UTF-8
    struct.error,
)
"""What `zipfile` raises for an archive that is damaged or hostile."""

MAX_MEMBERS = 10000
MAX_UNPACKED_BYTES = 1 << 31
_MAX_RATIO = 100  # of a member's unpacked length to its packed one; code packs 3 to 10 times
_SMALL_BYTES = 1 << 20  # may pack better than that

_END_BYTES = 22
_LOCATOR_BYTES = 20
_ZIP64_END_BYTES = 56
_DIRECTORY_BYTES_A_MEMBER = 1 << 10  # 46, the name, and what writers add


def check_directory(file: BinaryIO, most_members: int) -> None:
    """Refuse an archive whose directory holds too much; leave the file at its start.

    Args:
        file: Open for reading.
        most_members: How many members the archive may have.

    Raises:
        FieldError: It has more, or it is no archive, or something follows it.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _END_BYTES - _LOCATOR_BYTES - _ZIP64_END_BYTES))
    tail = file.read()
    record = tail[-_END_BYTES:]
    if len(record) < _END_BYTES or record[:4] != b"PK\x05\x06" or record[-2:] != b"\0\0":
        raise FieldError("it is not an archive")
    members, directory_bytes = struct.unpack("<HI", record[10:16])
    locator = tail[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES]
    if locator[:4] == b"PK\x06\x07":
        far_record = tail[: -_END_BYTES - _LOCATOR_BYTES]
        if len(far_record) != _ZIP64_END_BYTES or far_record[:4] != b"PK\x06\x06":
            raise FieldError("it is not an archive")
        members, directory_bytes = struct.unpack("<QQ", far_record[32:48])
    if members > most_members or directory_bytes > most_members * _DIRECTORY_BYTES_A_MEMBER:
        raise FieldError("it holds more than {} members".format(most_members))
    file.seek(0)


def read_members(file: BinaryIO, packed: bool = False) -> Dict[str, bytes]:
    """Read the members of an archive of PyTorch's, without the folder that all of them lie in.

    Args:
        file: Open for reading, of a length that the manifest bounds.
        packed: Members may be compressed.

    Raises:
        FieldError: It is no such archive, a member is named twice, or it unpacks to too much.
    """
    check_directory(file, MAX_MEMBERS)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            root = entries[0].filename.split("/")[0] + "/" if entries else ""
            for entry in entries:
                _check_entry(entry, root, packed)
            _check_whole(entries, archive.start_dir)
            members = {entry.filename[len(root) :]: archive.read(entry) for entry in entries}
    except FieldError:
        raise
    except FAULTS as error:
        raise FieldError("it is not an archive of PyTorch's: {}".format(error)) from None
    members.pop(".data/serialization_id", None)  # of no use to a reader
    return members


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return an archive with these members, always the same bytes for the same members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo("archive/" + name), content)  # dated 1980
    return file.getvalue()


def _check_whole(entries: Sequence[zipfile.ZipInfo], start_of_directory: int) -> None:
    if len({entry.filename for entry in entries}) != len(entries):
        raise FieldError("a member is there twice")
    if sum(entry.compress_size for entry in entries) > start_of_directory:
        raise FieldError("its members overlap")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED_BYTES:
        raise FieldError("it unpacks to {} bytes".format(total))


def _check_entry(entry: zipfile.ZipInfo, root: str, packed: bool) -> None:
    name = entry.filename[len(root) :]
    known = re.match(r"[A-Za-z0-9._/-]{1,512}\Z", name)
    if not entry.filename.startswith(root) or not known or ".." in name:
        raise FieldError("{!r} does not belong there".format(entry.filename[:80]))
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size:
        return
    if not packed or entry.compress_type != zipfile.ZIP_DEFLATED:
        raise FieldError("{!r} is compressed".format(name[:80]))
    if entry.file_size > max(_SMALL_BYTES, _MAX_RATIO * entry.compress_size):
        raise FieldError("{!r} unpacks to {} bytes".format(name[:80], entry.file_size))
