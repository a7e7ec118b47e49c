"""What is read from what TensorRT says of an engine's layers.

The log of TensorRT for RTX is read in tests/unit/verify/test_tensorrt_rtx.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenet.runner.tensorrt.log import (
    Multiplication,
    inspected_multiplications,
    layer_kinds,
    multiplications,
    precisions_of,
)


def layer(name: str, kind: str, form: str, **more: str) -> dict[str, Any]:
    """Return a layer as the inspector tells it.

    Fields and wording are those of listings of TensorRT 8.2 and 10 in github.com/NVIDIA/TensorRT,
    issue 4020, and github.com/pytorch/pytorch, pull request 66683.
    """
    tensor = {"Name": "x", "Location": "Device", "Dimensions": [1, 6], "Format/Datatype": form}
    return {"Name": name, "LayerType": kind, "Inputs": [tensor], "Outputs": [], **more}


LAYERS: list[Any] = [
    layer("Reformatting CopyNode for Input Tensor 0 to conv1", "Reformat", "Row major linear FP32"),
    layer("conv1 + relu", "CaskConvolution", "Four wide channel vectorized row major Int8 format"),
    layer(
        "fused",
        "CaskGemmMatrixMultiply",
        "Row major linear FP16 format",
        Metadata="[ONNX Layer: fc]\x1e[ONNX Layer: act]",
    ),
    layer("PWN(PWN(relu_1), add_1)", "PointWiseV2", "Row major linear FP16 format"),
    layer("out", "MyelinLayer", "Row major linear FP32", ParameterType="MatrixMultiply"),
    layer("pool", "CaskPooling", "Row major Int8 format"),
    "a layer without its details",
]
NODES = {"conv1", "fc", "out", "pool"}


def test_the_inspectors_layers_are_read_with_the_precision_of_their_input() -> None:
    """By their ONNX nodes where they are told, else by the names in the layer's own."""
    found = list(inspected_multiplications(json.dumps({"Layers": LAYERS}), NODES))
    assert found == [
        Multiplication("conv1", "INT8"),
        Multiplication("fc", "FP16"),
        Multiplication("out", "FP32"),
    ]
    assert precisions_of(found) == {"FP16": 1, "FP32": 1, "INT8": 1}


def test_a_precision_that_is_not_known_keeps_the_librarys_words() -> None:
    """Rather than passing for another."""
    text = json.dumps({"Layers": [layer("out", "gemm", "Row major FP8 format")]})
    assert list(inspected_multiplications(text, NODES)) == [
        Multiplication("out", "Row major FP8 format")
    ]


def test_layers_are_counted_by_kind_in_either_text() -> None:
    """The inspector's decides where both are there."""
    text = json.dumps({"Layers": LAYERS})
    log = "Layers:\nName: a, LayerType: gemm, Inputs: []\nName: b, LayerType: gemm, Inputs: []"
    assert layer_kinds(log, None) == {"gemm": 2}
    assert layer_kinds(log, text)["CaskConvolution"] == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"Layers": 3}', '{"Layers": [1, null]}', "[" * 100_000]
)
def test_what_is_no_description_has_no_layers(text: str) -> None:
    """A text made for people is no interface."""
    assert list(inspected_multiplications(text, NODES)) == []
    assert layer_kinds("", text) == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(LAYERS[0])), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.text(), st.lists(_JSON))
def test_no_text_crashes_the_reading(text: str, layers: list[Any]) -> None:
    """Whatever a next version writes."""
    described = f"Name: x, LayerType: gemm, Inputs: {text}, Constants: , Outputs: , TacticName: t"
    for each in (*multiplications(text, NODES), *multiplications(described, NODES)):
        assert each.node in NODES
    for found in inspected_multiplications(json.dumps({"Layers": layers}), NODES):
        assert found.node in NODES
