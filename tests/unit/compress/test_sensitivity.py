"""What each layer's quantization costs by itself."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgenet.compress.execution import logits_of
from edgenet.compress.ranges import observe
from edgenet.compress.scheme import Scheme
from edgenet.compress.sensitivity import LayerSensitivity, sensitivity, sqnr_db
from edgenet.data import Split
from tests.unit.compress.graphs import LAYERS, classifier, pictures


def spoiled() -> bytes:
    """Return the classifier with a layer whose largest weight drowns all its others."""
    model = classifier()
    (tensor,) = [each for each in model.graph.initializer if each.name == "right.weight"]
    weight = numpy_helper.to_array(tensor).copy()
    weight[:, 0] = 60
    tensor.CopyFrom(numpy_helper.from_array(weight, tensor.name))
    (bias,) = [each for each in model.graph.initializer if each.name == "conv.bias"]
    values = numpy_helper.to_array(bias).copy()
    values[0] = -100  # the channel that the large weight reads is dead
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    written: bytes = model.SerializeToString()
    return written


def rows(scheme: Scheme) -> tuple[LayerSensitivity, ...]:
    """Return what the layers of the spoiled classifier cost."""
    model = spoiled()
    images = pictures(100, seed=2)
    labels = logits_of(model, images).argmax(axis=1).astype(np.int64)
    split = Split(name="validation", images=images, labels=labels, class_names=tuple("abcd"))
    return sensitivity(model, observe(model, pictures()), scheme, split)


def test_the_layer_that_loses_most_comes_first() -> None:
    """It is what to roll back, and by much."""
    found = rows(Scheme())
    assert {row.layer for row in found} == set(LAYERS)
    assert found[0].layer == "right"
    assert found[0].sqnr_db < found[1].sqnr_db - 10
    assert [row.sqnr_db for row in found] == sorted(row.sqnr_db for row in found)
    assert all(row.correct_change <= 0 and row.n == 100 for row in found)  # FP32 is right on all


def test_layers_that_stay_in_fp32_are_not_tried() -> None:
    """They cost nothing."""
    found = rows(Scheme(exclude=("right", "conv"), fp32_narrow_output=True))
    assert {row.layer for row in found} == {"left", "hidden", "plain"}


@pytest.mark.parametrize(("error", "expected"), [(0.1, 20.0), (1.0, 0.0), (0.0, math.inf)])
def test_sqnr_is_the_ratio_of_powers_in_db(error: float, expected: float) -> None:
    """20 dB are an error of a tenth."""
    reference = np.ones((5, 4), np.float32)
    candidate = (reference + np.float32(error)).astype(np.float32)
    assert sqnr_db(reference, candidate) == pytest.approx(expected, abs=1e-4)


def test_an_infinite_ratio_is_null_in_json() -> None:
    """JSON has no infinity."""
    row = LayerSensitivity(layer="conv", sqnr_db=math.inf, correct_change=0, n=10)
    assert row.to_json() == {"layer": "conv", "sqnr_db": None, "correct_change": 0, "n": 10}


def test_the_spoiled_network_is_valid() -> None:
    """What is tested is a loss of precision, not a broken file."""
    onnx.checker.check_model(onnx.load_model_from_string(spoiled()))
