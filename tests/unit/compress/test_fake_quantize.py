"""Fake quantization against QuantizeLinear, and the gradients that it lets through."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from edgenet.compress.fake_quantize import (
    FakeQuantize,
    FakeQuantizedLayer,
    best_weight_scale,
    fake_quantized,
    learned_steps,
    rounded_form,
    rounded_to_steps,
)
from edgenet.compress.qdq import quantized_weight
from edgenet.errors import NotPossible

SCALES = (0.25, 0.1, 1 / 3, 7e-3, 0.0123)


def grid(scale: float) -> NDArray[np.float32]:
    """Return every half step up to beyond both ends, so every tie, and their neighbours."""
    halves = (np.arange(-600, 601) / 2).astype(np.float32) * np.float32(scale)
    below, above = (np.nextafter(halves, np.float32(end)) for end in (-np.inf, np.inf))
    return np.concatenate([halves, below, above])


def by_onnxruntime(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Run QuantizeLinear and DequantizeLinear to int8."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        [
            helper.make_tensor("s", TensorProto.FLOAT, [], [scale]),
            helper.make_tensor("z", TensorProto.INT8, [], [0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"x": values})
    return np.asarray(result)


@pytest.mark.parametrize("scale", SCALES)
def test_activations_are_rounded_as_onnxruntime_rounds_them(scale: float) -> None:
    """Bit for bit, at every tie and beside it, and beyond the ends."""
    values = grid(scale)
    ours = rounded_to_steps(torch.from_numpy(values), torch.tensor(scale), -128, 127)
    np.testing.assert_array_equal(ours.numpy(), by_onnxruntime(values, scale))


@pytest.mark.parametrize("scale", SCALES)
def test_weights_are_rounded_as_the_file_stores_them(scale: float) -> None:
    """By numpy, one scale a channel, with −128 left out."""
    values = np.stack([grid(scale), grid(scale) * np.float32(0.7)])
    scales = np.array([scale, scale * 3], np.float32)
    ours = rounded_to_steps(
        torch.from_numpy(values), torch.from_numpy(scales).reshape(2, 1), -127, 127
    )
    stored = quantized_weight(values, scales).astype(np.float32) * scales.reshape(2, 1)
    np.testing.assert_array_equal(ours.numpy(), stored)


def test_pytorchs_own_fake_quantization_rounds_otherwise() -> None:
    """The reason for having one: it multiplies with 1/scale, QuantizeLinear divides."""
    scale = 0.1
    values = grid(scale)
    theirs = torch.fake_quantize_per_tensor_affine(torch.from_numpy(values), scale, 0, -128, 127)
    assert (theirs.numpy() != by_onnxruntime(values, scale)).any()


def test_the_gradient_passes_between_the_ends_and_stops_beyond() -> None:
    """As if nothing had been rounded, and 0 where nothing can be gained."""
    values = torch.tensor([-9.0, -8.0, -0.6, 0.0, 2.2, 7.0, 7.1, 30.0], requires_grad=True)
    rounded_to_steps(values, torch.tensor(1.0), -8, 7).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]


def test_the_gradient_of_a_scale_is_the_rounding_error_or_the_end() -> None:
    """Equation 3 of Esser et al., value by value, and added up over what shares the scale."""
    values = torch.tensor([[-9.0, -0.6, 2.2, 30.0], [0.5, 1.5, 0.0, 4.0]])
    scale = torch.tensor([[1.0], [2.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 1.0, 1.0]])
    (rounded_to_steps(values, scale, -8, 7) * weight).sum().backward()
    assert scale.grad is not None
    first = -8 + (-1 + 0.6) + (2 - 2.2) + 7
    second = (0 - 0.25) + 2 * (1 - 0.75)
    torch.testing.assert_close(scale.grad, torch.tensor([[first], [second]]))


def test_a_scale_stays_above_0_whatever_the_optimizer_does() -> None:
    """It is learned as its logarithm."""
    layer = FakeQuantize(torch.tensor(0.5), lowest=-128, highest=127)
    torch.testing.assert_close(layer.scale, torch.tensor(0.5))
    with torch.no_grad():
        layer.log_scale.fill_(-1e4)
    assert layer.scale > 0
    assert layer(torch.ones(2)).isfinite().all()


@pytest.mark.parametrize("bits", [4, 8])
def test_the_first_scale_rounds_with_less_error_than_the_largest_weight_asks_for(bits: int) -> None:
    """And with as little as any in a finer search, but for the grid's own step."""
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 40, generator=draw) ** 3
    weight[3] = 0
    highest = 2 ** (bits - 1) - 1

    def error(scale: Tensor) -> Tensor:
        return (rounded_to_steps(weight, scale, -highest, highest) - weight).square().sum(1)

    largest = weight.abs().amax(1, keepdim=True) / highest
    largest[3] = 1
    chosen = error(best_weight_scale(weight, highest))
    assert (chosen <= error(largest)).all()
    assert (best_weight_scale(weight, highest) > 0).all()
    if bits == 4:
        assert chosen.sum() < error(largest).sum()


class Branch(nn.Module):
    """A convolution whose result batch normalisation reads, and another layer, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [N, 1, H, W] to [N, 4·(H − 2)·(W − 2)]."""
        convolved = self.conv(maps)
        return torch.cat([self.norm(convolved), convolved], 1).flatten(1)


