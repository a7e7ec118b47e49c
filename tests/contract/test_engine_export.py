"""Engines by the real builder of TensorRT for RTX, which needs no GPU: precisions and batches.

No engine is run here. What the files are, and every network's, is in test_tensorrt_rtx.py.
"""

from __future__ import annotations

import itertools
import json
import platform
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.export.onnx_half import to_half
from edgenet.launch.engines import Engine, build_engines
from edgenet.runner.bundle import open_bundle
from edgenet.runner.tensorrt.builder import BuildOptions
from edgenet.runner.tensorrt.bundle import machine_in
from edgenet.runner.tensorrt.library import RTX
from edgenet.runner.tensorrt.plan import check_claim, read_header
from edgenet.verify.tensorrt_rtx import build_all, unavailable
from tests.bundles import write_onnx_bundle
from tests.contract.test_tensorrt_rtx import exported
from tests.unit.compress.test_models import GREY, blobs

NETWORKS = ("lenet5", "lenet5-relu", "mlp", "simple-cnn", "resnet8")

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="TensorRT for RTX has no wheel for this platform",
    ),
    pytest.mark.skipif(unavailable() is not None, reason="TensorRT for RTX is not installed"),
]


def write(folder: Path, name: str, batch: int | None) -> dict[str, Path]:
    """Write an untrained network in every precision; return the files."""
    content = exported(folder, name, {}, GREY, batch)
    contents = {
        "fp32": content,
        "fp16": to_half(onnx.load_model_from_string(content)).SerializeToString(),
        "int8": quantize(content, blobs(12, GREY, 0), Scheme()),
    }
    paths = {}
    for precision, written in contents.items():
        paths[precision] = folder / f"{name}-{precision}-{batch or 'free'}.onnx"
        paths[precision].write_bytes(written)
    return paths


def assert_all_in(precision: str, engine: Engine) -> None:
    """The engine is there, and whatever multiplies does so in one precision."""
    assert engine.errors == ()
    assert set(engine.precisions) == {precision.upper()}
    assert engine.library.startswith("TensorRT for RTX 1.")
    assert engine.layers
    assert engine.seconds > 0


def test_files_of_every_precision_and_batch_are_built_by_one_process(tmp_path: Path) -> None:
    """In their order, and each plan names the library that wrote it."""
    files = [each for batch in (None, 4) for each in write(tmp_path, "lenet5-relu", batch).items()]
    paths = [path for _, path in files]
    plans = tmp_path / "plans"
    engines = build_engines(RTX, paths, plans=plans, options=BuildOptions(batches=(1, 2, 4)))
    for number, ((precision, _), engine) in enumerate(zip(files, engines, strict=True)):
        assert_all_in(precision, engine)
        plan = (plans / f"{number}.plan").read_bytes()
        assert len(plan) == engine.engine_bytes
        header = read_header(plan)
        assert header is not None
        assert header.library == RTX
        assert engine.version.startswith(".".join(map(str, header.version[:3])))


def test_a_file_that_is_not_taken_does_not_stop_the_others(tmp_path: Path) -> None:
    """Its error is its own."""
    good = write_onnx_bundle(tmp_path / "good") / "model.onnx"
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"this is no network")
    first, second, third = build_all([good, bad, good])
    assert (first.errors, third.errors) == ((), ())
    assert second.errors
    assert second.engine_bytes == 0


@pytest.mark.slow
def test_every_network_precision_and_batch_is_built(tmp_path: Path) -> None:
    """All of them by one process."""
    kinds = itertools.product(NETWORKS, (None, 4))
    files = [each for name, batch in kinds for each in write(tmp_path, name, batch).items()]
    engines = build_all([path for _, path in files])
    for (precision, _), engine in zip(files, engines, strict=True):
        assert_all_in(precision, engine)


def test_the_runner_itself_writes_a_bundle_that_names_what_it_is_for(tmp_path: Path) -> None:
    """As a board does it, without anything of the make half."""
    source = write_onnx_bundle(tmp_path / "onnx")
    output = tmp_path / "built"
    command = [sys.executable, "-m", "edgenet.runner", "build", str(source)]
    result = subprocess.run(
        [*command, "--output", str(output), "--library", RTX],
        capture_output=True,
        text=True,
        check=True,
    )
    finished = json.loads(result.stdout.splitlines()[-1])
    assert (finished["event"], finished["was_run"]) == ("finished", False)
    bundle = open_bundle(output)
    machine = machine_in(bundle)
    assert machine.to_json() == finished["key"]
    check_claim(bundle.model_content(), machine, "the engine")
    assert bundle.model_bytes == finished["engine_bytes"]
