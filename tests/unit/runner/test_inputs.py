"""Evaluation sets and the batches that are timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgenet.errors import CorruptFile, DataUnavailable, UsageError
from edgenet.runner import inputs
from edgenet.runner.inputs import (
    check_pictures,
    first_batch,
    open_evaluation_set,
    timed_batches,
)
from tests.bundles import SHAPE, pictures, write_evaluation_set


def test_an_evaluation_set_is_mapped_and_not_read(tmp_path: Path) -> None:
    """Its pictures must not count as the runtime's memory."""
    found = open_evaluation_set(write_evaluation_set(tmp_path / "set"))
    assert isinstance(found.images, np.memmap)
    assert found.images.shape == (100, *SHAPE)
    assert len(found.labels) == 100
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda folder: (folder / "labels.npy").unlink(), DataUnavailable),
        (lambda folder: (folder / "images.npy").write_bytes(b"x" * 50), CorruptFile),
        (lambda folder: (folder / "meta.json").write_text("{}"), CorruptFile),
        (lambda folder: (folder / "meta.json").write_text("["), CorruptFile),
        (lambda folder: np.save(folder / "labels.npy", np.zeros(99, np.int64)), CorruptFile),
        (lambda folder: np.save(folder / "labels.npy", np.zeros(100)), CorruptFile),
        (lambda folder: np.save(folder / "images.npy", np.zeros((100, 1, 6, 5))), CorruptFile),
        (
            lambda folder: np.save(folder / "labels.npy", np.array([print] * 100, object)),
            CorruptFile,
        ),
    ],
)
def test_a_damaged_evaluation_set_is_refused(
    tmp_path: Path, damage: Callable[[Path], object], error: type[Exception]
) -> None:
    """An accuracy over half a set is none."""
    folder = write_evaluation_set(tmp_path / "set")
    damage(folder)
    with pytest.raises(error, match="set"):
        open_evaluation_set(folder)


def test_pictures_of_another_shape_are_refused() -> None:
    """With both shapes in the message."""
    with pytest.raises(UsageError, match=r"\[3, 6, 5\].*\[1, 6, 5\]"):
        check_pictures((10, 3, 6, 5), (1, 6, 5), "here")


@pytest.mark.parametrize(("batch", "count"), [(1, 512), (64, 8), (512, 2), (300, 2)])
def test_many_different_pictures_are_timed(batch: int, count: int) -> None:
    """512 of them, and two batches at least."""
    batches = timed_batches(pictures(2000), batch, seed=0)
    assert len(batches) == count
    assert all(one.shape == (batch, *SHAPE) and one.flags.c_contiguous for one in batches)
    assert len({one.tobytes() for one in batches}) == count


def test_the_same_seed_times_the_same_pictures() -> None:
    """Configurations are compared on the same inputs."""
    images = pictures(700)
    first, again, other = (np.stack(timed_batches(images, 4, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_small_set_is_used_again_and_again() -> None:
    """Golden inputs of an imported network may be few."""
    assert len(timed_batches(pictures(3), 64, seed=0)) == 8
    assert first_batch(pictures(3), 5).shape == (5, *SHAPE)


def test_large_pictures_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is bounded in bytes."""
    monkeypatch.setattr(inputs, "MAX_POOL_BYTES", 10 * 30)
    assert len(timed_batches(pictures(100), 1, seed=0)) == 10
