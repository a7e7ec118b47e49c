"""The network of the 1998 paper: table, subsampling, codes, and the form that is deployed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build
from edgenet.models.digit_codes import CODE_LENGTH, codes
from edgenet.models.layers import Deployable, ScaledTanh
from edgenet.models.lenet_1998 import (
    CONNECTIONS,
    RadialBasis,
    TableConv2d,
    TrainableSubsampling2d,
)
from edgenet.models.summary import summarise

SPEC = ModelSpec(name="lenet5-1998")


def trained() -> nn.Module:
    """Return the network with weights from a seed."""
    torch.manual_seed(0)
    return build(SPEC)


def test_each_layer_has_the_number_of_trained_parameters_that_the_paper_gives() -> None:
    """Section II.B, layer by layer; 60,000 in all."""
    counts = {layer.name: layer.parameters for layer in summarise(SPEC).layers if layer.parameters}
    assert counts == {
        "features.c1": 156,
        "features.s2": 12,
        "features.c3": 1_516,
        "features.s4": 32,
        "features.c5": 48_120,
        "classifier.f6": 10_164,
    }
    assert sum(counts.values()) == 60_000


def test_the_connection_table_is_that_of_the_paper() -> None:
    """Table I in words: six runs of three, six runs of four, three broken fours, and all."""
    runs = [tuple(sorted((start + step) % 6 for step in range(3))) for start in range(6)]
    fours = [tuple(sorted((start + step) % 6 for step in range(4))) for start in range(6)]
    assert sorted(CONNECTIONS[:6]) == sorted(runs)
    assert sorted(CONNECTIONS[6:12]) == sorted(fours)
    assert all(len(seen) == 4 and seen not in fours for seen in CONNECTIONS[12:15])
    assert CONNECTIONS[15] == (0, 1, 2, 3, 4, 5)
    seen_by = [sum(source in seen for seen in CONNECTIONS) for source in range(6)]
    assert seen_by == [10] * 6


def test_a_map_of_c3_depends_on_the_maps_of_its_row_alone() -> None:
    """Seen from outside: a change of one input map moves the output maps that see it."""
    layer = trained().get_submodule("features.c3")
    maps = torch.rand(1, 6, 14, 14)
    for source in range(6):
        changed = maps.clone()
        changed[:, source] += 1
        moved = (layer(changed) - layer(maps)).abs().amax((0, 2, 3)) > 1e-6
        assert moved.tolist() == [source in seen for seen in CONNECTIONS]


def test_subsampling_adds_four_inputs_and_applies_one_gain_and_one_bias_a_map() -> None:
    """Section II.B, layer S2."""
    layer = TrainableSubsampling2d(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -1.0]))
        layer.bias.copy_(torch.tensor([10.0, 0.0]))
    maps = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert layer(maps).flatten().tolist() == [0.5 * 6 + 10, -22.0]


def test_the_squashing_function_is_one_at_one() -> None:
    """Appendix A: f(1) = 1 and f(−1) = −1; the amplitude is 1.7159."""
    squashed = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 100.0]))
    assert squashed.tolist() == pytest.approx([-1, 0, 1, 1.7159], abs=1e-4)


def test_a_code_scores_zero_on_itself_and_less_on_every_other() -> None:
    """Equation 7, negated: larger is better."""
    layer = RadialBasis(codes(10))
    scores = layer(layer.codes)
    assert torch.equal(scores.diagonal(), torch.zeros(10))
    others = scores[~torch.eye(10, dtype=torch.bool)]
    assert others.max() <= -4 * 5  # five pixels of difference at least
    assert scores[0, 1].item() == -4 * int((layer.codes[0] != layer.codes[1]).sum())


def test_codes_are_pictures_of_seven_by_twelve_and_stay_when_classes_are_added() -> None:
    """The first ten are digits: a 1 has ink in the middle column, a 0 has none there inside."""
    ten, forty = codes(10), codes(40)
    assert forty[:10] == ten
    assert codes(25) == forty[:25]
    assert len({tuple(code) for code in forty}) == 40
    assert {value for code in forty for value in code} == {-1.0, 1.0}
    pictures = torch.tensor(ten).reshape(10, 12, 7)
    assert pictures[0].numel() == CODE_LENGTH
    assert (pictures[1, :, 3] == 1).all()
    assert (pictures[0, 1:-1, 3] == -1).all()


def test_weights_are_drawn_within_the_bound_of_their_fan_in() -> None:
    """Appendix A: ±2.4 over the number of inputs, which for C3 differs from map to map."""
    network = trained()
    for name, fan_in in (("features.c1", 25), ("features.c5", 400), ("classifier.f6", 120)):
        weight = network.get_submodule(name).get_parameter("weight").detach()
        assert 0.9 * 2.4 / fan_in < weight.abs().max() <= 2.4 / fan_in
    dense = network.get_submodule("features.c3").dense()  # type: ignore[operator] # a TableConv2d
    for kernels, seen in zip(dense.detach(), CONNECTIONS, strict=True):
        bound = 2.4 / (25 * len(seen))
        assert 0.8 * bound < kernels.abs().max() <= bound


@pytest.mark.parametrize("name", ["features.s2", "features.c3", "features.s4"])
def test_the_deployed_form_computes_the_same_with_numbers_of_its_own(name: str) -> None:
    """A layer of PyTorch's in place of ours; training on does not change what was deployed."""
    layer = trained().get_submodule(name)
    assert isinstance(layer, Deployable)
    deployed = layer.deployed()
    assert type(deployed) is nn.Conv2d
    maps = torch.rand(3, 16 if name == "features.s4" else 6, 14, 14)
    torch.testing.assert_close(deployed(maps), layer(maps))
    before: Tensor = deployed.weight.detach().clone()
    with torch.no_grad():
        layer.get_parameter("weight").add_(1)
    assert torch.equal(deployed.weight, before)


def test_a_table_may_be_any() -> None:
    """The layer is not tied to the paper's sizes."""
    layer = TableConv2d(3, ((0,), (1, 2)), 3)
    assert layer.weight.shape == (3, 3, 3)
    with torch.no_grad():
        layer.weight.fill_(1)
    assert layer.dense().sum((2, 3)).tolist() == [[9, 0, 0], [0, 9, 9]]


def test_the_paper_has_one_network_and_so_no_options() -> None:
    """A keyword of ``lenet5`` is not taken in silence."""
    with pytest.raises(UsageError, match=r"no options.*'pooling'"):
        build(ModelSpec(name="lenet5-1998", options={"pooling": "max"}))


def test_pictures_that_leave_nothing_for_c5_are_refused() -> None:
    """11 pixels with the padding are one too few."""
    with pytest.raises(UsageError, match="leave nothing"):
        build(ModelSpec(name="lenet5-1998", image_size=(11, 28)))
    build(ModelSpec(name="lenet5-1998", image_size=(12, 28)))
