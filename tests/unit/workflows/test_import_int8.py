"""Making a bundle of an ONNX classifier that somebody else quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.workflows._verify import VerifyArguments, verify
from tests.unit.workflows.test_import_onnx import foreign, imported


def quantized_foreign(path: Path) -> Path:
    """Write the classifier with integers inside, as tools of other people do."""
    model = onnx.load(foreign(path))
    graph = model.graph
    weight = numpy_helper.to_array(graph.initializer[0])
    scale = np.float32(np.abs(weight).max() / 127)
    integers = np.rint(weight / scale).astype(np.int8)
    del graph.initializer[:], graph.node[:]
    flat = helper.make_node("Flatten", ["x"], ["flat"])
    constants = {
        "weight": integers,
        "weight_scale": scale,
        "weight_zero": np.int8(0),
        "input_scale": np.float32(2 / 127),
        "input_zero": np.int8(0),
    }
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()
    )
    steps = ["input_scale", "input_zero"]
    weights = ["weight", "weight_scale", "weight_zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["flat", *steps], ["q"]),
        helper.make_node("DequantizeLinear", ["q", *steps], ["d"]),
        helper.make_node("DequantizeLinear", weights, ["w"]),
        helper.make_node("MatMul", ["d", "w"], ["y"]),
    ]
    graph.node.extend([flat, *nodes])
    onnx.save(model, path)
    return path


def test_a_foreign_int8_file_is_imported_by_the_bound_of_its_roundings(tmp_path: Path) -> None:
    """Pixels that differ in their last bit may fall on another step; float32's bound is for none.

    The reference normalises by itself, so that steps do differ for some of 256 random pictures.
    """
    result = imported(quantized_foreign(tmp_path / "net.onnx"))
    assert result.passed
    assert result.precision == "int8"
    assert result.path is not None
    found = verify(VerifyArguments(bundle=result.path))
    assert found.passed
    rows = {check.name: check for check in found.verification.checks}
    assert "Q/DQ form" not in rows
    assert rows["golden"].agreement is not None
    assert rows["golden"].agreement.bound == pytest.approx(1 / 127)
