"""Every network × {FP32, FP16, INT8} × {free, fixed batch} × {opset 13, 17, 18, 20}.

Each file passes ONNX's checker with full shape inference, answers as its network does within the
bound of its precision, and is built by TensorRT for RTX in the precision that it is in.
"""

from __future__ import annotations

import platform
import sys
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.compress.sensitivity import sqnr_db
from edgenet.export import onnx as onnx_format
from edgenet.export.graph import DeployedNetwork, deployed_weights, reference_logits
from edgenet.export.onnx_half import to_half
from edgenet.models import TABLE, build, variant
from edgenet.models.summary import summarise
from edgenet.targets import ir_version_of
from edgenet.verify.half import rounding_units
from edgenet.verify.parity import compare, half_bound, relative_bound
from edgenet.verify.qdq_graph import LAYERS
from edgenet.verify.tensorrt_rtx import build_all, unavailable
from edgenet.verify.weights import differences
from tests.checkpoints import seeded
from tests.unit.compress.graphs import sqnr_floor_db
from tests.unit.compress.test_models import GREY, blobs, described

OPSETS = (13, 17, 18, 20)
BATCHES = (None, 4)
PRECISIONS = ("fp32", "fp16", "int8")
_TENSORRT_NAMES = {"fp32": "FP32", "fp16": "FP16", "int8": "INT8"}


def of_precision(precision: str, content: bytes, pictures: NDArray[np.uint8]) -> bytes:
    """Return an FP32 file in another precision."""
    if precision == "fp16":
        half: bytes = to_half(onnx.load_model_from_string(content)).SerializeToString()
        return half
    return quantize(content, pictures, Scheme()) if precision == "int8" else content


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="TensorRT for RTX has no wheel for this platform",
)
@pytest.mark.skipif(unavailable() is not None, reason="TensorRT for RTX is not installed")
@pytest.mark.parametrize("name", TABLE)
def test_every_precision_batch_and_opset_is_valid_right_and_built(
    tmp_path: Path, name: str
) -> None:
    """By the exporter that `export` takes first for the opset; 24 files of each network."""
    spec, rule = described(name, {}, GREY)
    network = seeded(lambda: build(spec))
    deployed = DeployedNetwork(network, rule)
    assert variant(name).pad == rule.pad
    seen, others = blobs(20, GREY, 0), blobs(40, GREY, 1)
    reference = reference_logits(network, rule, others)
    longest = summarise(spec).longest_reduction
    files: dict[Path, str] = {}
    for opset, batch in product(OPSETS, BATCHES):
        path = tmp_path / f"{opset}-{batch}.onnx"
        written = onnx_format.write(deployed, path, batch=batch, opset=opset, metadata={})
        assert written.options["opset"] == opset
        assert written.options["ir_version"] == ir_version_of(opset)
        assert differences(deployed_weights(deployed), onnx_format.stored_weights(path)) == ()
        fp32 = path.read_bytes()
        layers = sum(n.op_type in LAYERS for n in onnx.load_model_from_string(fp32).graph.node)
        for precision in PRECISIONS:
            content = of_precision(precision, fp32, seen)
            model = onnx.load_model_from_string(content)
            onnx.checker.check_model(model, full_check=True)
            logits = logits_of(content, others)
            if precision == "int8":
                assert sqnr_db(reference, logits) > sqnr_floor_db(layers)
            else:
                half = half_bound(rounding_units(model)) if precision == "fp16" else None
                agreement = compare(reference, logits, half or relative_bound(longest))
                assert agreement.max_relative <= agreement.bound, (opset, batch, precision)
            file = tmp_path / f"{opset}-{batch}-{precision}.onnx"
            file.write_bytes(content)
            files[file] = precision
    for (file, precision), engine in zip(files.items(), build_all(tuple(files)), strict=True):
        nodes = {n.name for n in onnx.load(file).graph.node if n.op_type in LAYERS}
        found = {each.node: each.precision for each in engine.multiplications}
        assert engine.errors == (), file.name
        assert engine.engine_bytes > 0
        assert found == dict.fromkeys(nodes, _TENSORRT_NAMES[precision]), file.name
