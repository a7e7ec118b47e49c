"""``edgenet quantize --qat`` as typed, and killed in the middle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgenet.training.checkpoint import load
from tests.commands import edgenet, said

OPTIONS = ["--qat", "--epochs", "30", "--max-drop", "0.5", "--no-measure", "--json"]


@pytest.mark.slow
def test_a_killed_training_is_finished_by_the_same_command(run: Path, tmp_path: Path) -> None:
    """To the file that it would have been: kill -9 between two epochs, or in one."""
    undisturbed = Path(shutil.copytree(run, tmp_path / "undisturbed"))
    finished = edgenet(tmp_path, "quantize", str(undisturbed), *OPTIONS)
    said(finished, 0)
    state = run / "weights" / "best-qat-w8a8.state"
    process = subprocess.Popen(
        [sys.executable, "-m", "edgenet", "quantize", str(run), *OPTIONS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not state.is_file() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert 1 <= len(load(state).records) < 30
    resumed = edgenet(tmp_path, "quantize", str(run), *OPTIONS)
    said(resumed, 0)
    places = [Path(json.loads(each.stdout)["bundle"]["path"]) for each in (finished, resumed)]
    files = [(place / "model.onnx").read_bytes() for place in places]
    assert files[0] == files[1]


def test_options_that_have_no_effect_are_refused(tmp_path: Path) -> None:
    """A typo would otherwise quantize to 8 bits without a word."""
    said(
        edgenet(tmp_path, "quantize", "run", "--weights-bits", "4"),
        *(2, "--weights-bits", "add --qat"),
    )
    said(edgenet(tmp_path, "quantize", "run", "--qat", "--weights-bits", "3"), 2, "8 or 4 bits")
