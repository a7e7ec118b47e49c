"""Evaluation sets on disk: reused when whole, written anew when not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgenet.data import Split
from edgenet.data.evaluation import write_evaluation_set
from edgenet.files import cache_root, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

SPLIT = Split(
    name="test",
    images=np.random.default_rng(0).integers(0, 256, (9, 3, 4, 5), dtype=np.uint8),
    labels=np.arange(9) % 2,
    class_names=("a", "b"),
)


def test_a_measuring_process_can_map_what_was_written(tmp_path: Path) -> None:
    """Images are not compressed, so that no process needs a copy of its own."""
    folder = write_evaluation_set(SPLIT, tmp_path)
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    assert isinstance(images, np.memmap)
    assert (images == SPLIT.images).all()
    assert np.load(folder / "labels.npy", allow_pickle=False).tolist() == SPLIT.labels.tolist()
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["digest"] == SPLIT.digest == folder.name
    assert meta["split"] == "test"
    assert meta["class_names"] == ["a", "b"]
    assert meta["files"]["images.npy"]["sha256"] == sha256_of(folder / "images.npy")


def test_a_whole_set_is_reused(tmp_path: Path) -> None:
    """Twenty measurements write it once."""
    folder = write_evaluation_set(SPLIT, tmp_path)
    before = (folder / "images.npy").stat()
    assert write_evaluation_set(SPLIT, tmp_path) == folder
    assert (folder / "images.npy").stat().st_ino == before.st_ino


@pytest.mark.parametrize("damage", ["flip", "remove", "meta", "schema"])
def test_a_damaged_set_is_written_anew(tmp_path: Path, damage: str) -> None:
    """A changed picture would otherwise be a wrong accuracy."""
    folder = write_evaluation_set(SPLIT, tmp_path)
    if damage == "flip":
        content = bytearray((folder / "images.npy").read_bytes())
        content[-1] ^= 1
        (folder / "images.npy").write_bytes(content)
    elif damage == "remove":
        (folder / "labels.npy").unlink()
    else:
        (folder / "meta.json").write_text("[]" if damage == "meta" else '{"files": {}}')
    write_evaluation_set(SPLIT, tmp_path)
    assert (np.load(folder / "images.npy", allow_pickle=False) == SPLIT.images).all()
    assert (folder / "labels.npy").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [SPLIT.digest]


def test_the_cache_is_the_default_place() -> None:
    """`edgenet cache` shows and clears what lies there."""
    assert write_evaluation_set(SPLIT) == cache_root() / "evaluation" / SPLIT.digest
