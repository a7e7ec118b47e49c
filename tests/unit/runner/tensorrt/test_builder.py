"""What TensorRT is told when an engine is built, in every version, on a stand-in that notes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgenet.runner.tensorrt import timing_cache
from edgenet.runner.tensorrt.builder import (
    OLD_WORKSPACE_BYTES,
    BuildOptions,
    build_plan,
)
from edgenet.runner.tensorrt.log import Multiplication
from tests.unit.runner.tensorrt.recorder import LABELS, FakeTensorRT

OF_8, OF_10, OF_11 = LABELS[:3], LABELS[3:5], LABELS[5:]
FLOAT = (("CONVOLUTION", "FLOAT", "conv"),)
HALF = (("CONVOLUTION", "HALF", "conv"),)
INT8 = (("QUANTIZE", "INT8", "q"), ("DEQUANTIZE", "FLOAT", "dq"), *FLOAT)
CONTENT = b"onnx"


@pytest.mark.parametrize("label", LABELS)
def test_a_network_is_made_as_its_version_wants_it(label: str) -> None:
    """Explicit batch in 8, strongly typed in 10; 11 and TensorRT for RTX know nothing else."""
    module = FakeTensorRT(label, layers=FLOAT)
    built = build_plan(module, CONTENT)
    wanted = {"8": "EXPLICIT_BATCH", "10": "STRONGLY_TYPED"}.get(label.partition(".")[0])
    flags: Any = vars(module)["NetworkDefinitionCreationFlag"] if wanted else None
    number = 1 << int(flags[wanted]) if wanted else 0
    assert module.told("Builder.create_network") == [(number,)]
    assert module.told("OnnxParser.parse") == [(CONTENT,)]
    assert (built.plan, built.errors) == (b"plan", ())
    assert built.library.title.endswith(module.__version__)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    ("layers", "wanted"),
    [(FLOAT, ()), (HALF, ("FP16",)), (INT8, ("INT8",)), ((*INT8, *HALF), ("INT8", "FP16"))],
    ids=["fp32", "fp16", "int8", "int8-and-fp16"],
)
def test_only_tensorrt_8_is_told_the_precision_and_only_the_graphs(
    label: str, layers: tuple[tuple[str, str, str], ...], wanted: tuple[str, ...]
) -> None:
    """The graph decides; TF32 is off in all of them."""
    module = FakeTensorRT(label, layers=layers)
    built = build_plan(module, CONTENT)
    flags: Any = vars(module)["BuilderFlag"]
    told = wanted if label in OF_8 else ()
    assert module.told("IBuilderConfig.set_flag") == [(flags[name],) for name in told]
    assert module.told("IBuilderConfig.clear_flag") == [(flags.TF32,)]
    assert built.flags == told


@pytest.mark.parametrize("label", OF_8)
def test_int8_on_a_gpu_without_it_is_refused_before_the_build(label: str) -> None:
    """TensorRT would say so after a long time, and less clearly."""
    module = FakeTensorRT(label, layers=INT8, fast_int8=False)
    built = build_plan(module, CONTENT)
    assert built.plan is None
    assert "this GPU has no INT8" in built.errors[0]
    assert "FP16 or FP32 file" in built.errors[0]
    assert module.told("Builder.build_serialized_network") == []
    module = FakeTensorRT(label, layers=HALF, fast_int8=False)
    assert build_plan(module, CONTENT).plan == b"plan"


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("asked", [None, 1 << 20])
def test_the_workspace_is_limited_as_the_version_knows_it(label: str, asked: int | None) -> None:
    """Before 8.4 TensorRT's own default is none, so it always gets one; later only if asked."""
    module = FakeTensorRT(label, layers=FLOAT)
    build_plan(module, CONTENT, BuildOptions(workspace_bytes=asked))
    old = module.told("IBuilderConfig.max_workspace_size")
    new = module.told("IBuilderConfig.set_memory_pool_limit")
    if label == "8.2":
        assert (old, new) == ([(asked or OLD_WORKSPACE_BYTES,)], [])
        return
    pools: Any = vars(module)["MemoryPoolType"]
    assert old == []
    assert new == ([] if asked is None else [(pools.WORKSPACE, asked)])


