"""The rules about a graph as a whole: each is broken by a minimal graph and kept by another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.targets import TABLE
from edgenet.verify import lint_graph
from edgenet.verify.lint import MAX_PLACES, LintReport, lint, lint_possible
from edgenet.verify.lint_row import WHOLE_FILE, LintRow
from tests.unit.verify import lint_cases as cases
from tests.unit.verify.lint_cases import graph_of, node

NANO, XAVIER, CUDA, ORIN = (
    TABLE[name] for name in ("jetson-nano", "jetson-xavier", "cuda", "jetson-orin")
)


def failures(report: LintReport, rule: str) -> list[LintRow]:
    """Return the rows of one broken rule."""
    return [row for row in report.failures if row.rule == rule]


def invalid() -> onnx.ModelProto:
    """Read a value that nothing makes."""
    model = cases.plain()
    model.graph.node[0].input[0] = "nothing"
    return model


def contradictory() -> onnx.ModelProto:
    """Multiply matrices that do not fit each other."""
    weight = numpy_helper.from_array(np.ones((5, 2), np.float32), "w")
    model = graph_of([node("Relu", ["x"], ["y"])], shape=(1, 8), stored=[weight])
    product = node("Gemm", ["x", "w"], ["y"], name="odd")
    model.graph.node[0].CopyFrom(product)
    return model


def external() -> onnx.ModelProto:
    """Have a weight in another file."""
    model = graph_of([node("Add", ["x", "w"], ["y"])], stored=[cases.number("w", 1)])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.data"
    return model


def truncated() -> onnx.ModelProto:
    """Have a tensor of fewer numbers than its shape has."""
    model = graph_of([node("Add", ["x", "w"], ["y"])], stored=[cases.number("w", 1)])
    tensor = model.graph.initializer[0]
    tensor.dims.append(1)
    tensor.raw_data *= 5
    return model


def misstated() -> onnx.ModelProto:
    """Say of a value that it has another type than its node makes."""
    model = cases.double()
    for value in model.graph.value_info:
        value.type.tensor_type.elem_type = cases.FLOAT
    return model


def not_text() -> onnx.ModelProto:
    """Have a name that is not UTF-8."""
    content = cases.plain().SerializeToString()
    return onnx.load_model_from_string(content.replace(b"relu", b"rel\xff"))


def newer_opset() -> onnx.ModelProto:
    """Be of an operator set that a Jetson Nano has nothing for."""
    return graph_of([node("Relu", ["x"], ["y"])], opset=16)


def newer_ir() -> onnx.ModelProto:
    """Be of an IR version that onnxruntime 1.10 does not read."""
    return graph_of([node("Relu", ["x"], ["y"])], ir_version=9)


def huge() -> onnx.ModelProto:
    """Take a picture of more pixels than can be counted in 31 bits."""
    return graph_of([node("Relu", ["x"], ["y"])], shape=("N", 1, 1 << 16, 1 << 15))


def without_a_shape() -> onnx.ModelProto:
    """Take an input of which nothing is known."""
    model = graph_of([node("Relu", ["x"], ["y"])], shape=())
    model.graph.input[0].type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto())
    return model


BROKEN: list[tuple[str, Callable[[], onnx.ModelProto], str, str, str]] = [
    ("jetson-nano", newer_opset, "opset", WHOLE_FILE, "TensorRT 8.2 takes 13 at most"),
    ("jetson-nano", newer_opset, "opset", WHOLE_FILE, "onnxruntime 1.10 takes 15 at most"),
    ("jetson-nano", newer_ir, "IR version", WHOLE_FILE, "9; onnxruntime 1.10 reads up to 8"),
    ("cuda", external, "external data", "tensor 'w'", "in another file"),
    ("cuda", invalid, "ONNX standard", WHOLE_FILE, "nothing"),
    ("cuda", contradictory, "ONNX standard", WHOLE_FILE, "Gemm"),
    ("cuda", truncated, "ONNX standard", WHOLE_FILE, "'w' does not hold what it claims to"),
    ("cpu", misstated, "ONNX standard", WHOLE_FILE, "Inferred elem type differs"),
    ("cuda", not_text, "ONNX standard", WHOLE_FILE, "a name in it is not text"),
    ("jetson-nano", cases.raw_pixels, "input", "input 'x'", "which TensorRT 8.2 takes nowhere"),
    ("cuda", cases.uint8_arithmetic, "types", "Add node 'odd'", "takes as an input alone"),
    ("cuda", cases.double, "types", "value 'a' and 1 more", "narrows to float32 without a word"),
    ("cuda", cases.brain_float, "types", "value 'a' and 1 more", "TensorRT 10.3 does not compute"),
    ("cpu", cases.brain_float, "types", "value 'a' and 1 more", "onnxruntime 1.20 does not"),
    ("cuda", cases.short_integers, "types", "value 'a' and 1 more", "TensorRT 10.3 does not have"),
    ("jetson-orin", cases.long_arithmetic, "types", "Mul node 'odd'", "narrows to int32"),
    ("cuda", cases.free_size, "shapes", "input 'x'", "dimension 2 (H) is free"),
    ("cpu", cases.free_size, "shapes", "input 'x'", "dimension 3 (W) is free"),
    ("cpu", without_a_shape, "shapes", "input 'x'", "it has no shape"),
    ("cuda", cases.size_by_data, "shapes", "NonZero node 'odd'", "follows from the data"),
    ("cuda", cases.nine_dimensions, "shapes", "Relu node 'odd'", "9 dimensions; TensorRT has 8"),
    ("cpu", huge, "sizes", "tensor 'x'", "2,147,483,648 elements; at most 2,147,483,647"),
]


@pytest.mark.parametrize(
    ("name", "graph", "rule", "place", "words"),
    BROKEN,
    ids=[f"{name}-{graph.__name__}-{index}" for index, (name, graph, *_) in enumerate(BROKEN)],
)
def test_a_broken_rule_is_named_with_place_reason_and_advice(
    name: str, graph: Callable[[], onnx.ModelProto], rule: str, place: str, words: str
) -> None:
    """In this row alone: no other rule is broken by the graph, but by what makes it unreadable."""
    report = lint(graph(), TABLE[name], precision="fp32")
    assert not report.passed
    found = failures(report, rule)
    assert any(row.place == place and words in row.detail for row in found), report.failures
    assert all(row.advice for row in found)
    assert {row.rule for row in report.failures} == {rule}


@pytest.mark.parametrize(
    ("name", "graph"),
    [
        *((name, cases.plain) for name in TABLE),
        ("jetson-xavier", cases.raw_pixels),
        ("cpu", cases.uint8_arithmetic),
        ("cpu", cases.double),
        ("cpu", cases.short_integers),
        ("cpu", cases.size_by_data),
        ("cpu", cases.nine_dimensions),
        ("cuda", cases.long_arithmetic),
        ("jetson-nano", cases.long_shapes),
        ("cuda", cases.long_shapes),
        ("cuda", cases.branching),
        ("cuda", cases.function),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_graph_that_a_target_takes_breaks_no_rule(
    name: str, graph: Callable[[], onnx.ModelProto]
) -> None:
    """What one target refuses, another may take."""
    report = lint(graph(), TABLE[name], precision="fp32")
    assert report.passed, report.failures
    assert [row.rule for row in report.rows][:5] == [
        *("precision", "opset", "IR version", "external data", "ONNX standard")
    ]


def test_a_free_batch_is_allowed_and_a_profile_is_named_where_tensorrt_needs_one() -> None:
    """Edgenet makes it; who builds by hand has to."""
    (on_cuda,) = [r for r in lint(cases.plain(), CUDA, precision="fp32").rows if r.rule == "shapes"]
    assert (on_cuda.status, "optimization profile" in on_cuda.detail) == ("ok", True)
    fixed = graph_of([node("Relu", ["x"], ["y"])], shape=(4, 1, 8, 6))
    (row,) = [row for row in lint(fixed, CUDA, precision="fp32").rows if row.rule == "shapes"]
    assert row.detail == "batch 4; all other dimensions are fixed"


@pytest.mark.parametrize(
    ("graph", "precision", "words"),
    [
        (cases.plain, "int8", "said to be INT8 and has no operators of quantization"),
        (cases.plain, "fp16", "said to be FP16 and has no FP16 tensors"),
        (cases.half, "fp32", "said to be FP32 and has 2 FP16 tensors"),
    ],
)
def test_a_graph_that_computes_in_another_precision_than_it_says_is_refused(
    graph: Callable[[], onnx.ModelProto], precision: str, words: str
) -> None:
    """A bundle's name and manifest promise it."""
    report = lint(graph(), CUDA, precision=precision)
    (row,) = failures(report, "graph precision")
    assert words in row.detail
    assert lint(cases.half(), CUDA, precision="fp16").passed


