"""What works on a machine, for every format, precision and runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.runner import runtimes
from edgenet.runner.tensorrt import library
from edgenet.targets import Possibility
from edgenet.workflows.doctor_machine import Gpu, Machine
from edgenet.workflows.doctor_match import matching_target
from edgenet.workflows.doctor_works import what_works
from tests.machines import board, machine, packages

GPU = Gpu(reason=None, compute_capability=(8, 9), driver="12.6", memory_bytes=8 << 30)
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
Key = tuple[str, str, str, str | None, str | None]


def works(here: Machine, faults: dict[str, str] | None = None) -> dict[Key, Possibility]:
    """Return the answers; a runtime is unavailable where ``faults`` says so."""
    uses = what_works(here, matching_target(here), unavailable=(faults or {}).get)
    found: dict[Key, Possibility] = {
        (use.action, use.format, use.precision, use.runtime, use.device): use.possibility
        for use in uses
    }
    assert len(found) == len(uses)
    return found


def test_every_runtime_of_the_table_is_asked_for_every_format_and_device_it_has() -> None:
    """A new runtime needs no change here."""
    found = works(machine())
    for name in runtimes.TABLE:
        for format in runtimes.formats(name):
            for device in runtimes.entry(name).devices:
                assert ("run", format, "fp32", name, device) in found
    assert all(answer.possible == (answer.reason is None) for answer in found.values())


def test_without_a_gpu_the_cpu_works_and_the_gpu_says_so() -> None:
    """Every use of a GPU has the one reason."""
    found = works(machine())
    for precision in ("fp32", "fp16", "int8"):
        assert found["run", "onnx", precision, "onnxruntime", "cpu"].possible
    on_gpu = [answer for key, answer in found.items() if key[4] == "cuda"]
    assert on_gpu
    assert {answer.reason for answer in on_gpu} == {"there is no usable GPU"}
    engine = found["export", "engine", "fp32", None, None]
    assert not engine.possible
    assert "--plan-only" in str(engine.instead)


def test_with_a_gpu_a_provider_is_needed_too() -> None:
    """The plain onnxruntime has none for a GPU."""
    without = works(machine(gpu=GPU))["run", "onnx", "fp32", "onnxruntime", "cuda"]
    assert "CUDAExecutionProvider" in str(without.reason)
    assert "onnxruntime-gpu" in str(without.instead)
    found = works(machine(gpu=GPU, providers=PROVIDERS))
    assert found["run", "onnx", "fp32", "onnxruntime", "cuda"].possible
    assert found["run", "onnx", "int8", "onnxruntime-tensorrt", "cuda"].possible


def test_a_jetson_nano_runs_int8_on_its_cpu_alone(tmp_path: Path) -> None:
    """Whatever the format, TensorRT has no INT8 there."""
    found = works(
        machine(
            "aarch64",
            isa=("asimd",),
            board=board(tmp_path, "jetson-nano"),
            gpu=GPU,
            providers=PROVIDERS,
        )
    )
    assert found["run", "onnx", "int8", "onnxruntime", "cpu"].possible
    refused = found["run", "onnx", "int8", "onnxruntime-tensorrt", "cuda"]
    assert "no INT8" in str(refused.reason)
    assert found["run", "onnx", "fp16", "onnxruntime-tensorrt", "cuda"].possible
    assert "no INT8" in str(found["export", "engine", "int8", None, None].reason)


def test_a_runtime_that_is_not_here_gives_its_own_reason() -> None:
    """And the other runtimes go on."""
    found = works(machine(), {"torchscript": "torch is not installed"})
    assert found["run", "torchscript", "fp32", "torchscript", "cpu"].reason == (
        "torch is not installed"
    )
    assert found["run", "onnx", "fp32", "onnxruntime", "cpu"].possible


def test_an_onnxruntime_that_dies_is_not_said_to_work() -> None:
    """It is found without loading it; asking it ended its process."""
    found = works(machine(onnxruntime_fault="SIGILL", providers=None))
    assert "SIGILL" in str(found["run", "onnx", "fp32", "onnxruntime", "cpu"].reason)


def test_without_torch_nothing_is_exported_and_onnx_runs() -> None:
    """The torch-free promise, as the doctor tells it."""
    found = works(machine(packages=packages({"torch": None})))
    assert found["export", "onnx", "fp32", None, None].reason == "torch is not installed"
    assert found["run", "onnx", "fp32", "onnxruntime", "cpu"].possible


@pytest.mark.parametrize("missing", ["TensorRT for RTX is not installed", None])
def test_an_engine_for_rtx_is_built_without_a_gpu_and_run_by_nothing_here(
    monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    """Its builder alone is needed."""
    monkeypatch.setattr(library, "unavailable", lambda name: missing)
    found = works(machine())
    export = found["export", "rtx", "int8", None, None]
    assert (export.possible, export.reason) == (missing is None, missing)
    assert not found["run", "rtx", "int8", None, None].possible


def test_what_cannot_be_written_is_not_said_to_run() -> None:
    """TorchScript has FP32 alone."""
    found = works(machine())
    assert not found["export", "torchscript", "int8", None, None].possible
    assert ("run", "torchscript", "int8", "torchscript", "cpu") not in found
