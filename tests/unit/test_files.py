"""Files are whole or absent, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from edgenet.errors import EdgenetError, UsageError
from edgenet.files import (
    cache_root,
    new_folder_atomically,
    numbered_folder,
    sha256_of,
    write_atomically,
    write_text,
)


def test_a_file_appears_with_all_of_its_content(tmp_path: Path) -> None:
    """Nobody sees it before, and nothing else is left in the folder."""
    file = tmp_path / "deep" / "a.bin"
    with write_atomically(file) as out:
        out.write(b"one")
        assert not file.exists()
        out.write(b"two")
    assert file.read_bytes() == b"onetwo"
    assert [path.name for path in file.parent.iterdir()] == ["a.bin"]


def test_an_interrupted_write_keeps_the_old_content(tmp_path: Path) -> None:
    """An exception of any kind, Ctrl-C too, leaves the file as it was."""
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def interrupted() -> None:
        with write_atomically(file) as out:
            out.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_new_files_have_ordinary_permissions(tmp_path: Path) -> None:
    """Temporary files are private; what they become is not."""
    write_text(tmp_path / "a.txt", "x")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "no space left on the disk"), (errno.EROFS, "cannot write .*Read-only")],
)
def test_the_systems_refusals_become_messages_that_name_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    """A traceback helps nobody whose disk is full."""

    def refuse(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(EdgenetError, match=f"{message}.*") as caught:
        write_text(tmp_path / "a.txt", "x")
    assert "a.txt" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failing check inside the block leaves nothing behind."""
    with new_folder_atomically(tmp_path / "bundle") as folder:
        (folder / "model.onnx").write_bytes(b"x")
        assert not (tmp_path / "bundle").exists()
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["model.onnx"]

    def failing() -> None:
        with new_folder_atomically(tmp_path / "other") as folder:
            (folder / "model.onnx").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    """The old content is gone as a whole, never mixed with the new one."""
    old = tmp_path / "bundle"
    old.mkdir()
    (old / "old.txt").touch()
    with pytest.raises(UsageError, match="already exists"), new_folder_atomically(old):
        pass
    with new_folder_atomically(old, overwrite=True) as folder:
        (folder / "new.txt").touch()
    assert [path.name for path in old.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_hash_is_that_of_the_whole_content(tmp_path: Path) -> None:
    """Also for files of several blocks."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_caches_lie_where_the_desktop_standard_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XDG_CACHE_HOME, or .cache in the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "edgenet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "edgenet"


def test_a_numbered_folder_takes_the_next_free_name(tmp_path: Path) -> None:
    """Nothing that is there is touched, and a place that cannot be is an error with advice."""
    names = [numbered_folder(tmp_path / "reports", "eval", "hint").name for _ in range(3)]
    assert names == ["eval", "eval-2", "eval-3"]
    assert numbered_folder(tmp_path / "reports", "eval", "hint", exist_ok=True).name == "eval"
    (tmp_path / "file").touch()
    with pytest.raises(EdgenetError, match="cannot make the folder") as caught:
        numbered_folder(tmp_path / "file", "eval", "write elsewhere")
    assert caught.value.hint == "write elsewhere"
