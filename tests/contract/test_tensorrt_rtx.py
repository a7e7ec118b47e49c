"""TensorRT's own parser and builder on what edgenet writes, and on what it refuses to.

TensorRT for RTX is the one TensorRT that builds without a GPU. No engine is run here.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgenet.compress.ptq import quantize
from edgenet.compress.qdq import StoredWeights
from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.export import onnx as onnx_format
from edgenet.export.onnx_half import to_half
from edgenet.models import OptionValue
from edgenet.verify.qdq import Rule, quantized_layers, violations
from edgenet.verify.qdq_graph import LAYERS
from edgenet.verify.tensorrt_rtx import Engine, build, unavailable
from tests.unit.compress.test_models import CASES, GREY, blobs, deployed
from tests.unit.verify import test_qdq as faults

S8S8 = [scheme for scheme in SCHEMES.values() if scheme.activations == "int8"]

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="TensorRT for RTX has no wheel for this platform",
    ),
    pytest.mark.skipif(unavailable() is not None, reason="TensorRT for RTX is not installed"),
]


def exported(
    folder: Path,
    name: str,
    options: dict[str, OptionValue],
    shape: tuple[int, int, int],
    batch: int | None = None,
) -> bytes:
    """Return an untrained network as an FP32 ONNX file's content."""
    path = folder / "fp32.onnx"
    onnx_format.write(deployed(name, options, shape), path, batch=batch, opset=18, metadata={})
    return path.read_bytes()


def built(folder: Path, content: bytes) -> Engine:
    """Return what TensorRT makes of a file."""
    path = folder / "model.onnx"
    path.write_bytes(content)
    return build(path)


