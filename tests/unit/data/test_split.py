"""Splits, their digests, and cutting them by seed."""

from __future__ import annotations

import numpy as np
import pytest

from edgenet.data import Split, stratified_indices
from edgenet.errors import UsageError

EXPECTED_OF_SEED_7 = [1, 8, 16, 19]


def make_split(**changes: object) -> Split:
    """Three pictures of 2 x 2 in two classes, with ``changes``."""
    fields: dict[str, object] = {
        "name": "train",
        "images": np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2),
        "labels": np.array([0, 1, 0], np.int64),
        "class_names": ("a", "b"),
    }
    return Split(**{**fields, **changes})  # type: ignore[arg-type]  # a test's free choice


def test_the_digest_is_the_content_and_not_the_name() -> None:
    """A bundle's predictions are kept by digest: the same pictures must have the same one."""
    split = make_split()
    same = make_split(name="test", images=split.images.copy(order="F"))
    assert split.digest == same.digest
    assert len(split.digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((3, 1, 2, 2), np.uint8)},
        {"images": np.arange(12, dtype=np.uint8).reshape(3, 1, 1, 4)},
        {"labels": np.array([0, 1, 1], np.int64)},
        {"class_names": ("a", "c")},
    ],
)
def test_the_digest_changes_with_every_part_of_the_content(change: dict[str, object]) -> None:
    """Pixels, shape, labels and class names all decide what an accuracy means."""
    assert make_split().digest != make_split(**change).digest


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((3, 1, 2, 2), np.float32)},
        {"images": np.zeros((3, 2, 2), np.uint8)},
        {"labels": np.array([0, 1], np.int64)},
        {"labels": np.array([0, 1, 0], np.int32)},
        {"labels": np.array([0, 1, 2], np.int64)},
        {"labels": np.array([0, 1, -1], np.int64)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    """A wrong label would otherwise be an index error in the middle of training."""
    with pytest.raises(UsageError, match="train: "):
        make_split(**change)


def test_take_copies_the_pictures_in_the_order_asked_for() -> None:
    """The original stays as it is when the copy is written to."""
    split = make_split()
    part = split.take(np.array([2, 0]), "validation")
    assert part.name == "validation"
    assert len(part) == 2
    assert part.images[0, 0].tolist() == [[8, 9], [10, 11]]
    part.images[:] = 0
    assert split.images.any()


def test_parts_are_disjoint_complete_and_proportional() -> None:
    """Every class is cut within a picture of its share, whatever its size."""
    labels = np.random.default_rng(1).choice(5, 1003, p=[0.5, 0.3, 0.1, 0.07, 0.03])
    fractions = (0.8, 0.1, 0.1)
    parts = stratified_indices(labels, fractions, seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1003))
    assert [len(part) for part in parts] == [802, 101, 100]
    for part, fraction in zip(parts, fractions, strict=True):
        share = np.bincount(labels[part], minlength=5)
        assert np.abs(share - fraction * np.bincount(labels)).max() <= 1.5


def test_a_seed_means_the_same_split_for_ever() -> None:
    """Digests in bundles depend on it: the stream must not change with NumPy's version."""
    labels = np.arange(20) % 2
    assert stratified_indices(labels, (0.8, 0.2), seed=7)[1].tolist() == EXPECTED_OF_SEED_7
    assert stratified_indices(labels, (0.8, 0.2), seed=8)[1].tolist() != EXPECTED_OF_SEED_7


def test_every_class_is_in_the_first_part_however_rare() -> None:
    """A class without a training picture could never be predicted."""
    labels = np.array([0] * 50 + [1, 2, 3, 3, 4, 4, 4])
    for seed in range(20):
        first = stratified_indices(labels, (0.5, 0.5), seed)[0]
        assert set(labels[first]) == {0, 1, 2, 3, 4}
    assert len(stratified_indices(np.arange(10), (0.8, 0.1, 0.1), 0)[0]) == 10
