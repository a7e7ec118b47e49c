"""Engines as typed: with TensorRT for RTX, without a GPU, and for a board that is not here."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from edgenet.runner import cuda
from tests.commands import edgenet, said

RUN = "runs/train/run"


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small run and its FP32 bundle."""
    return Path(shutil.copytree(trained, tmp_path_factory.mktemp("engine") / "place"))


@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="TensorRT for RTX has no wheel for this platform",
)
def test_an_rtx_engine_is_exported_and_says_that_it_was_not_run(place: Path) -> None:
    """Exit code 0; verifying it here is exit code 5, since its golden vectors cannot be run."""
    result = edgenet(place, "export", RUN, "--format", "rtx", "--json")
    said(result, 0)
    (bundle,) = json.loads(result.stdout)["bundles"]
    rows = {row["name"]: row["status"] for row in bundle["verification"]["checks"]}
    assert rows["build"] == rows["engine"] == "ok"
    assert rows["golden"] == "not run"
    result = edgenet(place, "verify", bundle["path"], "--json")
    said(result, 5)
    rows = {row["name"]: row["status"] for row in json.loads(result.stdout)["checks"]}
    assert rows["engine"] == rows["golden (model.onnx)"] == rows["metadata"] == "ok"
    assert rows["golden"] == "not run"


@pytest.mark.skipif(cuda.probe() is None, reason="there is a GPU here")
def test_an_engine_without_a_gpu_names_what_can_be_done(place: Path) -> None:
    """Exit code 5, no traceback, no fallback; what it names works."""
    result = edgenet(place, "export", RUN, "--format", "engine", "--target", "jetson-nano")
    said(result, 5, "no TensorRT engine can be built here", "--plan-only --target jetson-nano")
    assert result.stdout == ""
    names = ("--format", "trt", "--plan-only", "--target", "jetson-nano")
    result = edgenet(place, "export", RUN, *names)
    said(result, 0)
    assert "sh build.sh" in result.stdout
    assert "not built" in result.stdout
    folder = place / RUN / "bundles" / "engine-fp32-jetson-nano"
    assert {"build.sh", "lint.json", "model.onnx"} <= {path.name for path in folder.iterdir()}


def test_int8_for_a_gpu_without_it_is_refused_with_the_reason(place: Path) -> None:
    """sm_53 has no INT8: the build would fail on the board, hours later and less clearly."""
    names = ("--format", "engine", "--int8", "--target", "jetson-nano", "--plan-only")
    said(edgenet(place, "export", RUN, *names), 5, "has no INT8", "--precision fp16")
