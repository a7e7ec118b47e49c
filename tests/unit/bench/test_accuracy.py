"""Accuracy with what single answers allow: counts of classes, and the change against the parent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.bench import accuracy
from edgenet.bench.accuracy import accuracy_of
from edgenet.runner.bundle import GOLDEN_NAME, Bundle, open_bundle
from edgenet.statistics import mcnemar_p, paired_interval
from tests.bundles import replace_file, write_evaluation_set, write_onnx_bundle

LABELS = np.array([0, 0, 1, 1, 2, 2, 2, 2])
PARENT = np.array([0, 0, 1, 1, 2, 2, 0, 0])
ANSWERS = np.array([0, 1, 1, 1, 2, 2, 2, 1])


@pytest.fixture
def evaluation_set(tmp_path: Path) -> Path:
    """Eight pictures of three classes."""
    folder = write_evaluation_set(tmp_path / "set", n=len(LABELS))
    np.save(folder / "labels.npy", LABELS.astype(np.int64))
    return folder


def _event(folder: Path, answers: NDArray[Any] = ANSWERS, **changes: Any) -> dict[str, Any]:
    np.save(folder / "logits.npy", np.eye(3, dtype=np.float32)[answers])
    event = {"correct": 6, "n": 8, "digest": "abc", "not_finite": 0, "logits": "logits.npy"}
    return {**event, **changes}


def _bundle(folder: Path, parent: NDArray[Any] | None = PARENT) -> Bundle:
    path = write_onnx_bundle(folder)
    if parent is not None:
        arrays: dict[str, Any] = dict(open_bundle(path).golden())
        arrays["predictions_abc"] = parent.astype(np.int16)
        content = io.BytesIO()
        np.savez(content, **arrays)
        replace_file(path, GOLDEN_NAME, content.getvalue())
    return open_bundle(path)


def test_answers_are_counted_by_class_and_paired_with_the_parents(
    tmp_path: Path, evaluation_set: Path
) -> None:
    """One picture gained, one lost, three decided otherwise."""
    found = accuracy_of(_event(tmp_path), _bundle(tmp_path / "b"), tmp_path, evaluation_set)
    assert found.labels == ("circle", "cross", "square")
    assert found.confusion == ((1, 1, 0), (0, 2, 0), (0, 1, 3))
    change = found.parent
    assert change is not None
    assert (change.gained, change.lost, change.differing, change.change) == (1, 1, 3, 0.0)
    assert (change.low, change.high) == paired_interval(1, 1, 8)
    assert change.p == mcnemar_p(1, 1)
    assert found.parent_reason is None


def test_a_bundle_that_does_not_know_its_parents_answers_says_so(
    tmp_path: Path, evaluation_set: Path
) -> None:
    """As one of a foreign network, or on other data."""
    found = accuracy_of(_event(tmp_path), _bundle(tmp_path / "b", None), tmp_path, evaluation_set)
    assert found.parent is None
    assert found.parent_reason is not None
    assert "no answers of its parent" in found.parent_reason
    fewer = _bundle(tmp_path / "c", PARENT[:5])
    assert accuracy_of(_event(tmp_path), fewer, tmp_path, evaluation_set).parent is None


def test_without_the_pictures_only_the_counts_are_told(tmp_path: Path) -> None:
    """They may lie on another machine."""
    found = accuracy_of(_event(tmp_path), _bundle(tmp_path / "b"), tmp_path)
    assert (found.correct, found.confusion, found.labels, found.parent) == (6, None, None, None)
    assert found.parent_reason is not None


def test_many_classes_have_no_table_of_pairs(
    tmp_path: Path, evaluation_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a thousand it would be a million counts."""
    monkeypatch.setattr(accuracy, "MOST_CLASSES", 2)
    found = accuracy_of(_event(tmp_path), _bundle(tmp_path / "b"), tmp_path, evaluation_set)
    assert (found.confusion, found.labels) == (None, None)
    assert found.parent is not None


@pytest.mark.parametrize(
    ("answers", "changes"),
    [(ANSWERS, {"correct": 7}), (ANSWERS[:5], {}), (ANSWERS, {"n": 9})],
)
def test_answers_that_are_not_those_that_were_counted_are_refused(
    tmp_path: Path, evaluation_set: Path, answers: NDArray[Any], changes: dict[str, Any]
) -> None:
    """A process that contradicts itself has not measured."""
    event = _event(tmp_path, answers, **changes)
    with pytest.raises(ValueError, match="does not"):
        accuracy_of(event, _bundle(tmp_path / "b"), tmp_path, evaluation_set)