def test_fp16_is_refused_where_a_runtime_has_none() -> None:
    """No row of the table is such a machine; one could be added."""
    runtimes = tuple(replace(each, precisions=("fp32",)) for each in CUDA.runtimes)
    report = lint(cases.half(), replace(CUDA, runtimes=runtimes), precision="fp32")
    assert (
        "float16, which TensorRT 10.3 does not compute in" in failures(report, "types")[-1].detail
    )


def test_a_precision_that_the_target_has_nowhere_is_one_row_and_nothing_else_is_looked_at() -> None:
    """Nothing in the graph could be changed to make it run."""
    report = lint(cases.plain(), NANO, precision="int8", format="engine")
    first, *others = report.rows
    assert (first.rule, first.status) == ("precision", "failed")
    assert "has no INT8" in first.detail
    assert "--precision fp16" in first.advice
    assert "--format onnx --precision int8" in first.advice
    assert {row.status for row in others} == {"not run"}


def test_only_runtimes_that_have_the_precision_are_asked() -> None:
    """An INT8 file on a Jetson Nano is for its CPU: TensorRT's opset 13 is not its limit."""
    model = graph_of([node("Relu", ["x"], ["y"])], opset=15, ir_version=8)
    assert failures(lint(model, NANO, precision="fp32"), "opset")
    report = lint(model, NANO, precision="int8")
    assert not failures(report, "opset")
    assert "not by TensorRT 8.2" in report.rows[0].detail


