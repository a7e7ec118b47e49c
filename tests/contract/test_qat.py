"""Every network of the table of models, trained with rounding, exported, and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgenet.compress.execution import logits_of, run_batches
from edgenet.compress.fake_quantize import FakeQuantizedLayer, WeightBits, learned_steps
from edgenet.compress.layers import WeightedNode
from edgenet.compress.ptq import quantizable
from edgenet.compress.qat import quantize_trained, recipe_of, train_quantized
from edgenet.compress.sensitivity import sqnr_db
from edgenet.export import onnx as onnx_format
from edgenet.export.graph import DeployedNetwork, deployed_weights, reference_logits
from edgenet.models import OptionValue, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.training.pictures import Pictures
from edgenet.training.recipe import Recipe
from edgenet.verify.qdq import quantized_layers, violations, weight_violations
from tests.checkpoints import seeded
from tests.unit.compress.graphs import sqnr_floor_db
from tests.unit.compress.test_models import CASES, blobs, described

BITS: dict[str, WeightBits] = {"lenet5-relu": 4, "simple-cnn": 4, "teacher": 4}
"""Of the weights of some of them; the others have 8."""
_UNIT_ROUNDOFF = 2.0**-24
_SCALING = 4
"""Roundings of a product by its two scales, and of these by each other, in either computation."""


def pictures(shape: tuple[int, int, int], rule: Preprocessing, n: int, seed: int) -> Pictures:
    """Return random pictures with random labels."""
    labels = torch.arange(n) % 10
    return Pictures(
        images=torch.from_numpy(blobs(n, shape, seed)), labels=labels, preprocessing=rule
    )


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    CASES,
)
def test_the_file_computes_what_was_trained(
    tmp_path: Path, name: str, options: dict[str, OptionValue], shape: tuple[int, int, int]
) -> None:
    """In the form of quantization after training, with the learned steps, layer by layer."""
    spec, rule = described(name, options, shape)
    network = seeded(lambda: build(spec)).eval()
    bits = BITS.get(name, 8)
    trained = train_quantized(
        network,
        recipe_of(Recipe(batch=32, loss="cross-entropy"), epochs=1),
        bits=bits,
        calibration=pictures(shape, rule, 32, seed=0),
        train=pictures(shape, rule, 64, seed=1),
        validation=pictures(shape, rule, 20, seed=2),
    )
    deployed = DeployedNetwork(trained.rounded, rule)
    path = tmp_path / "model.onnx"
    onnx_format.write(deployed, path, batch=None, opset=18, metadata={})
    file = quantize_trained(path.read_bytes(), trained)

    parsed = onnx.load_model_from_string(file)
    assert violations(parsed) == ()
    assert weight_violations(parsed, deployed_weights(deployed)) == ()
    steps = learned_steps(trained.network)
    stored = quantized_layers(parsed)
    assert {each.name for each in stored} == set(steps)
    for layer in stored:
        assert layer.input_scale == steps[layer.name].input.scale
        np.testing.assert_array_equal(layer.weight_scales, steps[layer.name].weight)
        assert np.abs(layer.weight).max() <= 2 ** (bits - 1) - 1

    images = blobs(24, shape, 3)
    nodes = quantizable(path.read_bytes())
    given = values_of(parsed, nodes, images)
    for node in nodes:
        module = trained.network.get_submodule(node.layer)
        assert isinstance(module, FakeQuantizedLayer)
        check_layer(module, given[node.input], given[node.output])
    as_trained = reference_logits(trained.network, rule, images)
    assert sqnr_db(as_trained, logits_of(file, images)) > sqnr_floor_db(len(nodes))


def values_of(
    model: onnx.ModelProto, nodes: tuple[WeightedNode, ...], images: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Run a file, and return what its layers are given, before rounding, and what they make."""
    names = list(dict.fromkeys(name for node in nodes for name in (node.input, node.output)))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    parts = list(run_batches(watched.SerializeToString(), images, names))
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def check_layer(
    module: FakeQuantizedLayer, given: NDArray[np.float32], made: NDArray[np.float32]
) -> None:
    """Compare what the trained layer makes of the same input, within what two runtimes may differ.

    The sum of n products in float32, in any order, is off by n·u·Σ|xw| at most, and two sums by
    twice that. Where ReLU and a Q follow, onnxruntime adds the bias as an integer, rounded to steps
    of both scales' product.
    """
    layer, weight = module.layer, module.rounded_weight.detach()
    values = torch.from_numpy(given)
    with torch.no_grad():
        ours = module(values)
        magnitudes = {name: value.abs().double() for name, value in layer.named_parameters()}
        rounded = module.of_input(values).abs().double()
        sums = torch.func.functional_call(
            layer, {**magnitudes, "weight": weight.abs().double()}, (rounded,)
        )
        bias_step = (module.of_input.scale * module.of_weight.scale).double()
    channels = (1, -1, *[1] * (sums.dim() - 2))
    n = weight[0].numel() + 1 + _SCALING
    bound = 2 * n * _UNIT_ROUNDOFF * sums + bias_step.reshape(channels) / 2
    apart = (ours.double() - torch.from_numpy(made).double()).abs()
    assert (apart <= bound).all(), (apart / bound).max()
