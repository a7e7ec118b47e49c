"""``edgenet distill`` as it is typed: from a trained network to a smaller one that is exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import Command, edgenet, said

LEARN = ("--student", "lenet5-2k", "--epochs", "1", "--batch", "20", "--threads", "1")


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a teacher of its own."""
    folder = tmp_path_factory.mktemp("distill")
    shutil.copytree(trained / "runs", folder / "runs")
    return folder


def test_a_student_is_distilled_listed_and_exported(place: Path, pictures: Path) -> None:
    """The run is used like any other: its weights are those of the best training."""
    done = edgenet(place, "distill", "--teacher", "runs/train/run", "--data", str(pictures), *LEARN)
    said(done, 0, "broken.png", "one seed says little")
    assert "labels alone" in done.stdout
    assert "runs/distill/lenet5-2k" in edgenet(place, "runs").stdout
    said(edgenet(place, "export", "runs/distill/lenet5-2k"), 0)
    assert (place / "runs/distill/lenet5-2k/bundles/onnx-fp32/manifest.json").is_file()


@pytest.mark.slow
def test_the_same_as_json_is_one_object(place: Path, pictures: Path) -> None:
    """With both columns, and the control's absence said where it is skipped."""
    done = edgenet(
        place,
        *("distill", "--teacher", "runs/train/run", "--data", str(pictures), *LEARN),
        *("--no-control", "--json", "--quiet"),
    )
    said(done, 0)
    result = json.loads(done.stdout)
    (student,) = result["students"]
    assert (student["model"], student["control"]) == ("lenet5-2k", None)
    assert student["verdict"] == "not known: no control was trained"
    assert result["teacher"]["model"] == "lenet5-relu"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "no teacher is named"),
        (("--teacher", "runs/train/rum"), 2, "did you mean runs/train/run?"),
        (("--teacher", "runs/train/run", "--student", "lenet5-4k"), 2, "did you mean"),
        (("--teacher", "runs/train/run"), 2, "classes of the teacher"),
        (("runs/train/run",), 2, "--teacher runs/train/run"),
        (("--resume", "--alpha", "0.5"), 2, "--alpha"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_with_a_hint(
    place: Path, here: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    """Nothing is written."""
    before = sorted((place / "runs").glob("*/*"))
    said(here(place, "distill", *words), code, told)
    assert sorted((place / "runs").glob("*/*")) == before
