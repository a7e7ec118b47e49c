"""The lint for a TensorRT target and TensorRT's own parser and builder, asked the same questions.

Where they disagree it is on purpose, and the reason is written here. TensorRT for RTX is the one
TensorRT that builds without a GPU; it stands for the newest, and the row asked is ``cuda``.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.export.onnx_half import to_half
from edgenet.targets import TABLE
from edgenet.verify.lint import LintReport, lint
from edgenet.verify.lint_row import WHOLE_FILE
from edgenet.verify.tensorrt_rtx import Engine, build_all, unavailable
from tests.contract.test_tensorrt_rtx import exported
from tests.unit.compress.graphs import classifier, content, pictures
from tests.unit.compress.test_models import GREY, blobs
from tests.unit.verify import test_qdq as faults
from tests.unit.verify.lint_cases import GRAPHS

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="TensorRT for RTX has no wheel for this platform",
    ),
    pytest.mark.skipif(unavailable() is not None, reason="TensorRT for RTX is not installed"),
]

OPSET = 18  # the faults are the same in any; the row cuda has TensorRT 10.3, which documents 20
INT8 = quantize(content(opset=OPSET), pictures(), Scheme())
STORED_AS_FP32 = quantize(content(opset=OPSET), pictures(), Scheme(), stored="fp32")
UINT8 = quantize(content(opset=OPSET), pictures(), Scheme(activations="uint8"))


class Asked(NamedTuple):
    """What the lint said, and what the parser and the builder did."""

    report: LintReport
    engine: Engine


def nan_scale(graph: onnx.GraphProto) -> None:
    """Make an activation's scale no number."""
    faults.change(graph, "conv.input_scale", lambda scale: scale * np.float32(np.nan))


def other_zero_point(graph: onnx.GraphProto) -> None:
    """Let a DQ take another zero point than its Q gave."""
    graph.initializer.append(numpy_helper.from_array(np.int8(1), "other_zero"))
    faults.node(graph, "conv/DequantizeLinear").input[2] = "other_zero"


def untyped_quantizer(graph: onnx.GraphProto) -> None:
    """Leave a Q's zero point away, which makes its integers uint8 by ONNX's rule."""
    del faults.node(graph, "conv/QuantizeLinear").input[2:]


SAME_FAULTS: tuple[Callable[[onnx.GraphProto], None], ...] = (
    faults.asymmetric,
    faults.asymmetric_weight,
    faults.negative_scale,
    faults.zero_scale,
    nan_scale,
    faults.no_axis,
    faults.swapped_axis,
    faults.int32_bias,
    faults.zero_point_of_another_size,
    other_zero_point,
    faults.qlinear,
    faults.dynamic,
    faults.external_weight,
    faults.one_scale,
    faults.shared_pair,
    faults.no_zero_point,
)
"""Faults of which the parser refuses all but the last three; so has the lint for its version."""

REFUSED_ON_PURPOSE: dict[str, str] = {
    "uint8_activation": "TensorRT computes with uint8 as if it were int8",
    "untyped_quantizer": "ONNX calls the integers uint8, TensorRT int8: other numbers",
    "infinite_scale": "every number divided by infinity is 0",
    "two_scales": "the numbers come back with another scale than they went with",
    "scales_of_gemm_inputs": "the layer is left in FP32: it is no INT8 file then",
    "scales_of_matmul_inputs": "the layer is left in FP32: it is no INT8 file then",
    "fp32_weight": "the layer is rounded and yet computed in FP32",
    "unfolded": "the weight was quantized without the factors of its batch normalisation",
    "double": "TensorRT narrows float64 to float32",
    "brain_float": "no row of the targets has bfloat16",
    "free_size": "bundles take pictures of one size; edgenet makes a profile of the batch alone",
}
"""What the parser takes and the lint does not, by the case's name, and why."""

FAULTS = (
    *SAME_FAULTS,
    untyped_quantizer,
    *(getattr(faults, name) for name in REFUSED_ON_PURPOSE if hasattr(faults, name)),
)


