"""The steps of the tests that need a GPU, taken here with stand-ins: they run, and they measure.

What a stand-in computes is onnxruntime's; that TensorRT computes the same, tests/gpu has to show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.runner.bundle import open_bundle
from tests.bundles import pictures
from tests.gpu import conftest, steps, test_engines, test_onnxruntime_cuda
from tests.unit.runner.cuda.bundles import write_float_bundle

Install = Callable[[str], Any]


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensorrt: Install) -> None:
    """TensorRT 10.3, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tensorrt("10.3")


def test_the_comparison_of_the_gpu_tests_passes_and_fails(tmp_path: Path) -> None:
    """It passes what differs by less than the bound, and nothing else."""
    bundle = open_bundle(write_float_bundle(tmp_path / "bundle"))
    images = pictures(20)
    expected = steps.logits_of(bundle, images, "onnxruntime", "cpu", 8)
    logits = steps.logits_of(bundle, images, "tensorrt", "cuda", 8)
    bound = steps.bound_of(bundle, bundle.model_path)
    assert steps.agreement(expected, logits, bound).max_relative <= bound < 1e-4
    changed = logits.copy()
    changed[3] = np.roll(changed[3], 1)
    assert not steps.agreement(expected, changed, bound).max_relative <= bound
    assert steps.decides_alike(expected, logits, bound)
    assert not steps.decides_alike(expected, changed, bound)


def test_the_build_of_the_gpu_tests_makes_a_bundle_that_gives_its_golden_logits(
    tmp_path: Path,
) -> None:
    """As a board's Python does it, the engine's own logits included."""
    source = write_float_bundle(tmp_path / "bundle")
    built, finished = steps.build_bundle(source, tmp_path / "engine")
    assert finished["event"] == "finished"
    assert finished["was_run"]
    golden = built.golden()
    largest = built.manifest.options["engine"]["batches"][2]
    logits = steps.logits_of(built, golden["inputs"], "tensorrt", "cuda", largest)
    assert np.array_equal(logits, golden["logits"])
    assert steps.layers_of(steps.inspected(open_bundle(source).model_content())) == []


def test_the_measurement_of_the_gpu_tests_reads_both_clocks(tmp_path: Path) -> None:
    """By batch size; the stand-in's events are on the host's clock."""
    output = tmp_path / "output"
    bundle = write_float_bundle(tmp_path / "bundle")
    events = steps.measured(bundle, output, "tensorrt", "cuda", (1, 64))
    wall, gpu = steps.wall_ns_of(events, output), steps.gpu_ns_of(events, output)
    assert set(wall) == set(gpu) == {1, 64}
    assert all(gpu[batch].sum() < wall[batch][:, 1].sum() for batch in gpu)


def test_the_memory_test_of_the_gpu_tests_sees_all_memory_given_back(tmp_path: Path) -> None:
    """After each session the device has what it had before."""
    bundle = open_bundle(write_float_bundle(tmp_path / "bundle"))
    assert steps.free_bytes_after_sessions(bundle, pictures(64), 3) == [4 << 30] * 3


def test_the_gpu_tests_can_be_imported() -> None:
    """All are marked, so that they are skipped here and run where there is a GPU."""
    for module in (test_engines, test_onnxruntime_cuda):
        marks = module.pytestmark if isinstance(module.pytestmark, list) else [module.pytestmark]
        assert "gpu" in [mark.name for mark in marks]
    assert set(conftest.PRECISIONS) == {"fp32", "fp16", "int8"}
