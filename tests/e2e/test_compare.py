"""Two bundles compared as typed, by processes that really run."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.bundles import write_onnx_bundle
from tests.commands import edgenet, said

SHORT = ("--rounds", "2", "--duration", "0.01", "--warmup", "0.01", "--no-accuracy")
"""Too few rounds to find anything."""


def test_two_bundles_are_compared_in_turns_and_kept(tmp_path: Path) -> None:
    """In JSON, without torch; a machine that was busy may end it with code 4."""
    (tmp_path / "torch.py").write_text("raise ImportError('torch is blocked in this test')")
    blocked = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    write_onnx_bundle(tmp_path / "before")
    write_onnx_bundle(tmp_path / "after", seed=1)
    words = ("compare", "before", "after", *SHORT, "--output", "kept")
    result = edgenet(tmp_path, *words, "--json", environment=blocked)
    found = json.loads(result.stdout)
    assert result.returncode == {"done": 0, "invalid": 4}[found["decision"]], result.stderr
    assert found["schema"] == "edgenet.compare/1"
    ((times,),) = [one["times"] for one in found["comparisons"]]
    assert len(times["a_p50_us"]) == len(times["b_p50_us"]) == 2
    assert times["p50"]["low"] <= times["p50"]["value"] <= times["p50"]["high"]
    assert json.loads((tmp_path / "kept" / "result.json").read_text()) == found
    said(edgenet(tmp_path, *words), 2, "kept is not empty")


def test_a_source_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    """Exit code 2, with the nearest thing that there is."""
    write_onnx_bundle(tmp_path / "before")
    said(edgenet(tmp_path, "compare", "before", "./bevore"), 2, "did you mean before?")
