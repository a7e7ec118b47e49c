"""A job that trtexec measures, with a program in its place that replays a recording."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.runner import trtexec_program
from edgenet.runner.job import Job, Scenario
from edgenet.runner.trtexec_job import run_job
from edgenet.runner.trtexec_program import find_program, run_program
from tests.bundles import edit_manifest, write_onnx_bundle
from tests.trtexec import MEDIAN_MS, QUERIES, WARM_UP_QUERIES, write_fake

SCENARIOS = (Scenario(1, 0.2, 0.5, 10), Scenario(8, 0.2, 0.5, 10))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trtexec that the variable names."""
    program = write_fake(tmp_path / "bin")
    monkeypatch.setenv(trtexec_program.VARIABLE, str(program))
    return program


def _run(folder: Path, bundle: Path, **changes: Any) -> list[dict[str, Any]]:
    """Run a job and return its events, through JSON."""
    output = folder / "out"
    output.mkdir(exist_ok=True)
    job = Job(bundle=bundle, runtime="trtexec", output=output, device="cuda:1", latency=SCENARIOS)
    events: list[str] = []
    run_job(job._replace(**changes), lambda event: events.append(json.dumps(event)))
    return [json.loads(event) for event in events]


def _engine_bundle(folder: Path, version: str = "8.2.1") -> Path:
    bundle = write_onnx_bundle(folder)
    recorded = {"key": {"version": version}, "built": True, "batches": [1, 4]}
    edit_manifest(bundle, lambda manifest: manifest.update(format="engine"))
    edit_manifest(bundle, lambda manifest: manifest["options"].update(engine=recorded))
    return bundle


def test_an_onnx_bundle_is_built_once_and_measured_at_every_batch(
    tmp_path: Path, fake: Path
) -> None:
    """The commands are kept with every flag, and so is all that was printed."""
    events = _run(tmp_path, write_onnx_bundle(tmp_path / "bundle"))
    names = [event["event"] for event in events]
    expected = ["started", "imported", "opened", "built", "external", "external"]
    assert names == [*expected, "environment", "finished"]
    assert events[1]["versions"] == {"tensorrt": "8.2.1"}
    built, first, second = events[3:6]
    assert built["command"][0] == str(fake)
    assert "--minShapes=input:1x1x6x5" in built["command"]
    assert "--maxShapes=input:8x1x6x5" in built["command"]
    assert "--buildOnly --noTF32" in built["options"]["build"]
    assert [first["batch"], second["batch"]] == [1, 8]
    assert "--shapes=input:8x1x6x5" in second["command"]
    assert "--device=1" in built["command"]
    assert "--device=1" in second["command"]
    assert {"--duration=1", "--warmUp=200", "--iterations=10"} <= set(first["command"])
    assert first["timed_by"] == "trtexec"
    assert first["modes"]["transfers"] is True
    out = tmp_path / "out"
    assert (out / "trtexec-b8.log").read_bytes().startswith(b"&&&& RUNNING")
    assert (out / "trtexec-build.log").is_file()
    assert not (out / "trtexec.engine").exists()


def test_the_figures_are_those_of_the_file_without_its_warm_up(tmp_path: Path, fake: Path) -> None:
    """What was printed stands beside them."""
    event = _run(tmp_path, write_onnx_bundle(tmp_path / "bundle"))[4]
    times = np.load(tmp_path / "out" / event["times"])
    assert times.shape == (QUERIES, len(event["columns"]))
    assert (event["queries"], event["warm_up_rows"]) == (QUERIES, WARM_UP_QUERIES)
    assert np.median(times[:, event["columns"].index("latency")]) == pytest.approx(MEDIAN_MS)
    assert event["summaries"]["latency"]["median_ms"] == MEDIAN_MS
    assert event["throughput_qps"] == 11.0613
    assert event["device"] == "NVIDIA Tegra X1"
    assert "INT64 weights" in event["warnings"][0]


def test_an_engine_is_measured_as_it_is(tmp_path: Path, fake: Path) -> None:
    """At the batches that it was built for."""
    events = _run(tmp_path, _engine_bundle(tmp_path / "bundle"))
    assert events[3]["command"] is None
    (measured,) = (event for event in events if event["event"] == "external")
    assert measured["command"][1] == f"--loadEngine={tmp_path / 'bundle' / 'model.onnx'}"
    (skipped,) = (event for event in events if event["event"] == "skipped")
    assert skipped["reason"] == "the engine takes batches of 1 to 4"