@pytest.mark.parametrize("label", LABELS)
def test_a_free_batch_gets_a_profile_and_a_fixed_one_needs_none(label: str) -> None:
    """Smallest, best, largest; the other dimensions are the file's."""
    module = FakeTensorRT(label, layers=FLOAT, shape=(-1, 3, 32, 40))
    build_plan(module, CONTENT, BuildOptions(batches=(1, 2, 5)))
    sizes = [(n, 3, 32, 40) for n in (1, 2, 5)]
    assert module.told("IOptimizationProfile.set_shape") == [("input", *sizes)]
    assert len(module.told("IBuilderConfig.add_optimization_profile")) == 1
    module = FakeTensorRT(label, layers=FLOAT, shape=(4, 3, 32, 40))
    build_plan(module, CONTENT)
    assert module.told("IBuilderConfig.add_optimization_profile") == []


@pytest.mark.parametrize("label", LABELS)
def test_layers_are_described_in_detail(label: str) -> None:
    """Without that neither the log nor the inspector tells a layer's type."""
    module = FakeTensorRT(label, layers=FLOAT)
    build_plan(module, CONTENT)
    verbosity: Any = vars(module)["ProfilingVerbosity"]
    assert module.told("IBuilderConfig.profiling_verbosity") == [(verbosity.DETAILED,)]


@pytest.mark.parametrize("label", LABELS)
def test_a_board_with_little_memory_can_do_without_cublas_and_cudnn(label: str) -> None:
    """All other sources stay; TensorRT 11 has neither any more."""
    module = FakeTensorRT(label, layers=FLOAT)
    build_plan(module, CONTENT, BuildOptions(without_cublas_cudnn=True))
    told = module.told("IBuilderConfig.set_tactic_sources")
    if label in OF_11:
        assert told == []
        return
    sources: Any = vars(module)["TacticSource"]
    left_out = {sources.CUBLAS, sources.CUBLAS_LT, sources.CUDNN}
    ((mask,),) = told
    assert {source for source in sources if not mask & 1 << int(source)} == left_out
    module = FakeTensorRT(label, layers=FLOAT)
    build_plan(module, CONTENT)
    assert module.told("IBuilderConfig.set_tactic_sources") == []


@pytest.mark.parametrize("label", [*OF_8, *OF_10, "11.4"])
def test_the_times_of_kernels_are_kept_from_one_build_to_the_next(
    label: str, tmp_path: Path
) -> None:
    """A file of another device is not used, and is written anew."""
    options = BuildOptions(timing_cache=tmp_path / "caches" / "times")
    module = FakeTensorRT(label, layers=FLOAT)
    assert build_plan(module, CONTENT, options).timing_cache == timing_cache.NEW
    assert module.told("IBuilderConfig.create_timing_cache") == [(b"",)]
    assert (tmp_path / "caches" / "times").read_bytes() == b"timings"
    module = FakeTensorRT(label, layers=FLOAT)
    assert build_plan(module, CONTENT, options).timing_cache == timing_cache.USED
    assert module.told("IBuilderConfig.create_timing_cache") == [(b"timings",)]
    module = FakeTensorRT(label, layers=FLOAT, takes_cache=False)
    assert build_plan(module, CONTENT, options).timing_cache == timing_cache.REFUSED
    assert module.told("IBuilderConfig.create_timing_cache") == [(b"timings",), (b"",)]


