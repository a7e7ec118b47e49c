"""trtexec and onnxruntime's TensorRT provider on a real GPU, beside our own runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.errors import NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.trtexec_program import find_program
from edgenet.workflows import BenchArguments, bench
from tests.gpu import steps

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_trtexec_builds_and_times_what_our_runtime_runs(
    onnx_bundles: dict[str, Bundle], tmp_path: Path, precision: str
) -> None:
    """Both in one benchmark, each with its own figures; the sample parts are within the whole."""
    try:
        find_program()
    except NotPossible:
        pytest.skip("trtexec is not installed")
    source = onnx_bundles[precision].path
    arguments = BenchArguments(
        sources=(source,),
        runtimes=("tensorrt", "trtexec"),
        batches=(1, 64),
        processes=1,
        project=tmp_path,
    )
    own, theirs = bench(arguments).rows
    assert (own.failure, theirs.failure) == (None, None)
    assert [one.batch for one in theirs.external] == [one.batch for one in own.latency] == [1, 64]
    for one in theirs.external:
        assert one.agrees
        assert one.compute_p50_us <= one.p50_us
    assert theirs.latency == ()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_onnxruntimes_tensorrt_provider_gives_the_logits_of_the_cpu(
    onnx_bundles: dict[str, Bundle], precision: str
) -> None:
    """Within the bound of the precision, on all golden pictures."""
    import onnxruntime

    if "TensorrtExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime has no TensorRT provider")
    bundle = onnx_bundles[precision]
    images = bundle.golden(["inputs"])["inputs"]
    expected = steps.logits_of(bundle, images, "onnxruntime", "cpu", 64)
    logits = steps.logits_of(bundle, images, "onnxruntime-tensorrt", "cuda", 64)
    bound = steps.bound_of(bundle, bundle.model_path)
    assert steps.agreement(expected, logits, bound).max_relative <= bound
    assert steps.decides_alike(expected, logits, bound)