def cases(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Return every file with the precision that it is said to have, by the case's name."""
    found: dict[str, tuple[bytes, str]] = {
        "classifier": (content(opset=OPSET), "fp32"),
        "int8": (INT8, "int8"),
        "stored as fp32": (STORED_AS_FP32, "int8"),
        "uint8": (UINT8, "int8"),
    }
    for fault in FAULTS:
        model = onnx.load_model_from_string(INT8)
        fault(model.graph)
        del model.graph.value_info[:]  # of the file before it was changed
        found[fault.__name__] = (model.SerializeToString(), "int8")
    for name, graph in GRAPHS.items():
        model = graph()
        types = {each.op_type for each in model.graph.node}
        integers = types & {"QuantizeLinear", "ConvInteger"}
        precision = "int8" if integers else "fp16" if name == "half" else "fp32"
        found[name] = (model.SerializeToString(), precision)
    lenet = exported(folder, "lenet5-relu", {}, GREY)
    half = to_half(onnx.load_model_from_string(lenet)).SerializeToString()
    found["lenet fp32"] = (lenet, "fp32")
    found["lenet fp16"] = (half, "fp16")
    found["lenet int8"] = (quantize(lenet, blobs(12, GREY, 0), Scheme()), "int8")
    return found


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    """Every case's two answers; all are built in one process, some 0.1 s each."""
    folder = tmp_path_factory.mktemp("lint")
    files = cases(folder)
    paths = [folder / f"{index}.onnx" for index in range(len(files))]
    for path, (file, _) in zip(paths, files.values(), strict=True):
        path.write_bytes(file)
    reports = [
        lint(onnx.load_model_from_string(file), TABLE["cuda"], precision=precision, format="engine")
        for file, precision in files.values()
    ]
    engines = build_all(paths)
    return {
        name: Asked(report, engine)
        for name, report, engine in zip(files, reports, engines, strict=True)
    }


def test_lint_and_parser_say_the_same_of_every_file_but_the_named_exceptions(
    asked: dict[str, Asked],
) -> None:
    """Refused by both or taken by both: what passes the lint at the desk is built on the board."""
    different = {
        name: (each.report.failures, each.engine.errors)
        for name, each in asked.items()
        if name not in REFUSED_ON_PURPOSE and each.report.passed != (not each.engine.errors)
    }
    assert different == {}
    verdicts = [
        each.report.passed for name, each in asked.items() if name not in REFUSED_ON_PURPOSE
    ]
    assert verdicts.count(True) >= 15
    assert verdicts.count(False) >= 20


@pytest.mark.parametrize("name", sorted(REFUSED_ON_PURPOSE))
def test_an_exception_is_one(asked: dict[str, Asked], name: str) -> None:
    """The parser takes it without a word, so that a parser alone is no test."""
    assert asked[name].engine.errors == ()
    assert not asked[name].report.passed


@pytest.mark.parametrize(
    "name", ["scales_of_gemm_inputs", "scales_of_matmul_inputs", "fp32_weight"]
)
def test_a_layer_that_the_lint_calls_left_out_of_int8_is_left_out(
    asked: dict[str, Asked], name: str
) -> None:
    """That is the reason for refusing what builds."""
    left_out = asked["int8"].engine.precisions["INT8"] - asked[name].engine.precisions["INT8"]
    assert left_out == 1


def test_a_refusal_names_the_node_that_the_parser_names(asked: dict[str, Asked]) -> None:
    """Where the parser names one, and the lint need not count the places that it does not list."""
    compared = 0
    for name, each in asked.items():
        named = [error.rpartition("(node '")[2].rstrip("')") for error in each.engine.errors]
        places = [row.place for row in each.report.failures]
        if not any(named) or WHOLE_FILE in places:
            continue
        assert any(node in place for node in named for place in places), (name, named, places)
        compared += 1
    assert compared >= 10


def test_the_fixture_of_the_faults_is_sound() -> None:
    """Else a fault would be refused for another reason than the one that it is named after."""
    target = TABLE["cuda"]
    for file in (INT8, STORED_AS_FP32):
        report = lint(onnx.load_model_from_string(file), target, precision="int8")
        assert report.passed, report.failures
    assert lint(classifier(opset=OPSET), target, precision="fp32").passed