def test_a_timing_cache_that_is_too_large_or_broken_is_not_given_to_native_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is not even read."""
    path = tmp_path / "times"
    path.write_bytes(b"broken")
    options = BuildOptions(timing_cache=path)
    built = build_plan(FakeTensorRT("8.6", layers=FLOAT), CONTENT, options)
    assert built.timing_cache == timing_cache.REFUSED
    monkeypatch.setattr(timing_cache, "MAX_BYTES", 3)
    module = FakeTensorRT("8.6", layers=FLOAT)
    assert build_plan(module, CONTENT, options).timing_cache == timing_cache.NEW
    assert module.told("IBuilderConfig.create_timing_cache") == [(b"",)]


def test_tensorrt_for_rtx_has_no_timing_cache(tmp_path: Path) -> None:
    """It has the names and warns that they do nothing."""
    module = FakeTensorRT("rtx", layers=FLOAT)
    built = build_plan(module, CONTENT, BuildOptions(timing_cache=tmp_path / "times"))
    assert built.timing_cache == timing_cache.NONE
    assert not (tmp_path / "times").exists()
    assert module.told("IBuilderConfig.create_timing_cache") == []


@pytest.mark.parametrize(("label", "node"), [("8.2", "3"), ("8.6", "3"), ("10.3", "'fc'")])
def test_an_error_of_the_parser_has_the_node(label: str, node: str) -> None:
    """By its number in 8, by its name from 10 on; nothing is built."""
    faults = [("no such\n operator", 3, "fc"), ("nor this", 3, "fc")]
    module = FakeTensorRT(label, parsed=False, parser_errors=faults)
    built = build_plan(module, CONTENT)
    assert built.errors == (f"no such operator (node {node})", f"nor this (node {node})")
    assert module.told("Builder.create_builder_config") == []


@pytest.mark.parametrize("says", [True, False], ids=["with-reason", "without"])
def test_a_build_that_fails_has_the_librarys_reason(says: bool) -> None:
    """An engine that is not there is a result, and the first warnings are kept."""
    lines = [("WARNING", f"careful {number}") for number in range(200)]
    lines += [("ERROR", "no memory\n left"), ("INTERNAL_ERROR", "at all")] if says else []
    built = build_plan(FakeTensorRT("10.13", layers=FLOAT, plan=None, says=lines), CONTENT)
    assert built.plan is None
    assert built.errors == (("no memory left", "at all") if says else ("it is not built",))
    assert len(built.warnings) == 100
    assert built.to_json()["engine_bytes"] == 0


@pytest.mark.parametrize("label", [*OF_8, *OF_10, "11.4"])
def test_the_layers_of_an_engine_are_asked_of_its_inspector(label: str) -> None:
    """Which loads the engine: this library builds where there is a GPU."""
    described = {
        "Layers": [
            {
                "Name": "conv + relu",
                "LayerType": "CaskConvolution",
                "Inputs": [{"Format/Datatype": "Row major Int8 format"}],
                "Metadata": "[ONNX Layer: conv]",
            }
        ]
    }
    module = FakeTensorRT(label, layers=INT8, inspected=json.dumps(described))
    built = build_plan(module, CONTENT)
    assert module.told("Runtime.deserialize_cuda_engine") == [(b"plan",)]
    assert built.multiplications == [Multiplication("conv", "INT8")]
    assert built.to_json()["layers"] == {"CaskConvolution": 1}
    assert build_plan(FakeTensorRT(label, layers=INT8), CONTENT).inspected is None


def test_what_tensorrt_for_rtx_built_is_read_from_its_log() -> None:
    """No GPU is needed to build, and there may be none to load the engine on."""
    text = (
        "Layers:\nName: g, LayerType: gemm, Inputs: [ { Name: x, Datatype: Half }], Constants: [], "
        "Outputs: [ { Name: y, Datatype: Half }], TacticName: t, Metadata: [ONNX Layer: fc]"
    )
    layers = (("MATRIX_MULTIPLY", "HALF", "fc"),)
    module = FakeTensorRT("rtx", layers=layers, says=[("V", text)], inspected="{}")
    built = build_plan(module, CONTENT)
    assert built.multiplications == [Multiplication("fc", "FP16")]
    assert built.to_json()["layers"] == {"gemm": 1}
    assert module.told("Runtime.deserialize_cuda_engine") == []
