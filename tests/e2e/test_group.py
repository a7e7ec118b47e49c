"""Seed groups, and runs repeated from their ``args.toml``, as they are typed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgenet.training import checkpoint as checkpoints
from edgenet.workflows.runs import Run
from tests.commands import edgenet, said

GROUP = "runs/train/group"


@pytest.fixture(scope="module")
def place(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a group of two and one run; only evaluations change it."""
    folder = tmp_path_factory.mktemp("group")
    small = ("-o", "channels=2,3", "-o", "widths=4", "--batch", "20", "--epochs", "2")
    done = edgenet(
        folder,
        *("train", "--seeds", "2", "--data", str(pictures), "--threads", "1", "--name", "group"),
        *small,
    )
    said(done, 0)
    assert "test, together" in done.stdout
    return folder


def test_a_group_is_evaluated_and_asked_as_a_run_is(place: Path, pictures: Path) -> None:
    """One answer of both members; the look at the test set is the fourth."""
    done = edgenet(place, "eval", GROUP, "--json", "--no-figures")
    said(done, 0)
    result = json.loads(done.stdout)
    assert (result["kind"], result["model"]) == ("group", "2 × lenet5-relu")
    assert result["test_looks"] == 4
    recorded = json.loads((place / GROUP / "group.json").read_text("utf-8"))
    assert result["correct"] == recorded["test"]["ensemble"]["correct"]
    picture = next((pictures / "lying").glob("*0.png"))
    done = edgenet(place, "predict", GROUP, str(picture), "--json")
    said(done, 0)
    assert json.loads(done.stdout)["predictions"][0]["label"] in ("lying", "standing")


def test_a_group_is_one_line_in_the_list_of_runs(place: Path) -> None:
    """Its members are found in it."""
    done = edgenet(place, "runs")
    said(done, 0)
    lines = [line for line in done.stdout.splitlines() if "runs/train/" in line]
    assert len(lines) == 1
    assert "finished" in lines[0]
    assert "2 × lenet5-relu" in lines[0]


@pytest.mark.parametrize(
    "command", [("inspect",), ("export",), ("bench",), ("explain",), ("verify",)], ids="".join
)
def test_a_verb_for_one_network_names_the_members(place: Path, command: tuple[str, ...]) -> None:
    """Exit 2 at once, and a word on what to type."""
    done = edgenet(place, *command, GROUP)
    said(done, 2, "is a seed group", f"{GROUP}/members/seed0")


def test_a_group_teaches_as_one(place: Path, pictures: Path, tmp_path: Path) -> None:
    """The students learn from the mean of the members' probabilities."""
    learn = ("--student", "lenet5-2k", "--epochs", "1", "--batch", "20", "--threads", "1")
    done = edgenet(
        place,
        *("distill", "--teacher", GROUP, "--data", str(pictures), *learn),
        *("--no-control", "--json", "--project", str(tmp_path)),
    )
    said(done, 0)
    assert json.loads(done.stdout)["teacher"]["model"] == "2 × lenet5-relu"


def test_a_member_is_a_run_like_any_other(place: Path, tmp_path: Path) -> None:
    """It is exported by its folder, and its bundle lies in it."""
    group = Path(shutil.copytree(place / GROUP, tmp_path / "group"))
    said(edgenet(tmp_path, "export", "group/members/seed1"), 0)
    assert (group / "members" / "seed1" / "bundles" / "onnx-fp32" / "manifest.json").is_file()
    done = edgenet(tmp_path, "verify", "group")
    said(done, 2, "group/members/seed1/bundles/onnx-fp32")


@pytest.mark.slow
def test_a_run_is_repeated_from_its_arguments(place: Path, tmp_path: Path) -> None:
    """``train --config …/args.toml`` gives the same weights bit for bit."""
    first = Run(place / GROUP / "members" / "seed1")
    config = str(first.path / "args.toml")
    said(edgenet(tmp_path, "train", "--config", config, "--name", "again"), 0)
    again = Run(tmp_path / "runs" / "train" / "again")
    assert again.arguments() == first.arguments()
    for file, other in ((first.best, again.best), (first.last, again.last)):
        one, two = checkpoints.load(file).weights, checkpoints.load(other).weights
        assert checkpoints.digest(one) == checkpoints.digest(two)


@pytest.mark.slow
def test_a_killed_group_goes_on_to_the_weights_of_one_that_was_not(
    place: Path, tmp_path: Path
) -> None:
    """Killed within a member, repeated from its ``args.toml``, resumed: the same bit for bit."""
    config = str(place / GROUP / "args.toml")
    command = [sys.executable, "-m", "edgenet", "train", "--config", config, "--name", "group"]
    first = Run(tmp_path / GROUP / "members" / "seed0")
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as training:
        deadline = time.monotonic() + 120
        while not first.last.is_file() and time.monotonic() < deadline:
            time.sleep(0.01)
        training.kill()
    assert first.last.is_file()
    done = edgenet(tmp_path, "train", "--resume", GROUP, "--json")
    said(done, 0)
    assert (
        json.loads(done.stdout)["test"]["ensemble"]
        == (json.loads((place / GROUP / "group.json").read_text("utf-8"))["test"]["ensemble"])
    )
    for seed in (0, 1):
        one, two = (
            checkpoints.load(Run(root / GROUP / "members" / f"seed{seed}").best).weights
            for root in (place, tmp_path)
        )
        assert checkpoints.digest(one) == checkpoints.digest(two)
