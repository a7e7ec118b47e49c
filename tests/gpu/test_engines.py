"""Engines on a real GPU: built, loaded, run, compared with onnxruntime on the CPU, measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgenet.runner import cuda
from edgenet.runner.bundle import Bundle
from edgenet.runner.runtimes import tensorrt as runtime
from edgenet.runner.tensorrt.log import precisions_of
from tests.commands import edgenet
from tests.gpu import steps
from tests.gpu.conftest import PRECISIONS

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("tensorrt")]

CYCLES = 200
ALLOCATION_BYTES = 2 << 20  # the granularity in which the driver gives memory


def test_the_gpu_is_found_and_tells_what_it_is() -> None:
    """The probe's answer, and figures that cannot be otherwise."""
    assert cuda.probe() is None
    gpu = cuda.Cuda()
    assert gpu.device_count() >= 1
    assert gpu.compute_capability() >= (5, 3)
    assert gpu.name().isprintable()
    assert gpu.name()
    memory = gpu.memory()
    assert 0 < memory.free_bytes <= memory.total_bytes
    assert set(runtime.versions()) == {"tensorrt", "cuda", "cuda driver"}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("batch", [1, 8, 64])
def test_an_engine_gives_the_logits_of_onnxruntime(
    onnx_bundles: dict[str, Bundle], precision: str, batch: int
) -> None:
    """Within the bound of the precision, on all golden pictures, at every batch of the profile."""
    bundle = onnx_bundles[precision]
    images = bundle.golden(["inputs"])["inputs"]
    expected = steps.logits_of(bundle, images, "onnxruntime", "cpu", batch)
    logits = steps.logits_of(bundle, images, "tensorrt", "cuda", batch)
    bound = steps.bound_of(bundle, bundle.model_path)
    found = steps.agreement(expected, logits, bound)
    assert found.max_relative <= bound, found.describe()
    assert steps.decides_alike(expected, logits, bound)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_board_builds_an_engine_bundle_that_loads_as_it_is(
    onnx_bundles: dict[str, Bundle], tmp_path: Path, precision: str
) -> None:
    """With golden logits of its own, which it gives again bit by bit."""
    built, finished = steps.build_bundle(onnx_bundles[precision].path, tmp_path / "engine")
    assert finished["event"] == "finished"
    assert finished["was_run"]
    session = runtime.open_session(built, 1, "cuda")
    assert session.options["engine"] == "the bundle's"
    session.close()
    golden = built.golden()
    largest = built.manifest.options["engine"]["batches"][2]
    logits = steps.logits_of(built, golden["inputs"], "tensorrt", "cuda", largest)
    assert np.array_equal(logits, golden["logits"])


@pytest.mark.parametrize(
    ("precision", "multiplies_in"), [("fp32", "FP32"), ("fp16", "FP16"), ("int8", "INT8")]
)
def test_the_inspector_describes_layers_of_the_asked_for_precision(
    onnx_bundles: dict[str, Bundle], precision: str, multiplies_in: str
) -> None:
    """Its JSON is read, and every convolution and matrix product has the type of the graph."""
    built = steps.inspected(onnx_bundles[precision].model_content())
    assert built.errors == ()
    assert steps.layers_of(built)
    assert set(precisions_of(built.multiplications)) == {multiplies_in}


def test_the_gpus_time_lies_within_the_hosts(
    onnx_bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    """The host waits for the stream: what the GPU took, execute took at least.

    Not for each query, since the two clocks differ by a few microseconds: for their sums.
    """
    output = tmp_path / "output"
    events = steps.measured(onnx_bundles["fp32"].path, output, "tensorrt", "cuda", (1, 64))
    wall, gpu = steps.wall_ns_of(events, output), steps.gpu_ns_of(events, output)
    for batch in (1, 64):
        assert len(gpu[batch]) == len(wall[batch])
        assert (gpu[batch] > 0).all()
        assert gpu[batch].sum() < wall[batch][:, 1].sum()


def test_sessions_give_the_gpus_memory_back(onnx_bundles: dict[str, Bundle]) -> None:
    """What is left behind by every one of them would add up; other programs may take some."""
    bundle = onnx_bundles["fp32"]
    images = np.resize(
        bundle.golden(["inputs"])["inputs"], (64, *bundle.manifest.picture_shape)
    ).astype(np.uint8)
    free = steps.free_bytes_after_sessions(bundle, images, CYCLES)
    assert free[0] - free[-1] < CYCLES * images.nbytes
    assert free[CYCLES // 2] - free[-1] <= ALLOCATION_BYTES


@pytest.mark.usefixtures("trtexec")
def test_trtexec_and_our_own_measurement_agree_on_the_gpus_time(
    onnx_bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    """Of the same engine, at a batch that gives the GPU something to do.

    They are different programs with other inputs and, in version 11, other modes: the medians are
    held to a factor of two, which a forgotten wait or a transfer that is counted in would exceed.
    """
    built, _ = steps.build_bundle(onnx_bundles["fp32"].path, tmp_path / "engine")
    own, other = tmp_path / "own", tmp_path / "trtexec"
    ours = steps.gpu_ns_of(steps.measured(built.path, own, "tensorrt", "cuda", (64,)), own)[64]
    (external,) = steps.timed_by_trtexec(built.path, other, (64,))["external"]
    column = external["columns"].index("compute")
    theirs_ms = np.median(np.load(other / external["times"])[:, column])
    assert 0.5 < np.median(ours) / 1e6 / theirs_ms < 2


def test_export_builds_an_engine_here_and_bench_measures_it(run: Path, tmp_path: Path) -> None:
    """The commands as they are typed."""
    done = edgenet(tmp_path, "export", str(run), "--format", "engine", "--json")
    assert done.returncode == 0, done.stderr
    asked = ("--runtime", "tensorrt", "--device", "cuda", "--duration", "0.5")
    done = edgenet(tmp_path, "bench", str(run), *asked, "--json")
    assert done.returncode in (0, 4), done.stderr  # 4: the machine was too busy to measure on
    rows = json.loads(done.stdout)["rows"]
    assert any(row["runtime"] == "tensorrt" for row in rows)