def small(*, norm: bool = False) -> nn.Sequential:
    """Return convolution, perhaps batch normalisation with averages of its own, and a layer."""
    torch.manual_seed(0)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=nn.Conv2d(1, 3, 3))
    if norm:
        layers["norm"] = nn.BatchNorm2d(3)
    layers.update(
        activation=nn.ReLU(), dropout=nn.Dropout(0.5), flatten=nn.Flatten(), out=nn.Linear(48, 4)
    )
    network = nn.Sequential(layers)
    for _ in range(3):
        network.train()(torch.randn(8, 1, 6, 6) * 2 + 1)
    return network.eval()


def weight_of(network: nn.Module, layer: str) -> Tensor:
    """Return a layer's weight."""
    return network.get_parameter(f"{layer}.weight").detach()


INPUTS = torch.randn(20, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def test_batch_normalisation_is_folded_before_anything_is_rounded() -> None:
    """Its scale is part of the weight that is rounded, as in the file."""
    network = small(norm=True)
    quantized = fake_quantized(network, [INPUTS], bits=8)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in quantized.modules())
    norm = network.get_submodule("norm")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    folded = weight_of(network, "conv") * factor[:, None, None, None]
    weight = weight_of(rounded_form(quantized), "conv")
    scale = torch.from_numpy(learned_steps(quantized)["conv"].weight)[:, None, None, None]
    clipped = torch.minimum(folded.abs(), scale * 127) * folded.sign()
    assert ((weight - clipped).abs() <= scale * 0.5001).all()


def test_batch_normalisation_that_cannot_be_folded_is_refused() -> None:
    """It would be trained in one form and exported in another."""
    with pytest.raises(NotPossible, match="'norm' cannot be folded"):
        fake_quantized(Branch().eval(), [INPUTS], bits=8)


def test_a_layer_that_overflows_is_named() -> None:
    """Before its scale becomes infinite."""
    network = small()
    with pytest.raises(NotPossible, match="the input of layer 'conv' is not a finite number"):
        fake_quantized(network, [INPUTS * torch.inf], bits=8)


def test_a_network_without_layers_is_refused() -> None:
    """There is nothing to round."""
    with pytest.raises(NotPossible, match="no convolution or linear layer"):
        fake_quantized(nn.Flatten(), [INPUTS], bits=8)


def test_the_network_itself_stays_as_it_is() -> None:
    """Rounding is put into a copy; the copy computes nearly the same, and drops nothing."""
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    quantized = fake_quantized(network, [INPUTS], bits=8).train()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with torch.no_grad():
        assert torch.equal(quantized(INPUTS), quantized(INPUTS))
        exact, rounded = network(INPUTS), quantized(INPUTS)
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()


def test_ranges_begin_with_the_largest_magnitude_of_all_calibration_batches() -> None:
    """As quantization after training has them with MinMax."""
    quantized = fake_quantized(small(), [INPUTS[:10], INPUTS[10:]], bits=8)
    scale = np.float32(learned_steps(quantized)["conv"].input.scale)
    np.testing.assert_allclose(scale, INPUTS.abs().max().item() / 127, rtol=1e-6)


@pytest.mark.parametrize(("bits", "highest"), [(4, 7), (8, 127)])
def test_the_rounded_form_has_plain_layers_and_weights_on_their_steps(
    bits: int, highest: int
) -> None:
    """Each is a whole number of steps, bit for bit, within the ends; nothing else is left."""
    quantized = fake_quantized(small(), [INPUTS], bits=bits)  # type: ignore[arg-type] # 4 or 8
    plain = rounded_form(quantized)
    assert not any(isinstance(each, FakeQuantize | FakeQuantizedLayer) for each in plain.modules())
    for name, steps in learned_steps(quantized).items():
        weight = weight_of(plain, name).numpy()
        scales = steps.weight.reshape(-1, *[1] * (weight.ndim - 1))
        integers = quantized_weight(weight, steps.weight)
        assert np.abs(integers).max() == highest
        np.testing.assert_array_equal(integers.astype(np.float32) * scales, weight)


def test_a_connection_that_is_not_there_stays_away() -> None:
    """A weight of exactly 0, of a connection table or a pruned network, is not trained."""
    network = small()
    conv = network.get_submodule("conv")
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight[1] = 0
        conv.weight[2, 0, 1] = 0
    quantized = fake_quantized(network, [INPUTS], bits=4).train()
    optimizer = torch.optim.SGD(quantized.parameters(), 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        quantized(INPUTS).square().sum().backward()
        optimizer.step()
    weight = weight_of(rounded_form(quantized), "conv")
    assert not weight[1].any()
    assert not weight[2, 0, 1].any()
    assert weight[0].any()


def test_a_layer_that_has_two_names_is_rounded_under_both() -> None:
    """A layer that is used twice is one layer, with one scale."""
    shared = nn.Linear(4, 4)
    network = nn.Sequential(OrderedDict(first=shared, activation=nn.ReLU(), again=shared)).eval()
    quantized = fake_quantized(network, [torch.randn(5, 4)], bits=8)
    assert quantized.get_submodule("first") is quantized.get_submodule("again")
    plain = rounded_form(quantized)
    assert plain.get_submodule("first") is plain.get_submodule("again")
