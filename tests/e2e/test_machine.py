"""``edgenet targets`` and ``edgenet doctor`` as they are typed, where torch cannot be imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.commands import edgenet, said


def test_the_doctor_works_where_torch_and_onnxruntime_do_not(tmp_path: Path) -> None:
    """It is for machines on which something is wrong; what is wrong is in its answer."""
    for name in ("torch", "torchvision", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is blocked here')\n")
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    done = edgenet(tmp_path, "doctor", "--json", environment=path)
    said(done, 0)
    told = json.loads(done.stdout)
    assert "onnxruntime is blocked here" in told["machine"]["onnxruntime_fault"]
    on_cpu = [use for use in told["works"] if use["runtime"] == "onnxruntime"]
    assert on_cpu
    assert not any(use["possible"] for use in on_cpu)


def test_a_target_is_explained_and_compared_on_any_machine(tmp_path: Path) -> None:
    """Thor is none of the machines that run these tests: it differs, and that is no failure."""
    done = edgenet(tmp_path, "doctor", "--target", "jetson-thor", "--quiet")
    said(done, 0)
    assert "compared with jetson-thor" in done.stdout
    said(edgenet(tmp_path, "targets", "jetson-thor"), 0)
