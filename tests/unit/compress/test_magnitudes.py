"""The largest values of a network, where FP16 would have to hold them."""

from __future__ import annotations

import math

import numpy as np
from onnx import numpy_helper

from edgenet.compress.execution import run_batches
from edgenet.compress.magnitudes import magnitudes
from edgenet.export.onnx_half import half_values
from edgenet.progress import Step
from tests.unit.compress.graphs import classifier, content, pictures


def _scaled(name: str, factor: float) -> bytes:
    """Return the classifier with one weight as often as large."""
    model = classifier()
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    values = numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    written: bytes = model.SerializeToString()
    return written


def test_every_value_behind_the_pixels_is_looked_at_on_every_picture() -> None:
    """60 pictures are no multiple of a batch; the logits are those of the network."""
    steps: list[Step] = []
    names = half_values(classifier())
    found = magnitudes(content(), pictures(), names, progress=steps.append)
    assert tuple(found) == names
    assert (names[0], names[-1]) == ("unit", "logits")
    logits = [batch for (batch,) in run_batches(content(), pictures(), ["logits"])]
    assert found["logits"] == max(float(np.abs(batch).max()) for batch in logits)
    assert found["unit"] == float(pictures().max() * np.float32(1 / 255))
    assert steps[-1].done == 60


def test_what_a_tanh_hides_is_found() -> None:
    """The logits stay small, but FP16 has no number for what goes into it."""
    found = magnitudes(_scaled("left.weight", 1e6), pictures(), half_values(classifier()))
    assert found["l"] > 65504
    assert found["t"] <= 1
    assert found["logits"] < 65504


def test_infinity_stays_infinity() -> None:
    """Also where a later batch of pictures is harmless."""
    found = magnitudes(_scaled("conv.weight", 2e38), pictures(), half_values(classifier()))
    assert not math.isfinite(found["l"])
