"""``python3 -m edgenet.runner build``: an engine bundle by the board's own Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.runner import build, cuda
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.library import CLASSIC
from edgenet.runner.tensorrt.plan import Machine
from tests.bundles import write_onnx_bundle
from tests.unit.runner.tensorrt.recorder import FakeTensorRT, version_text
from tests.unit.runner.tensorrt.test_plan import plan_bytes

FLOAT = (("MATRIX_MULTIPLY", "FLOAT", "fc"),)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the folder of an ONNX bundle."""
    return write_onnx_bundle(tmp_path / "onnx")


def board(monkeypatch: pytest.MonkeyPatch, label: str, **given: Any) -> FakeTensorRT:
    """Let there be a TensorRT of a version and a GPU whose engines answer as their ONNX files."""
    given = {"layers": FLOAT, "plan": plan_bytes(b"\0old", 0, 0, 0, 0), **given}
    module = FakeTensorRT(label, **given)
    machine = Machine(CLASSIC, version_text(label), "5.3", "10.2")
    monkeypatch.setattr(build, "load_usable", lambda name: module)
    monkeypatch.setattr(build, "machine_of", lambda library, device: machine)
    monkeypatch.setattr(build, "Cuda", lambda device: module.calls.append(("Cuda", (device,))))

    def answers(device: int) -> Any:
        def answer(bundle: Bundle) -> np.ndarray[Any, Any]:
            return bundle.golden(["logits"])["logits"]

        return answer

    monkeypatch.setattr(build, "own_logits", answers)
    return module


def ran(*arguments: object) -> list[dict[str, Any]]:
    """Return the events of a build."""
    events: list[dict[str, Any]] = []
    build.run([str(each) for each in arguments], events.append)
    return events


def test_an_engine_bundle_is_built_on_a_board(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what its options say, and the engine's own golden logits."""
    module = board(monkeypatch, "8.2", says=[("WARNING", "slow")])
    options = ("--batches", "1,1,4", "--workspace-mib", "64", "--without-cublas-cudnn")
    cache = ("--timing-cache", tmp_path / "times")
    started, finished = ran(source, "--output", tmp_path / "built", *options, *cache)
    assert started["event"] == "started"
    assert (finished["event"], finished["was_run"]) == ("finished", True)
    assert finished["key"]["compute_capability"] == "5.3"
    assert finished["warnings"] == ["slow"]
    bundle = open_bundle(tmp_path / "built")
    option = bundle.manifest.options["engine"]
    assert option["key"] == finished["key"]
    assert option["batches"] == [1, 1, 4]
    assert option["was_run"] is True
    assert module.told("IBuilderConfig.max_workspace_size") == [(64 << 20,)]
    assert len(module.told("IBuilderConfig.set_tactic_sources")) == 1
    assert (tmp_path / "times").read_bytes() == b"timings"


def test_the_gpu_is_chosen_before_anything_is_built_for_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT builds for the GPU that is current, and the key would name the other one."""
    module = board(monkeypatch, "10.3", plan=plan_bytes(b"ftrt", 10, 3, 1, 2))
    ran(source, "--output", tmp_path / "built", "--device", "1")
    assert module.calls[0] == ("Cuda", (1,))


def test_a_file_that_tensorrt_does_not_take_is_an_error_with_its_reasons(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves nothing."""
    board(monkeypatch, "8.2", parsed=False, parser_errors=[("no such operator", 3, "fc")])
    with pytest.raises(EdgenetError, match=r"no such operator \(node 3\)") as caught:
        ran(source, "--output", tmp_path / "built")
    assert "verify --target" in str(caught.value.hint)
    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required"),
        (("onnx",), "--output"),
        (("onnx", "--output", "x", "--batches", "1,8"), "takes three sizes"),
        (("onnx", "--output", "x", "--batches", "8,1,64"), "must ascend"),
        (("onnx", "--output", "x", "--batches", "1,8,5000"), "to 4096"),
        (("onnx", "--output", "x", "--workspace-mib", "much"), "invalid int value"),
        (("onnx", "--output", "x", "--fast"), "unrecognized arguments"),
        (("onnx", "--output", "onnx"), "already exists"),
        (("nothing", "--output", "x"), "is not a folder"),
    ],
)
def test_arguments_that_cannot_be_are_named(
    source: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, and nothing is printed by the parser itself."""
    monkeypatch.chdir(source.parent)
    with pytest.raises(UsageError, match=words):
        ran(*arguments)


def test_without_a_gpu_the_command_says_so_in_its_last_line(source: Path, tmp_path: Path) -> None:
    """Exit code 5, no traceback, no segfault, no fallback."""
    reason = cuda.probe()
    if reason is None:
        pytest.skip("there is a GPU here")
    command = [sys.executable, "-m", "edgenet.runner", "build", str(source)]
    result = subprocess.run(
        [*command, "--output", str(tmp_path / "built")], capture_output=True, text=True, check=False
    )
    assert result.returncode == NotPossible.exit_code
    error = json.loads(result.stdout.splitlines()[-1])
    assert (error["event"], error["code"]) == ("error", "not-possible")
    assert "there is none here" in error["message"]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "built").exists()
