"""Every network of the table in every scheme, run twice by onnxruntime: the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantize_observed
from edgenet.compress.ranges import observe
from edgenet.compress.scheme import SCHEMES
from edgenet.export import onnx as onnx_format
from edgenet.models import OptionValue
from edgenet.verify.activation_ranges import range_fits
from tests.unit.compress.test_models import CASES, blobs, deployed


def as_shipped(model: bytes, images: NDArray[np.uint8]) -> bytes:
    """Return the logits' bits as onnxruntime computes them by default, without its exact mode."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images})
    content: bytes = logits.tobytes()
    return content


SHIPPED = ("s8s8-minmax", "u8s8-minmax")
"""Schemes that differ in their form; the others differ from these in numbers alone."""


@pytest.mark.parametrize(
    "schemes", [SHIPPED, pytest.param(tuple(SCHEMES), marks=pytest.mark.slow)], ids=["two", "all"]
)
@pytest.mark.parametrize(
    ("name", "options", "shape"),
    CASES,
)
def test_two_runs_of_a_quantized_network_give_the_same_bits(
    tmp_path: Path,
    name: str,
    options: dict[str, OptionValue],
    shape: tuple[int, int, int],
    schemes: tuple[str, ...],
) -> None:
    """Each in a session of its own, in the exact mode and in the default one.

    What was calibrated fits, too: the check of ranges has no false alarm on any network.
    """
    path = tmp_path / "model.onnx"
    onnx_format.write(deployed(name, options, shape), path, batch=None, opset=18, metadata={})
    model, images = path.read_bytes(), blobs(20, shape, 1)
    observed = observe(model, blobs(20, shape, 0))
    for scheme in schemes:
        file = quantize_observed(model, observed, SCHEMES[scheme])
        assert logits_of(file, images).tobytes() == logits_of(file, images).tobytes()
        assert as_shipped(file, images) == as_shipped(file, images)
        fits = range_fits(onnx.load_model_from_string(file), images)
        assert all(fit.fits for fit in fits), [fit.describe() for fit in fits]
