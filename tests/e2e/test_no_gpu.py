"""A GPU that is not here is said in one message with exit code 5, and nothing else is measured.

And a measurement by another program, which is a recording's replay here, has a table of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgenet.runner.cuda import probe
from tests.bundles import write_onnx_bundle
from tests.commands import edgenet, measured, said
from tests.trtexec import write_fake

SHORT = ["--duration", "0.02", "--warmup", "0.01", "--processes", "1"]

without_gpu = pytest.mark.skipif(probe() is None, reason="there is a GPU here")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder of its own."""
    return write_onnx_bundle(tmp_path / "bundle")


@without_gpu
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--device", "cuda:3"], "onnxruntime cannot run"),
        (["--runtime", "onnxruntime-tensorrt"], "onnxruntime-tensorrt cannot run"),
        (["--runtime", "onnxruntime", "--runtime", "tensorrt"], "tensorrt cannot run"),
    ],
)
def test_a_gpu_that_is_not_here_is_not_replaced(
    tmp_path: Path, bundle: Path, asked: list[str], words: str
) -> None:
    """Exit code 5; no folder of results, so no figure of the CPU under another name."""
    result = edgenet(tmp_path, "bench", "bundle", *SHORT, *asked)
    said(result, 5, words, "on cuda", "hint:")
    assert result.stdout == ""
    assert not (tmp_path / "runs").exists()


@without_gpu
def test_with_json_the_reason_is_an_object(tmp_path: Path, bundle: Path) -> None:
    """With the code that a script looks at."""
    result = edgenet(tmp_path, "bench", "bundle", "--device", "cuda", "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.returncode, error["code"]) == (5, "not-possible")
    assert "never chosen in silence" in error["hint"]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (["--runtime", "tensorrt", "--device", "cpu"], 5, "tensorrt does not run on cpu"),
        (["--allow-cpu-fallback"], 2, "for onnxruntime on a GPU"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path, bundle: Path, asked: list[str], code: int, words: str
) -> None:
    """Whatever the machine has."""
    said(edgenet(tmp_path, "bench", "bundle", *SHORT, *asked), code, words)
    assert not (tmp_path / "runs").exists()


def test_trtexec_is_a_table_of_its_own(tmp_path: Path, bundle: Path) -> None:
    """Under its name, with its command, and never in the columns of our own clock."""
    program = write_fake(tmp_path / "bin")
    asked = ["--runtime", "trtexec", "--runtime", "onnxruntime", "--batch", "1"]
    asked += ["--warmup", "0.2"]  # as in the file that is replayed
    environment = {"EDGENET_TRTEXEC": str(program)}
    result = edgenet(tmp_path, "bench", "bundle", *SHORT, *asked, environment=environment)
    measured(result, "trtexec warns: ")
    ours, others = result.stdout.split("trtexec timed these, not edgenet", 1)
    assert "90,303.5" not in ours
    assert "90,303.5" in others
    assert f"{program} --loadEngine=" in others
    assert "no accuracy: trtexec gives no answers" in others
    saved = json.loads((tmp_path / "runs/bench/tiny/result.json").read_text())
    theirs, own = saved["rows"]
    assert (theirs["timed_by"], theirs["latency"], theirs["accuracy"]) == ("trtexec", [], None)
    assert theirs["external"][0]["command"][0] == str(program)
    assert (own["timed_by"], own["external"]) == ("edgenet", [])
    assert own["latency"][0]["batch"] == 1


def test_a_trtexec_that_crashes_is_a_reason_in_its_row(tmp_path: Path, bundle: Path) -> None:
    """The other rows are measured, and the exit code says that one failed."""
    environment = {
        "EDGENET_TRTEXEC": str(write_fake(tmp_path / "bin")),
        "FAKE_TRTEXEC": "crash",
    }
    asked = ["--runtime", "trtexec", "--runtime", "onnxruntime", "--batch", "1"]
    result = edgenet(tmp_path, "bench", "bundle", *SHORT, *asked, environment=environment)
    said(result, 1, "it crashed with signal 11")
    assert "onnxruntime   fp32" in result.stdout


def test_an_absent_trtexec_alone_is_not_possible_here(tmp_path: Path, bundle: Path) -> None:
    """Its row says where it was looked for."""
    environment = {"EDGENET_TRTEXEC": str(tmp_path / "trtexec")}
    asked = ["--runtime", "trtexec", "--batch", "1"]
    result = edgenet(tmp_path, "bench", "bundle", *SHORT, *asked, environment=environment)
    said(result, 5, "which is no program", "EDGENET_TRTEXEC")
