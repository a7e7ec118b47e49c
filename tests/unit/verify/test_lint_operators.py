"""The operators that a target's runtimes have, in the main graph, in branches and in functions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import onnx
import pytest
from onnx import helper

from edgenet.targets import TABLE
from edgenet.verify import lint_subject
from edgenet.verify.lint import lint
from edgenet.verify.lint_operators import tensorrt_operators
from tests.unit.verify import lint_cases as cases
from tests.unit.verify.lint_cases import graph_of, node

HARDEST = {"jetson-nano": "TensorRT 8.2", "cuda": "TensorRT 10.3"}


def refusals(model: onnx.ModelProto, target: str, **options: str) -> list[str]:
    """Return what the rule of the operators says, with the places."""
    precision = options.pop("precision", "fp32")
    report = lint(model, TABLE[target], precision=precision, **options)
    rows = [row for row in report.failures if row.rule == "operators"]
    assert all(row.advice for row in rows)
    return [f"{row.place}: {row.detail}" for row in rows]


def imaged() -> onnx.ModelProto:
    """Use the one operator of ONNX that onnxruntime does not have."""
    decoder = node("ImageDecoder", ["x"], ["i"], name="odd")
    nodes = [decoder, node("Cast", ["i"], ["y"], to=cases.FLOAT)]
    return graph_of(
        nodes, shape=("N",), element=onnx.TensorProto.UINT8, opset=20, result=("H", "W", 3)
    )


@pytest.mark.parametrize(
    ("graph", "target", "told"),
    [
        (cases.lacking, "cuda", "Det node 'odd': TensorRT 10.3 does not have Det"),
        (cases.lacking_in_a_branch, "cuda", "Bernoulli node 'odd', in else_branch of If node"),
        (cases.function_with_a_lacking_operator, "cuda", "Det node 'odd__1': TensorRT 10.3"),
        (cases.function, "jetson-nano", "the file: TensorRT 8.2 takes no functions"),
        (cases.foreign, "cuda", "Own node 'odd': TensorRT 10.3 has no operators of the domain"),
        (cases.foreign, "cpu", "Own node 'odd': onnxruntime 1.20 has no operators of the domain"),
        (cases.pool_with_indices, "cuda", "MaxPool node 'odd': TensorRT 10.3 does not give the"),
        (cases.dilated_pool, "cuda", "MaxPool node 'odd': TensorRT 10.3 takes no dilations"),
        (imaged, "cpu", "ImageDecoder node 'odd': onnxruntime 1.20 does not have ImageDecoder"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_operator_that_a_runtime_does_not_have_is_named(
    graph: Callable[[], onnx.ModelProto], target: str, told: str
) -> None:
    """With the node, wherever it is."""
    assert any(each.startswith(told) for each in refusals(graph(), target)), told


@pytest.mark.parametrize(
    ("graph", "target"),
    [
        (cases.lacking, "cpu"),
        (cases.lacking_in_a_branch, "cpu"),
        (cases.function, "cuda"),
        (cases.branching, "jetson-nano"),
        (cases.pool_with_indices, "cpu"),
        (cases.dilated_pool, "cpu"),
    ],
)
def test_an_operator_that_every_runtime_has_is_not(
    graph: Callable[[], onnx.ModelProto], target: str
) -> None:
    """The same graphs, where they run."""
    assert refusals(graph(), target) == []


@pytest.mark.parametrize(
    ("graph", "name"), [(cases.qgemm, "QGemm"), (cases.conv_integer, "ConvInteger")]
)
def test_integers_in_the_operator_are_for_onnxruntime_alone(
    graph: Callable[[], onnx.ModelProto], name: str
) -> None:
    """TensorRT reads Q/DQ pairs; the advice is to write these."""
    (told,) = refusals(graph(), "cuda", precision="int8", format="engine")
    assert f"{name} node 'odd'" in told
    assert refusals(graph(), "cpu", precision="int8") == []
    report = lint(graph(), TABLE["cuda"], precision="int8", format="engine")
    (row,) = [row for row in report.failures if row.rule == "operators"]
    assert "edgenet quantize" in row.advice


def test_an_operator_of_onnxruntimes_own_is_looked_up_by_version() -> None:
    """Version 1.10, the last for a Jetson Nano's Python, has no QGemm for INT8."""
    (told,) = refusals(cases.qgemm(), "jetson-nano", precision="int8")
    assert "onnxruntime 1.10 does not have QGemm of com.microsoft" in told


def test_the_list_of_tensorrt_grows_by_release() -> None:
    """By the changelog of its parser."""
    lists = [tensorrt_operators(version) for version in ((8, 0), (8, 2), (8, 5), (8, 6), (10, 15))]
    assert all(older < newer for older, newer in pairwise(lists))
    assert {"Conv", "Gemm", "QuantizeLinear", "Reciprocal"} <= lists[0]
    assert "Einsum" in lists[1] - lists[0]
    assert "LayerNormalization" in lists[3] - lists[2]
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    own = {"ImageScaler", "ParametricSoftplus", "ScaledTanh"}  # of ONNX before 1.5
    assert lists[-1] - known <= own


def test_functions_that_call_themselves_are_refused_without_expanding_them() -> None:
    """Else the lint would not end."""
    model = cases.function()
    model.functions[0].node[0].CopyFrom(node("Own", ["a"], ["b"], domain="own"))
    model.functions[0].opset_import.append(helper.make_opsetid("own", 1))
    report = lint(model, TABLE["cuda"], precision="fp32")
    (row,) = report.failures
    assert row.rule == "ONNX standard"


def test_functions_that_would_expand_to_very_many_nodes_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thirty of them, each calling the one before twice, are a thousand million nodes."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", "F0", ["a"], ["b"], [node("Relu", ["a"], ["b"])], opsets)
    ]
    for level in range(1, 31):
        calls = [
            node(f"F{level - 1}", ["a"], ["m"], domain="own"),
            node(f"F{level - 1}", ["m"], ["b"], domain="own"),
        ]
        functions.append(helper.make_function("own", f"F{level}", ["a"], ["b"], calls, opsets))
    call = node("F30", ["x"], ["y"], domain="own")
    model = graph_of([call], functions=functions[:1], domains=["own"], ir_version=8)
    model.functions.extend(functions[1:])
    monkeypatch.setattr(lint_subject, "inline_local_functions", None)
    (row,) = lint(model, TABLE["cuda"], precision="fp32").failures
    assert "expand to more than 1,000,000 nodes" in row.detail
