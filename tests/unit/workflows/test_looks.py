"""The log of looks at a run's test set."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgenet.errors import EdgenetError
from edgenet.workflows.looks import count_test_looks, note_test_look


def look(run: Path, subject: str = "weights/best.safetensors") -> None:
    """Note one look."""
    note_test_look(run, verb="eval", subject=subject, digest="d" * 64, correct=99, n=100)


def test_every_look_is_a_line_under_one_heading(tmp_path: Path) -> None:
    """A name with a comma stays one cell."""
    look(tmp_path)
    look(tmp_path, "bundles/a,b")
    assert count_test_looks(tmp_path) == 2
    with (tmp_path / "test-looks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["weights/best.safetensors", "bundles/a,b"]
    assert rows[0]["time"].endswith("+00:00")
    assert (rows[0]["verb"], rows[0]["correct"], rows[0]["n"]) == ("eval", "99", "100")


def test_a_run_that_nobody_looked_at_has_no_looks(tmp_path: Path) -> None:
    """Counting makes no file."""
    assert count_test_looks(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_looks_at_the_same_time_each_get_a_whole_line(tmp_path: Path) -> None:
    """Appending never overwrites."""
    look(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: look(tmp_path), range(40)))
    assert count_test_looks(tmp_path) == 41


def test_a_look_that_cannot_be_noted_is_an_error(tmp_path: Path) -> None:
    """An unnoted look would make the count a lie."""
    (tmp_path / "test-looks.csv").mkdir()
    with pytest.raises(EdgenetError, match="cannot note the look") as caught:
        look(tmp_path)
    assert caught.value.hint is not None
    assert os.listdir(tmp_path / "test-looks.csv") == []  # noqa: PTH208 - the folder as it was
