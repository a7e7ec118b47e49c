"""A whole job on TensorRT's stand-in: what a GPU adds to the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.runner.job import Job, Scenario
from edgenet.runner.measure import run_job
from tests.bundles import write_evaluation_set, write_onnx_bundle
from tests.unit.runner.cuda.bundles import write_engine_bundle

Install = Callable[[str], Any]


def _job(tmp_path: Path, *batches: int, **changes: Any) -> Job:
    output = tmp_path / "output"
    output.mkdir(exist_ok=True)
    scenarios = tuple(Scenario(batch, 0.005, 0.01, 20) for batch in batches)
    job = Job(bundle=tmp_path / "bundle", runtime="tensorrt", output=output, latency=scenarios)
    return job._replace(**{"device": "cuda", **changes})


def _run(job: Job) -> dict[str, list[dict[str, Any]]]:
    events: dict[str, list[dict[str, Any]]] = {}
    run_job(job, lambda event: events.setdefault(event["event"], []).append(event))
    return events


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_the_gpus_time_of_each_query_is_kept_beside_the_hosts(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """One more file for each batch size; the host waited for what the GPU did."""
    tensorrt(version)
    write_engine_bundle(tmp_path / "bundle", version)
    events = _run(_job(tmp_path, 1, 8))
    assert events["imported"][0]["clocks"] == ["host", "cuda-event"]
    for event in events["latency"]:
        wall = np.load(tmp_path / "output" / event["samples"])
        gpu = np.load(tmp_path / "output" / event["gpu_samples"])
        assert event["gpu_samples"] == f"gpu-b{event['batch']}.npy"
        assert gpu.dtype == np.int64
        assert gpu.shape == (event["queries"],) == (len(wall),)
        # The stand-in runs within the call, on the host's clock: no longer than execute took.
        # A float32 of milliseconds, as CUDA gives it, is rounded by 2⁻²⁴ of itself.
        assert (gpu > 0).all()
        assert (gpu <= wall[:, 1] * (1 + 2**-23) + 1).all()


def test_the_gpus_memory_is_told_when_the_engine_is_loaded_and_at_each_batch_size(
    tmp_path: Path, tensorrt: Install
) -> None:
    """With the buffers of that size: float32 pictures of 30 values in, three logits out."""
    tensorrt("10.3")
    write_engine_bundle(tmp_path / "bundle", "10.3")
    events = _run(_job(tmp_path, 1, 64))
    (loaded,) = events["loaded"]
    assert loaded["gpu_memory"]["total_bytes"] == loaded["gpu_memory"]["free_before_bytes"]
    engine = loaded["gpu_memory"]["free_before_bytes"] - loaded["gpu_memory"]["free_bytes"]
    for event in events["settled"]:
        told = event["gpu_memory"]
        buffers = event["batch"] * (30 + 3) * 4
        assert told["free_before_bytes"] - told["free_bytes"] == engine + buffers


def test_a_batch_that_the_engine_was_not_built_for_is_skipped_with_the_reason(
    tmp_path: Path, tensorrt: Install
) -> None:
    """The others are measured, and the accuracy is taken in batches that it takes."""
    tensorrt("8.2")
    write_engine_bundle(tmp_path / "bundle", "8.2")
    folder = write_evaluation_set(tmp_path / "set")
    events = _run(
        _job(tmp_path, 1, 256, evaluation_set=folder, evaluate=True, evaluation_batch=256)
    )
    assert [event["batch"] for event in events["latency"]] == [1]
    (skipped,) = events["skipped"]
    assert skipped["batch"] == 256
    assert skipped["reason"] == "the engine was built for batches of 1 to 64"
    assert (events["accuracy"][0]["correct"], events["accuracy"][0]["n"]) == (90, 100)


def test_a_runtime_without_a_gpu_has_no_such_fields(tmp_path: Path) -> None:
    """They are absent, not empty."""
    write_onnx_bundle(tmp_path / "bundle")
    events = _run(_job(tmp_path, 1, runtime="onnxruntime", device="cpu"))
    assert events["imported"][0]["clocks"] == ["host"]
    assert "gpu_samples" not in events["latency"][0]
    assert "gpu_memory" not in {**events["loaded"][0], **events["settled"][0]}


def test_a_measuring_process_without_a_gpu_answers_with_the_reason(
    tmp_path: Path, cudart_file: Path
) -> None:
    """Exit code 5 and one event, no traceback, whatever is installed here."""
    write_engine_bundle(tmp_path / "bundle", "10.3")
    job = _job(tmp_path, 1)
    (tmp_path / "job.json").write_text(json.dumps(job.to_json(), default=str))
    environment = {**os.environ, "EDGENET_CUDART": str(cudart_file), "FAKECUDART_CODE": "100"}
    finished = subprocess.run(
        [sys.executable, "-m", "edgenet.runner", str(tmp_path / "job.json")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env=environment,
    )
    assert finished.returncode == 5
    error = json.loads(finished.stdout.splitlines()[-1])
    assert error["event"] == "error"
    assert error["code"] == "not-possible"
    assert "no CUDA-capable device is detected" in error["message"]
    assert "Traceback" not in finished.stderr
