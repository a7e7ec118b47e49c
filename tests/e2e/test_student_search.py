"""``edgenet distill --budget`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import edgenet, said

LIMIT = 600
OPTIONS = ("--epochs", "1", "--threads", "1", "--batch", "20", "--no-control")


def test_a_budget_finds_a_student_and_says_what_it_tried(
    trained: Path, pictures: Path, tmp_path: Path
) -> None:
    """The plan is told before it begins; the student and all candidates keep the budget."""
    teacher = str(trained / "runs" / "train" / "run")
    options = ["--teacher", teacher, "--data", str(pictures), *OPTIONS]
    result = edgenet(tmp_path, "distill", *options, "--budget", f"params={LIMIT}", "--json")
    said(result, 0, f"search for a student of {LIMIT} parameters or less", "× 1 epochs")
    found = json.loads(result.stdout)
    tried = found["search"]["tried"]
    assert len(tried) > 1
    assert all(each["parameters"] <= LIMIT for each in tried)
    winner = tried[found["search"]["winner"]]
    assert found["students"][0]["options"] == winner["options"]
    run = tmp_path / "runs" / "distill" / f"params-{LIMIT}"
    assert json.loads((run / "search.json").read_text("utf-8"))["tried"] == tried


def test_a_budget_out_of_reach_ends_with_the_smallest_student(
    trained: Path, pictures: Path, tmp_path: Path
) -> None:
    """Exit code 2, and no run."""
    teacher = str(trained / "runs" / "train" / "run")
    options = ["--teacher", teacher, "--data", str(pictures), *OPTIONS]
    result = edgenet(tmp_path, "distill", *options, "--budget", "bytes=100")
    said(result, 2, "no student has 100 bytes of float32 weights or less", "the smallest has")
    assert not (tmp_path / "runs").exists()
