"""The script that builds an engine on its board, run with stand-ins for what it calls."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgenet.errors import NotPossible
from edgenet.runner.bundle import open_bundle
from edgenet.runner.manifest import Manifest
from edgenet.runner.tensorrt.builder import OLD_WORKSPACE_BYTES
from edgenet.targets import load_target
from edgenet.workflows import build_script
from edgenet.workflows.export_arguments import ExportArguments
from tests.bundles import write_onnx_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Return that of an ONNX bundle whose batch is free."""
    return open_bundle(write_onnx_bundle(tmp_path / "onnx")).manifest


@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("jetson-nano", {"--buildOnly", f"--workspace={OLD_WORKSPACE_BYTES >> 20}"}),
        ("jetson-orin", {"--skipInference"}),
        ("jetson-thor", {"--skipInference", "--stronglyTyped"}),
    ],
)
def test_the_script_runs_exactly_the_recorded_commands(
    manifest: Manifest, tmp_path: Path, target: str, flags: set[str]
) -> None:
    """With the flags of the target's TensorRT, by a stand-in that writes its arguments down."""
    script = build_script.build_script(manifest, load_target(target))
    assert flags <= set(script.commands["trtexec"])
    assert "--explicitBatch" not in script.commands["trtexec"]
    (tmp_path / "build.sh").write_text(script.text)
    program = tmp_path / "trtexec"
    program.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n')
    program.chmod(0o755)

    def said(*arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        command = ["sh", "build.sh", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert said(TRTEXEC=program).stdout.splitlines() == script.commands["trtexec"][1:]
    absent = said("runner", PYTHONPATH="")
    assert (absent.returncode, "say what to copy" in absent.stderr) == (5, True)
    assert "Traceback" not in absent.stderr
    runner = tmp_path / "edgenet" / "runner"
    runner.mkdir(parents=True)
    for package in (runner.parent, runner):
        (package / "__init__.py").write_text("")
    (runner / "__main__.py").write_text("import sys\nprint(*sys.argv[1:], sep='\\n')\n")
    assert said("runner", PYTHONPATH="").stdout.splitlines() == script.commands["runner"][3:]
    absent = said(TRTEXEC=tmp_path / "none")
    assert (absent.returncode, "name its place" in absent.stderr) == (5, True)
    assert said("--help").returncode == 2


def test_a_fixed_batch_has_no_shapes_in_its_command(tmp_path: Path) -> None:
    """The file itself has them."""
    fixed = open_bundle(write_onnx_bundle(tmp_path / "onnx", batch=4)).manifest
    script = build_script.build_script(fixed, load_target("jetson-nano"))
    assert script.batches is None
    assert not [word for word in script.commands["trtexec"] if "Shapes" in word]


def test_a_target_without_tensorrt_has_no_script(manifest: Manifest) -> None:
    """The arguments of an export refuse it before, with the reason."""
    with pytest.raises(ValueError, match="has no TensorRT"):
        build_script.build_script(manifest, load_target("raspberry-pi-5"))
    with pytest.raises(NotPossible, match="it has no NVIDIA GPU"):
        ExportArguments(source="x", formats=("engine",), target="raspberry-pi-5", plan_only=True)
