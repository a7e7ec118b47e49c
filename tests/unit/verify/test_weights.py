"""Comparing stored weights with a checkpoint's, and naming the layer that differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.verify.weights import differences
from edgenet.weights import LayerWeights, NetworkWeights

DRAW = np.random.Generator(np.random.PCG64(0))
CONV = DRAW.normal(size=(4, 2, 3, 3)).astype(np.float32)
SQUARE = DRAW.normal(size=(5, 5)).astype(np.float32)
BIAS = DRAW.normal(size=5).astype(np.float32)


def layer(
    name: str, weight: NDArray[Any], bias: NDArray[Any] | None = None, place: str = "node"
) -> LayerWeights:
    """Return a layer whose kind follows from its weight's rank."""
    kind: Any = "conv" if weight.ndim == 4 else "linear"
    return LayerWeights(name=name, place=place, kind=kind, weight=weight.copy(), bias=bias)


EXPECTED = NetworkWeights(
    layers=(layer("conv1", CONV), layer("fc1", SQUARE, BIAS), layer("fc2", SQUARE * 2, BIAS)),
    others={"pixel_offset": np.array([[33.0]], np.float32)},
)


def stored(*, names: bool = True, **changes: Any) -> NetworkWeights:
    """Return the same network as a file stores it, with some of its layers changed."""
    layers = []
    for each in EXPECTED.layers:
        changed = replace(each, **changes.get(each.name, {}))
        layers.append(changed if names else replace(changed, name=""))
    return NetworkWeights(layers=tuple(layers), others=changes.get("others", EXPECTED.others))


@pytest.mark.parametrize("names", [True, False])
def test_the_same_weights_have_no_differences(names: bool) -> None:
    """With the names that ONNX keeps, and without, as TorchScript does."""
    assert differences(EXPECTED, stored(names=names)) == ()


@pytest.mark.parametrize("names", [True, False])
def test_a_weight_that_is_one_ulp_off_is_named_with_its_place(names: bool) -> None:
    """No output could show it: bits are compared."""
    weight = CONV.copy()
    weight[1, 0, 2, 1] = np.nextafter(weight[1, 0, 2, 1], np.float32(9))
    (line,) = differences(EXPECTED, stored(names=names, conv1={"weight": weight}))
    assert line.startswith("conv1.weight: 1 of 72 values differ, the first at [1, 0, 2, 1]")


@pytest.mark.parametrize("names", [True, False])
def test_a_square_weight_that_is_transposed_is_said_to_be(names: bool) -> None:
    """Its shape gives nothing away."""
    (line,) = differences(EXPECTED, stored(names=names, fc1={"weight": SQUARE.T}))
    assert line == "fc1.weight: the file has it transposed"


def test_a_transposed_kernel_is_said_to_be() -> None:
    """Height and width swapped."""
    (line,) = differences(EXPECTED, stored(conv1={"weight": CONV.transpose(0, 1, 3, 2)}))
    assert line == "conv1.weight: the file has it transposed"


@pytest.mark.parametrize("names", [True, False])
def test_a_bias_of_zeros_may_be_left_out(names: bool) -> None:
    """PyTorch's ONNX exporter does so; a bias with a single other number is missed."""
    bias = np.zeros(5, np.float32)
    layers = (layer("fc", SQUARE, bias),)
    found = (layer("fc" if names else "", SQUARE),)
    expected = NetworkWeights(layers=layers, others={})
    assert differences(expected, NetworkWeights(layers=found, others={})) == ()
    bias[3] = 1e-30
    assert len(differences(expected, NetworkWeights(layers=found, others={}))) == 1


@pytest.mark.parametrize("names", [True, False])
def test_a_dropped_bias_is_named(names: bool) -> None:
    """The weight alone is right."""
    (line,) = differences(EXPECTED, stored(names=names, fc2={"bias": None}))
    assert line == "fc2.bias: node does not add it"


def test_a_bias_that_the_checkpoint_has_not_is_named() -> None:
    """An exporter that adds zeros still adds something that was not there."""
    (line,) = differences(EXPECTED, stored(conv1={"bias": np.zeros(4, np.float32)}))
    assert "conv1.bias: node adds one" in line


def test_a_missing_layer_and_one_too_many_are_named() -> None:
    """Neither is passed over."""
    missing = replace(stored(), layers=stored().layers[:2])
    assert differences(EXPECTED, missing) == ("fc2 is missing",)
    extra = layer("", np.ones((7, 7), np.float32), place="Gemm node 'x'")
    more = replace(stored(), layers=(*stored().layers, extra))
    (line,) = differences(EXPECTED, more)
    assert line == "Gemm node 'x' has a weight [7, 7] that no layer has"


def test_a_layer_that_is_used_twice_may_be_stored_twice() -> None:
    """Shared weights are one layer of the checkpoint and two nodes of the graph."""
    twice = replace(stored(), layers=(*stored().layers, stored().layers[1]))
    assert differences(EXPECTED, twice) == ()


def test_negative_zero_is_not_zero() -> None:
    """Bit for bit means that."""
    zeros = NetworkWeights(layers=(layer("a", np.zeros((2, 2), np.float32)),), others={})
    minus = NetworkWeights(layers=(layer("a", -np.zeros((2, 2), np.float32)),), others={})
    assert differences(zeros, minus)


def test_another_type_of_number_is_named() -> None:
    """Half precision is not what was asked for."""
    (line,) = differences(EXPECTED, stored(fc1={"weight": SQUARE.astype(np.float16)}))
    assert line == "fc1.weight: float32 in the checkpoint, float16 in the file"


@pytest.mark.parametrize("name", ["pixel_offset", "17"])
def test_a_wrong_constant_of_the_pixel_arithmetic_is_named(name: str) -> None:
    """Found by its name, or missed by its content where the format keeps no names."""
    (line,) = differences(EXPECTED, stored(others={name: np.array([[34.0]], np.float32)}))
    assert line.startswith("pixel_offset: ")


def test_a_constant_is_found_by_its_content_in_any_shape() -> None:
    """An exporter may reshape what it broadcasts."""
    assert differences(EXPECTED, stored(others={"17": np.array([33.0], np.float32)})) == ()


def test_layers_with_equal_weights_may_share_what_is_stored_but_each_has_its_node() -> None:
    """An exporter stores equal tensors once, under the name of one layer."""
    pair = NetworkWeights(layers=(layer("a", CONV), layer("b", CONV)), others={})
    shared = (layer("b", CONV, place="first"), layer("b", CONV, place="second"))
    assert differences(pair, NetworkWeights(layers=shared, others={})) == ()
    alone = NetworkWeights(layers=shared[:1], others={})
    assert differences(pair, alone) == ("a is missing",)
    changed = (shared[0], layer("b", CONV * 2, place="second"))
    first, second = differences(pair, NetworkWeights(layers=changed, others={}))
    assert first.startswith("b.weight: 72 of 72 values differ")
    assert second == "a is missing"
