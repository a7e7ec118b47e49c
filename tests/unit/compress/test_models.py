"""Every network of the table of models, quantized: what an exported graph may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgenet import models
from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantizable, quantize
from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.compress.sensitivity import sqnr_db
from edgenet.export import onnx as onnx_format
from edgenet.export.graph import DeployedNetwork, deployed_weights
from edgenet.models import ModelSpec, OptionValue
from edgenet.runner.preprocess import Preprocessing
from edgenet.verify.qdq import quantized_layers, violations, weight_violations
from tests.checkpoints import seeded
from tests.networks import marked
from tests.unit.compress.graphs import sqnr_floor_db

GREY, COLOUR = (1, 28, 28), (3, 64, 64)
Case = tuple[str, dict[str, OptionValue], tuple[int, int, int]]

_ALL: list[Case] = [
    *((name, {}, GREY) for name in models.TABLE),
    ("lenet5-relu", {"attention": "se"}, GREY),
    ("lenet5-relu", {"attention": "cbam"}, GREY),
    ("lenet5-relu", {}, COLOUR),
    ("mlp-small", {}, COLOUR),
    ("resnet8", {}, COLOUR),
]


def _case(case: Case) -> Any:
    name, options, shape = case
    marks = marked(name) if not options and shape == GREY else ()
    return pytest.param(
        *case, marks=marks, id="-".join([name, *map(str, options.values()), str(shape[1])])
    )


CASES = [_case(case) for case in _ALL]
"""The networks of the table, and others; those that another stands for are slow."""


def blobs(n: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.uint8]:
    """Return pictures uint8 [n, C, H, W] of smooth random shapes on black."""
    draw = np.random.Generator(np.random.PCG64(seed))
    channels, height, width = shape
    coarse = draw.normal(size=(n, channels, height // 4, width // 4))
    smooth = coarse.repeat(4, axis=2).repeat(4, axis=3)
    return np.clip(smooth * 120, 0, 255).astype(np.uint8)


def described(
    name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> tuple[ModelSpec, Preprocessing]:
    """Return a network of the table for pictures of a shape, and what they are normalised by."""
    channels, height, width = shape
    spec = ModelSpec(
        name=name, options=options, in_channels=channels, image_size=(height, width), classes=10
    )
    rule = Preprocessing(
        mode="L" if channels == 1 else "RGB",
        height=height,
        width=width,
        resize="stretch",
        mean=(0.2,) * channels,
        std=(0.3,) * channels,
        pad=models.variant(name).pad,
        polarity=None,
    )
    return spec, rule


def deployed(
    name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> DeployedNetwork:
    """Build an untrained network of the table behind its pixel arithmetic."""
    spec, rule = described(name, options, shape)
    return DeployedNetwork(seeded(lambda: models.build(spec)), rule)


def changes_to_expect(reference: NDArray[np.float32], noise_power: float) -> float:
    """Return how many decisions noise of this power may change, at most, on the average.

    For class j to overtake class i, Δⱼ − Δᵢ has to exceed their margin m. Its second moment is at
    most 4σ², however the two are correlated, so by Chebyshev this happens with 4σ²/m² or less.
    """
    margins = reference.max(axis=1, keepdims=True) - reference
    chances = 4 * noise_power / np.maximum(np.sort(margins, axis=1)[:, 1:], 1e-12) ** 2
    return float(np.minimum(1, chances.sum(axis=1)).sum())


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    CASES,
)
def test_a_network_of_the_table_is_quantized_whole(
    tmp_path: Path, name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> None:
    """In the form, with its own weights, deciding as it did within what 8 bits allow."""
    network = deployed(name, options, shape)
    path = tmp_path / "model.onnx"
    onnx_format.write(network, path, batch=None, opset=18, metadata={})
    model = path.read_bytes()
    seen, others = blobs(40, shape, 0), blobs(60, shape, 1)

    file = quantize(model, seen, Scheme())
    assert file == quantize(model, seen, Scheme())
    parsed = onnx.load_model_from_string(file)
    nodes = quantizable(model)
    parent = deployed_weights(network)
    assert {node.layer for node in nodes} == {layer.name for layer in parent.layers}
    assert [each.name for each in quantized_layers(parsed)] == [node.layer for node in nodes]
    assert violations(parsed) == ()
    assert weight_violations(parsed, parent) == ()

    reference, logits = logits_of(model, others), logits_of(file, others)
    assert sqnr_db(reference, logits) > sqnr_floor_db(len(nodes))
    noise = float(np.square(logits_of(file, seen) - logits_of(model, seen)).mean())
    changed = int((logits.argmax(axis=1) != reference.argmax(axis=1)).sum())
    assert changed <= changes_to_expect(reference, noise)

    with_uint8 = quantize(model, seen, SCHEMES["u8s8-minmax"])
    assert violations(onnx.load_model_from_string(with_uint8), activations="uint8") == ()
    assert sqnr_db(reference, logits_of(with_uint8, others)) > sqnr_floor_db(len(nodes))
