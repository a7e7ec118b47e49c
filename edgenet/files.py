"""Files that are written whole or not at all, content hashes, and where caches lie.

A reader never meets half a file: content goes to a temporary file in the same folder, is flushed
to the disk and takes the final name in one rename. This module belongs to the Python 3.6 zone.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Iterator

from edgenet.errors import EdgenetError, UsageError

_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes ``path`` when the block ends without an error.

    Raises:
        EdgenetError: The disk is full or the folder cannot be written; ``path`` is as it was.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=str(path.parent), prefix="." + path.name + "-")
    try:
        with _explained(path):
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, str(path))
            _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with write_atomically(path) as file:
        file.write(text.encode("utf-8"))


@contextlib.contextmanager
def new_folder_atomically(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Make a temporary folder that becomes ``path`` when the block ends without an error.

    Args:
        path: The folder to appear, with all of its content at once.
        overwrite: Replace a folder that is already there; otherwise it is an error.

    Raises:
        UsageError: ``path`` exists and is not to be overwritten.
        EdgenetError: The disk is full or the place cannot be written.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UsageError("{} already exists".format(path), "choose another name, or overwrite it")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=str(path.parent), prefix="." + path.name + "-"))
    try:
        with _explained(path):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                if file.is_file():
                    _flush(file)
            _swap_in(temporary, path)
            _flush_folder(path.parent)
    except BaseException:
        shutil.rmtree(str(temporary), ignore_errors=True)
        raise


def numbered_folder(parent: Path, name: str, hint: str, exist_ok: bool = False) -> Path:
    """Make a folder; a name that is taken gets a number.

    Args:
        parent: Made with its own parents where it is absent.
        name: Wanted name of the folder.
        hint: What to do where it cannot be made.
        exist_ok: Return the folder of that name even if it is there.

    Raises:
        EdgenetError: It cannot be made.
    """
    number = 1
    while True:
        path = parent / (name if number == 1 else "{}-{}".format(name, number))
        try:
            path.mkdir(parents=True, exist_ok=exist_ok)
        except FileExistsError:
            number += 1
        except OSError as error:
            message = "cannot make the folder {}: {}".format(path, error.strerror)
            raise EdgenetError(message, hint) from error
        else:
            return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal, reading it in blocks."""
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def cache_root() -> Path:
    """Return the folder of all caches: ``$XDG_CACHE_HOME/edgenet``, else ``~/.cache/edgenet``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "edgenet"


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write ``path`` into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = "no space left on the disk to write {}".format(path)
            raise EdgenetError(message, "free some space, or write to another disk") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            place = error.filename or path
            message = "cannot write {}: {}".format(place, os.strerror(error.errno))
            raise EdgenetError(message, "choose a folder that you may write to") from error
        raise


def _swap_in(folder: Path, path: Path) -> None:
    """Give ``folder`` the name ``path``; what had that name before is removed after the rename."""
    if path.exists():
        retired = Path(tempfile.mkdtemp(dir=str(path.parent), prefix="." + path.name + "-old-"))
        os.replace(str(path), str(retired / "old"))
        os.replace(str(folder), str(path))
        shutil.rmtree(str(retired), ignore_errors=True)
    else:
        os.replace(str(folder), str(path))


def _flush(file: Path) -> None:
    descriptor = os.open(str(file), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    _flush(folder)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
