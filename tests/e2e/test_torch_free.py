"""Measuring, verifying and using an ONNX bundle where torch cannot be imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.commands import edgenet, measured, said


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which ``import torch`` fails in the command's own process.

    The measuring process gets an environment of its own; its unit tests block torch there.
    """
    folder = tmp_path / "blocked"
    folder.mkdir()
    for name in ("torch", "torchvision"):
        (folder / f"{name}.py").write_text("raise ImportError('torch is blocked in this test')\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])}


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "run/bundles/onnx-fp32"],
        ["eval", "run/bundles/onnx-fp32"],
        ["predict", "run/bundles/onnx-fp32", "picture.png"],
        ["bench", "run/bundles/onnx-fp32", "--processes", "3", "--duration", "0.1"],
        ["runs"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_verb_of_the_run_half_works_without_torch(
    run: Path, pictures: Path, without_torch: dict[str, str], arguments: list[str]
) -> None:
    """A board has no torch; what is measured there is what is measured here."""
    (run.parent / "picture.png").write_bytes((pictures / "standing" / "1.png").read_bytes())
    (run.parent / "runs" / "train").mkdir(parents=True)
    result = edgenet(run.parent, *arguments, "--json", environment=without_torch)
    if arguments[0] == "bench":
        measured(result)
    else:
        said(result, 0)
    assert json.loads(result.stdout)


def test_training_without_torch_is_a_message_and_no_traceback(
    tmp_path: Path, without_torch: dict[str, str]
) -> None:
    """The block of the other tests really blocks."""
    result = edgenet(tmp_path, "train", "--epochs", "1", environment=without_torch)
    assert result.returncode != 0
    assert "torch" in result.stderr


def test_a_bundle_that_nothing_here_runs_is_not_verified(
    run: Path, without_torch: dict[str, str]
) -> None:
    """Whole files are not enough: exit code 5 says that the network itself was not run."""
    said(edgenet(run.parent, "export", "run", "--format", "torchscript"), 0)
    arguments = ("verify", "run/bundles/torchscript-fp32")
    said(edgenet(run.parent, *arguments), 0)
    said(edgenet(run.parent, *arguments, environment=without_torch), 5, "torch cannot be loaded")