@pytest.mark.parametrize("version", ["10.3.0", "8.2.11"])
def test_an_engine_of_another_tensorrt_is_not_loaded(
    tmp_path: Path, fake: Path, version: str
) -> None:
    """An engine that does not fit is a file that nobody vouches for."""
    with pytest.raises(NotPossible, match=rf"TensorRT {version}, this trtexec is 8\.2\.1"):
        _run(tmp_path, _engine_bundle(tmp_path / "bundle", version))


def test_a_fixed_batch_is_built_without_shapes_and_the_others_are_skipped(
    tmp_path: Path, fake: Path
) -> None:
    """Shapes for it are refused."""
    events = _run(tmp_path, write_onnx_bundle(tmp_path / "bundle", batch=8))
    assert not any("hapes" in word for event in events for word in event.get("command") or [])
    reasons = [event["reason"] for event in events if event["event"] == "skipped"]
    assert reasons == ["the bundle was exported for batches of 8"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "did not measure batch 1: it crashed with signal 11"),
        ("garbage", "wrote no times"),
        ("no-times", "wrote no times"),
        ("cut", "cannot be used: the file of times: it is not JSON"),
        ("refused", "did not build the engine: it ended with exit code 1: Error[3]: 476_Dequant"),
        ("no-engine", "said it built an engine, and there is none"),
    ],
)
def test_what_trtexec_does_wrong_is_one_sentence(
    tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch, mode: str, words: str
) -> None:
    """Its output is kept."""
    monkeypatch.setenv("FAKE_TRTEXEC", mode)
    with pytest.raises(EdgenetError) as caught:
        _run(tmp_path, write_onnx_bundle(tmp_path / "bundle"))
    assert words in caught.value.message


def test_a_program_that_hangs_is_ended(tmp_path: Path, fake: Path) -> None:
    """What it printed until then is there."""
    command = ["/bin/sh", "-c", "echo begun; exec sleep 600"]
    ran = run_program(command, tmp_path / "log", time_limit_s=0.3)
    assert ran.exit_code is None
    assert ran.reason == "it did not finish within 0.3 s"
    assert ran.output == b"begun\n"


def test_a_program_that_prints_without_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it fills the disk."""
    monkeypatch.setattr(trtexec_program, "_MAX_OUTPUT_BYTES", 1 << 20)
    ran = run_program(["/bin/sh", "-c", "exec yes"], tmp_path / "log", time_limit_s=60)
    assert ran.reason == "it printed more than 1 MiB"
    assert len(ran.output) == 1 << 20


def test_another_program_of_that_name_is_told_by_its_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its help does not begin as trtexec's does."""
    monkeypatch.setenv(trtexec_program.VARIABLE, "/bin/true")
    with pytest.raises(EdgenetError, match="does not tell its version"):
        _run(tmp_path, write_onnx_bundle(tmp_path / "bundle"))


def test_accuracy_cannot_be_asked_of_it(tmp_path: Path, fake: Path) -> None:
    """It prints no answers, and its inputs are random."""
    with pytest.raises(UsageError, match="no accuracy"):
        _run(tmp_path, write_onnx_bundle(tmp_path / "bundle"), evaluate=True)


def test_a_bundle_that_it_does_not_take_is_refused(tmp_path: Path, fake: Path) -> None:
    """By its format."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_manifest(bundle, lambda manifest: manifest.update(format="torchscript"))
    with pytest.raises(UsageError, match="'torchscript'"):
        _run(tmp_path, bundle)


def test_the_program_is_the_variables_then_paths_then_nvidias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it is in none of them, all are named."""
    named, on_path, there = (write_fake(tmp_path / name) for name in ("named", "path", "there"))
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv(trtexec_program.VARIABLE, str(named))
    assert find_program([str(there)]) == str(named)
    monkeypatch.delenv(trtexec_program.VARIABLE)
    assert find_program([str(there)]) == str(on_path)
    monkeypatch.setenv("PATH", "")
    assert find_program([str(there)]) == str(there)
    with pytest.raises(NotPossible, match="no trtexec"):
        find_program([str(tmp_path / "absent")])
    monkeypatch.setenv(trtexec_program.VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(NotPossible, match="which is no program"):
        find_program([str(there)])
    assert os.access(there, os.X_OK)