def test_an_engine_is_for_tensorrt_alone() -> None:
    """The limits of onnxruntime are none of its."""
    model = graph_of([node("Relu", ["x"], ["y"])], ir_version=9)
    assert failures(lint(model, NANO, precision="fp32"), "IR version")
    assert lint(model, NANO, precision="fp32", format="engine").passed


def test_a_file_of_more_than_two_gib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit of protobuf lowered, since no test should write 2 GiB."""
    monkeypatch.setattr(lint_graph, "MAX_FILE_BYTES", 50)
    (row,) = failures(lint(cases.plain(), CUDA, precision="fp32"), "sizes")
    assert "ONNX ends at 50" in row.detail


def test_places_beyond_the_first_three_are_counted() -> None:
    """A network of a hundred wrong layers is not a hundred rows."""
    names = ["x", *(f"v{index}" for index in range(7)), "y"]
    nodes = [node("Bernoulli", [a], [b], name=f"odd{b}") for a, b in pairwise(names)]
    found = failures(lint(graph_of(nodes, opset=15), CUDA, precision="fp32"), "operators")
    assert len(found) == MAX_PLACES + 1
    assert found[-1].detail == "5 more places break the rule operators"


def test_a_report_is_rows_of_a_verification_and_plain_json() -> None:
    """Both say everything: rule, status, place, what and advice."""
    report = lint(cases.raw_pixels(), NANO, precision="fp32")
    written = json.loads(json.dumps(report.to_json()))
    assert (written["target"], written["passed"]) == ("jetson-nano", False)
    assert set(written["rows"][0]) == {"rule", "status", "place", "detail", "advice"}
    (check,) = [each for each in report.checks() if each.status == "failed"]
    assert check.name == "jetson-nano: input"
    assert check.detail.startswith("input 'x': it is uint8")
    assert check.detail.endswith("export with --target jetson-nano: it takes float32, 0 to 255")


def test_a_file_without_a_graph_is_asked_for_its_precision_alone() -> None:
    """TorchScript has no operators that a table could have."""
    report = lint_possible(ORIN, precision="fp32", format="torchscript")
    assert [row.status for row in report.rows] == ["ok", "not run"]
    assert not lint_possible(ORIN, precision="int8", format="torchscript").passed


def test_the_model_is_not_changed() -> None:
    """It is written as a file after the lint."""
    model = cases.function()
    before = model.SerializeToString(deterministic=True)
    lint(model, CUDA, precision="fp32")
    assert model.SerializeToString(deterministic=True) == before


def test_stored_tensors_that_an_old_file_lists_as_inputs_are_none() -> None:
    """Below IR version 4 every initializer had to be listed."""
    model = graph_of([node("Add", ["x", "w"], ["y"])], stored=[cases.number("w", 1)])
    model.graph.input.append(helper.make_tensor_value_info("w", cases.FLOAT, []))
    assert lint(model, NANO, precision="fp32").passed


def test_a_summary_counts_the_rules_or_names_the_first_that_is_broken() -> None:
    """One row, where a verification has many others."""
    kept = lint(cases.plain(), NANO, precision="fp32").summary()
    assert (kept.name, kept.status) == ("rules of jetson-nano", "ok")
    assert "rules are kept" in kept.detail
    broken = lint(cases.raw_pixels(), NANO, precision="fp32").summary()
    assert broken.status == "failed"
    assert broken.detail.startswith("input: input 'x': it is uint8")
