"""Opening a bundle that nobody vouches for.

A bundle is a folder that can only be run: a model file, ``manifest.json`` and ``golden.npz``. It
may come from anywhere, so everything is checked before it is used: names are plain, files are
regular files of this folder alone (no symbolic link, no hard link), lengths are compared before
a byte is read, and every file is hashed. What is wrong raises `CorruptFile` with the file's name.
"""

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, NamedTuple, Optional, Sequence

import numpy as np

from edgenet.errors import CorruptFile, UsageError
from edgenet.runner.arrays import ArrayRule, read_arrays
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.manifest import (
    GOLDEN_NAME,
    MANIFEST_NAME,
    MAX_PICTURES,
    FileInfo,
    Manifest,
)

__all__ = ["GOLDEN_NAME", "MANIFEST_NAME", "Bundle", "Manifest", "open_bundle"]

MAX_MANIFEST_BYTES = 1 << 20
MAX_GOLDEN_INPUTS = 256
_BLOCK_BYTES = 1 << 20


class Bundle(NamedTuple):
    """A bundle whose files were all found whole."""

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The model file."""
        return self.path / self.manifest.model

    @property
    def model_bytes(self) -> int:
        """The length of the model file."""
        return self.manifest.files[self.manifest.model].size_bytes

    def model_content(self) -> bytes:
        """Read the model file, whole and as it was hashed, for a runtime that takes no path.

        Raises:
            CorruptFile: The file was changed since the bundle was opened.
        """
        name = self.manifest.model
        info = self.manifest.files.get(name)  # none in a bundle that is being made
        with _open_plain(self.path, name) as file:
            content = file.read(info.size_bytes + 1 if info else -1)
        if info and hashlib.sha256(content).hexdigest() != info.sha256:
            message = "{} is not the file that was exported"
            raise CorruptFile(message.format(self.path / name), _AGAIN_HINT)
        return content

    def golden(self, names: Optional[Sequence[str]] = None) -> Dict[str, np.ndarray]:
        """Read the golden vectors.

        Args:
            names: The arrays wanted; all by default. The others are not read.

        Returns:
            ``inputs`` uint8 [n, C, H, W] with n of at most 256; ``parent_logits`` (where there is
            a parent) and ``logits`` float32 [n, K]; ``predictions_<digest>`` int16 [N] for each
            data set the parent was evaluated on, and ``own_predictions_<digest>`` for those that
            the file itself was, where it does not decide as its parent does. The parent of a
            quantized file is the FP32 one.

        Raises:
            CorruptFile: The file was changed, or an array is not what the manifest promises.
        """
        name = GOLDEN_NAME
        with _open_plain(self.path, name) as file:
            _check_content(file, self.path / name, self.manifest.files[name])
            file.seek(0)
            with _named(self.path / name):
                return read_arrays(file, self._golden_rules(), names)

    def _golden_rules(self) -> Sequence[ArrayRule]:
        classes = len(self.manifest.labels)
        pictures = MAX_GOLDEN_INPUTS
        return (
            ArrayRule("inputs", "u1", pictures, self.manifest.picture_shape, required=True),
            ArrayRule("logits", "<f4", pictures, (classes,), required=True),
            ArrayRule("parent_logits", "<f4", pictures, (classes,), required=False),
            ArrayRule("(own_)?predictions_[0-9a-f]{1,64}", "<i2", MAX_PICTURES, (), required=False),
        )


def open_bundle(path: Path) -> Bundle:
    """Open a bundle, checking its manifest and the hash of every file it lists.

    Files that the manifest does not list are not looked at, now or later.

    Raises:
        UsageError: There is no such folder, or it holds no manifest.
        CorruptFile: A file is missing, changed, linked, or not what the manifest says.
    """
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise UsageError("{} is not a folder".format(path), "name the folder of a bundle")
    if not os.path.lexists(str(folder / MANIFEST_NAME)):
        hint = "a bundle is what `edgenet export` writes"
        raise UsageError("{} holds no {}".format(path, MANIFEST_NAME), hint)
    manifest = _read_manifest(folder)
    for name, info in sorted(manifest.files.items()):
        with _open_plain(folder, name) as file:
            _check_content(file, folder / name, info)
    return Bundle(folder, manifest)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_NAME
    with _open_plain(folder, MANIFEST_NAME) as file:
        if os.fstat(file.fileno()).st_size > MAX_MANIFEST_BYTES:
            raise CorruptFile("{} is longer than {} bytes".format(path, MAX_MANIFEST_BYTES))
        raw = file.read(MAX_MANIFEST_BYTES + 1)
    with _named(path):
        value = parse_json(raw)
    try:
        return Manifest.from_json(value)
    except CorruptFile as error:
        raise CorruptFile("{}: {}".format(folder, error.message), error.hint) from None


@contextlib.contextmanager
def _open_plain(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file of ``folder`` that has this one name and is no link.

    The checks look at the opened file, not at the name, so nothing can be swapped in between.
    """
    path = folder / name
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(str(path), flags | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CorruptFile("{} is a symbolic link".format(path), _COPY_HINT) from None
        if error.errno == errno.ENOENT:
            raise CorruptFile("{} is missing".format(path), _AGAIN_HINT) from None
        raise CorruptFile("{} cannot be read: {}".format(path, error.strerror)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CorruptFile("{} is not a regular file".format(path))
        if status.st_nlink > 1:
            raise CorruptFile("{} has a second name (a hard link)".format(path), _COPY_HINT)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _check_content(file: BinaryIO, path: Path, info: FileInfo) -> None:
    """Compare length, then hash, of an open file with what the manifest says."""
    length = os.fstat(file.fileno()).st_size
    if length != info.size_bytes:
        message = "{} has {} bytes, its manifest says {}"
        raise CorruptFile(message.format(path, length, info.size_bytes), _AGAIN_HINT)
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
        digest.update(block)
    if digest.hexdigest() != info.sha256:
        raise CorruptFile("{} is not the file that was exported".format(path), _AGAIN_HINT)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn a `FieldError` into a `CorruptFile` that names the file."""
    try:
        yield
    except FieldError as error:
        raise CorruptFile("{}: {}".format(path, error), _AGAIN_HINT) from None


_AGAIN_HINT = "export the bundle again, or copy it again from where it came"
_COPY_HINT = "a bundle's files must be its own: copy the folder with `cp -rL`"