def assert_all_multiply_in(precision: str, engine: Engine, content: bytes) -> None:
    """Every convolution and matrix product of a file is in the engine, in one precision."""
    assert engine.errors == ()
    assert engine.engine_bytes > 0
    graph = onnx.load_model_from_string(content).graph
    nodes = {node.name for node in graph.node if node.op_type in LAYERS}
    found = {each.node: each.precision for each in engine.multiplications}
    assert found == dict.fromkeys(nodes, precision)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    CASES,
)
def test_the_int8_file_of_every_network_is_built_and_multiplies_in_int8_alone(
    tmp_path: Path, name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> None:
    """Parsing is not enough: a layer whose Q/DQ is not understood is computed in FP32."""
    file = quantize(exported(tmp_path, name, options, shape), blobs(10, shape, 0), Scheme())
    assert_all_multiply_in("INT8", built(tmp_path, file), file)


@pytest.mark.parametrize("batch", [None, 4], ids=["free-batch", "batch-4"])
@pytest.mark.parametrize("stored", ["int8", "fp32"])
@pytest.mark.parametrize(
    "scheme",
    [S8S8[0], *(pytest.param(scheme, marks=pytest.mark.slow) for scheme in S8S8[1:])],
    ids=lambda scheme: str(scheme.name),
)
def test_every_symmetric_scheme_is_built_in_both_stored_forms_and_with_any_batch(
    tmp_path: Path, scheme: Scheme, stored: StoredWeights, batch: int | None
) -> None:
    """That is all that `quantize` can write for TensorRT."""
    model = exported(tmp_path, "lenet5-relu", {}, GREY, batch)
    file = quantize(model, blobs(12, GREY, 0), scheme, stored=stored)
    assert_all_multiply_in("INT8", built(tmp_path, file), file)


@pytest.mark.parametrize("stored", ["int8", "fp32"])
def test_layers_that_were_rolled_back_stay_out_of_int8(
    tmp_path: Path, stored: StoredWeights
) -> None:
    """What is mixed in the graph is mixed in the engine, and in the same places."""
    scheme = Scheme(exclude=("features.conv2",), fp32_narrow_output=True)
    model = exported(tmp_path, "lenet5-relu", {}, GREY)
    file = quantize(model, blobs(12, GREY, 0), scheme, stored=stored)
    engine = built(tmp_path, file)
    assert engine.errors == ()
    found = {each.node: each.precision for each in engine.multiplications}
    assert found == {
        "features.conv1/Conv": "INT8",
        "features.conv2/Conv": "FP32",
        "classifier.linear1/Gemm": "INT8",
        "classifier.linear2/Gemm": "INT8",
        "classifier.output/Gemm": "FP32",
    }


@pytest.mark.parametrize("name", ["lenet5-relu", "resnet8"])
def test_fp32_and_fp16_files_are_built_in_their_precision(tmp_path: Path, name: str) -> None:
    """The network is strongly typed: its precision is the graph's and no builder flag's."""
    model = exported(tmp_path, name, {}, GREY)
    assert_all_multiply_in("FP32", built(tmp_path, model), model)
    half = to_half(onnx.load_model_from_string(model)).SerializeToString()
    assert_all_multiply_in("FP16", built(tmp_path, half), half)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "shape"),
    CASES,
)
def test_every_other_file_of_every_network_is_built(
    tmp_path: Path, name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> None:
    """FP32, FP16, and INT8 with FP32 weights stored, for a fixed batch."""
    model = exported(tmp_path, name, options, shape, 4)
    assert_all_multiply_in("FP32", built(tmp_path, model), model)
    half = to_half(onnx.load_model_from_string(model)).SerializeToString()
    assert_all_multiply_in("FP16", built(tmp_path, half), half)
    file = quantize(model, blobs(12, shape, 0), Scheme(), stored="fp32")
    assert_all_multiply_in("INT8", built(tmp_path, file), file)


@pytest.mark.parametrize(
    ("fault", "rule", "words"),
    [
        (faults.asymmetric, "zero-point", "Non-zero zero point is not supported"),
        (faults.asymmetric_weight, "zero-point", "Non-zero zero point is not supported"),
        (faults.negative_scale, "scale", "Scale coefficients must all be positive"),
        (faults.zero_scale, "scale", "Scale coefficients must all be positive"),
        (faults.no_axis, "axis", "number of scales is not equal"),
        (faults.swapped_axis, "axis", "number of scales is not equal"),
        (faults.int32_bias, "int32-bias", "has type Int32"),
        (faults.zero_point_of_another_size, "zero-point-form", "must have the same volume"),
        (faults.qlinear, "operator", "conv_q"),
        (faults.external_weight, "external-data", "Failed to import initializer"),
    ],
)
def test_a_form_that_tensorrt_refuses_is_refused_by_the_lint_first(
    tmp_path: Path, fault: Callable[[onnx.GraphProto], None], rule: Rule, words: str
) -> None:
    """Ours names the rule at the desk; what TensorRT says on a board is less clear, and later."""
    model = onnx.load_model_from_string(faults.FILE)
    fault(model.graph)
    assert rule in {each.rule for each in violations(model)}
    engine = built(tmp_path, model.SerializeToString())
    assert any(words in error for error in engine.errors), engine.errors
    assert engine.multiplications == ()


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (faults.uint8_activation, "type"),
        (faults.infinite_scale, "scale"),
        (faults.two_scales, "scale"),
        (faults.scales_of_gemm_inputs, "axis"),
        (faults.scales_of_matmul_inputs, "axis"),
    ],
)
def test_what_tensorrt_takes_without_a_word_is_refused_by_the_lint(
    tmp_path: Path, fault: Callable[[onnx.GraphProto], None], rule: Rule
) -> None:
    """It builds them: wrong numbers, or a layer that is left in FP32. A parser alone is no test."""
    model = onnx.load_model_from_string(faults.FILE)
    fault(model.graph)
    assert rule in {each.rule for each in violations(model)}
    engine = built(tmp_path, model.SerializeToString())
    assert engine.errors == ()
    if rule == "axis":
        assert engine.precisions["INT8"] < len(
            quantized_layers(onnx.load_model_from_string(faults.FILE))
        )


def test_uint8_activations_are_refused_for_their_zero_points(tmp_path: Path) -> None:
    """Which is why U8S8 is a scheme of its own, for targets that ask for it."""
    engine = built(tmp_path, faults.UINT8_FILE)
    assert any("Non-zero zero point" in error for error in engine.errors)
