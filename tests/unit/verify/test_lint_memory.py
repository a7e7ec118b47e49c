"""The estimate of memory, against what is counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.targets import TABLE
from edgenet.verify.lint import lint
from edgenet.verify.lint_memory import Memory, estimate
from edgenet.verify.lint_shapes import infer
from edgenet.verify.lint_subject import Subject, runtimes_of
from edgenet.verify.qdq_graph import graphs_of
from tests.unit.verify import lint_cases as cases
from tests.unit.verify.lint_cases import graph_of, node

ROW = 4 * 4  # bytes of a float32 picture of 4 numbers


def memory_of(model: onnx.ModelProto, target: str = "cpu") -> Memory:
    """Estimate a model's memory."""
    types, batch = infer(model)
    row = TABLE[target]
    subject = Subject(
        original=model,
        functions=(),
        graphs=tuple(graphs_of(model)),
        types=types,
        batch=batch,
        target=row,
        runtimes=runtimes_of(row, "onnx", "fp32"),
        precision="fp32",
    )
    return estimate(subject)


@pytest.mark.parametrize(("batch", "pictures"), [("N", 1), (8, 8)])
def test_what_is_alive_at_once_is_counted(batch: int | str, pictures: int) -> None:
    """At the sum its two inputs and its result are, and the input of all is no longer."""
    model = graph_of(
        [
            node("Relu", ["x"], ["a"], name="first"),
            node("Relu", ["a"], ["b"], name="second"),
            node("Add", ["a", "b"], ["y"], name="sum"),
        ],
        shape=(batch, 4),
    )
    memory = memory_of(model)
    assert (memory.activations_bytes, memory.node) == (3 * ROW * pictures, "sum")
    assert (memory.weights_bytes, memory.floor_bytes) == (0, 0)


def test_an_input_that_is_read_late_stays_alive() -> None:
    """A shortcut around a layer costs its input all the while."""
    model = graph_of(
        [
            node("Relu", ["x"], ["a"], name="first"),
            node("Exp", ["a"], ["b"], name="second"),
            node("Add", ["x", "b"], ["y"], name="sum"),
        ],
        shape=("N", 4),
    )
    assert memory_of(model).activations_bytes == 3 * ROW
    assert memory_of(model).node == "second"


def test_a_dequantized_weight_is_alive_when_it_is_read_and_not_before() -> None:
    """Where a file lists all of them first, they are not all in memory at once."""
    weights = [numpy_helper.from_array(np.ones((4, 4), np.int8), name) for name in "uv"]
    model = graph_of(
        [
            node("DequantizeLinear", ["u", "scale", "zero"], ["first"]),
            node("DequantizeLinear", ["v", "scale", "zero"], ["second"]),
            node("Gemm", ["x", "first"], ["h"], name="one"),
            node("Gemm", ["h", "second"], ["y"], name="two"),
        ],
        shape=("N", 4),
        stored=[*weights, cases.number("scale", 1), cases.number("zero", 0, np.int8)],
    )
    memory = memory_of(model)
    assert memory.weights_bytes == 16 + 16 + 4 + 1
    assert memory.activations_bytes == 16 * 4 + 2 * ROW


def test_what_a_branch_needs_comes_on_top_and_the_larger_branch_decides() -> None:
    """One of the two runs; which, is not known before."""

    def branch(result: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
        made = helper.make_tensor_value_info(result, cases.FLOAT, None)
        return helper.make_graph(nodes, result, [], [made])

    small = [node("ReduceMax", ["x"], ["small"], axes=[1])]
    large = [
        node("Concat", ["x", "x"], ["eight"], axis=1),
        node("Concat", ["eight", "eight"], ["sixteen"], axis=1),
        node("ReduceMax", ["sixteen"], ["large"], axes=[1]),
    ]
    choice = node(
        "If",
        ["condition"],
        ["y"],
        name="choice",
        then_branch=branch("small", small),
        else_branch=branch("large", large),
    )
    stored = [numpy_helper.from_array(np.array(True), "condition")]
    memory = memory_of(graph_of([choice], shape=("N", 4), stored=stored))
    result = 4
    assert memory.activations_bytes == (ROW + result) + (2 * ROW + 4 * ROW)
    assert memory.node == "choice"


def test_a_size_that_follows_from_the_data_leaves_the_rule_out() -> None:
    """An estimate without it would be no estimate."""
    rows = lint(cases.size_by_data(), TABLE["cpu"], precision="fp32").rows
    (row,) = [row for row in rows if row.rule == "memory"]
    assert row.status == "not run"
    assert row.detail == "the size of value 'i' is not known before the network runs"


def test_a_network_that_exceeds_the_board_is_refused() -> None:
    """With the figures that the verdict stands on."""
    tiny = replace(TABLE["raspberry-pi-4"], memory_bytes=200)
    model = graph_of([node("Relu", ["x"], ["y"], name="relu")])
    (row,) = lint(model, tiny, precision="fp32").failures
    assert row.rule == "memory"
    assert "at least 0.4 KiB for 1 picture" in row.detail
    assert "at relu; the board has 0.2 KiB" in row.detail
    assert lint(model, TABLE["raspberry-pi-4"], precision="fp32").passed


def test_cuda_and_its_libraries_count_where_tensorrt_runs() -> None:
    """They dwarf a LeNet on a Jetson Nano."""
    assert memory_of(cases.plain(), "jetson-nano").floor_bytes == 630 << 20
    assert memory_of(cases.plain(), "raspberry-pi-4").floor_bytes == 0
    rows = lint(cases.plain(), TABLE["jetson-nano"], precision="fp32").rows
    (row,) = [row for row in rows if row.rule == "memory"]
    assert "CUDA and its libraries 630 MiB; the board has 3,955 MiB, which CPU and GPU share" in (
        row.detail
    )


def test_a_target_whose_memory_is_not_fixed_gets_the_figures_and_no_verdict() -> None:
    """A desktop may have any."""
    rows = lint(cases.plain(), TABLE["cuda"], precision="fp32").rows
    (row,) = [row for row in rows if row.rule == "memory"]
    assert row.status == "not run"
    assert "at least 0.4 KiB" in row.detail
