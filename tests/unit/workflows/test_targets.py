"""Listing and explaining targets."""

from __future__ import annotations

import json

import pytest

from edgenet.errors import UsageError
from edgenet.targets import TABLE
from edgenet.workflows import explain_target, list_targets


def test_the_list_is_the_table() -> None:
    """In its order."""
    assert [row.name for row in list_targets()] == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_every_format_and_precision_has_an_answer(name: str) -> None:
    """Engines too, which are built and not written like the others."""
    explained = explain_target(name)
    asked = {(answer.format, answer.precision) for answer in explained.answers}
    assert len(asked) == len(explained.answers)
    assert {("onnx", "int8"), ("engine", "int8"), ("rtx", "fp16")} <= asked
    assert all(answer.possibility.reason for answer in explained.refused)
    json.dumps(explained.to_json(), allow_nan=False)


def test_a_jetson_nano_refuses_int8_engines_and_takes_int8_onnx() -> None:
    """Its GPU has no INT8; its CPU computes it."""
    refused = {(each.format, each.precision) for each in explain_target("jetson-nano").refused}
    assert ("engine", "int8") in refused
    assert ("onnx", "int8") not in refused


def test_an_unknown_target_is_a_usage_error() -> None:
    """With the nearest name."""
    with pytest.raises(UsageError, match="unknown target 'jetson'"):
        explain_target("jetson")
