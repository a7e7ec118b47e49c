"""onnxruntime's CUDA provider on a real GPU."""

from __future__ import annotations

import pytest

from edgenet.runner.bundle import Bundle
from tests.gpu import steps

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _provider() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime has no CUDA provider")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_cuda_provider_gives_the_logits_of_the_cpu(
    onnx_bundles: dict[str, Bundle], precision: str
) -> None:
    """Within the bound of the precision, on all golden pictures."""
    bundle = onnx_bundles[precision]
    images = bundle.golden(["inputs"])["inputs"]
    expected = steps.logits_of(bundle, images, "onnxruntime", "cpu", 64)
    logits = steps.logits_of(bundle, images, "onnxruntime", "cuda", 64)
    bound = steps.bound_of(bundle, bundle.model_path)
    found = steps.agreement(expected, logits, bound)
    assert found.max_relative <= bound, found.describe()
    assert steps.decides_alike(expected, logits, bound)
