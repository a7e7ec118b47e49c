"""The layer table of networks with branches, shared layers and parameters of their own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from edgenet import models
from edgenet.models import ModelSpec, Variant
from edgenet.models.summary import Layer, summarise


class Odd(nn.Module):
    """Owns a parameter beside its children, calls one of them twice, and joins two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(1, 2, 3, padding=1)
        self.far = nn.Conv2d(1, 2, 5, padding=2)
        self.pool = nn.MaxPool2d(2)
        self.shared = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.scale = nn.Parameter(torch.ones(2, 1, 1))
        self.whole = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        """Map [N, 1, H, W] to two logits."""
        joined = self.pool(self.near(images) + self.far(images))
        maps = self.shared(self.shared(joined)) * self.scale
        logits: Tensor = self.whole(maps).flatten(1)
        return logits


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Nothing to choose."""


ODD = Variant(
    family=lambda _options, _shape, _classes: Odd(), options=NoOptions(), about="-", source="-"
)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> dict[str, Layer]:
    """Return the layer table of :class:`Odd` for 28×28."""
    monkeypatch.setattr(models, "variant", lambda _name: ODD)
    monkeypatch.setattr("edgenet.models.summary.variant", lambda _name: ODD)
    return {layer.name: layer for layer in summarise(ModelSpec(name="odd", classes=2)).layers}


def test_parameters_beside_children_are_counted_once(rows: dict[str, Layer]) -> None:
    """The whole network has a row for its own two numbers; a shared layer has one row."""
    assert rows[""].parameters == 2
    assert sum(row.parameters for row in rows.values()) == sum(
        p.numel() for p in Odd().parameters()
    )


def test_a_layer_that_is_called_twice_costs_twice(rows: dict[str, Layer]) -> None:
    """18 products for each of 2×14×14 values, two times."""
    assert rows["shared"].macs == 2 * 18 * 2 * 14 * 14


def test_where_branches_meet_the_larger_receptive_field_counts(rows: dict[str, Layer]) -> None:
    """5×5 beside 3×3, then 2×2 of stride 1: 6×6, although the sum is no layer."""
    assert rows["near"].receptive_field == (3, 3)
    assert rows["far"].receptive_field == (5, 5)
    assert rows["pool"].receptive_field == (6, 6)
    assert rows["whole"].receptive_field == (28, 28)


def test_a_residual_block_sees_as_far_as_its_longer_branch() -> None:
    """The shortcut starts from the block's input, and not from where the body ended."""
    table = {layer.name: layer for layer in summarise(ModelSpec(name="resnet8")).layers}
    block = "features.stage2_block1"
    into = table["features.stage1_block1.activation"].receptive_field[0]
    assert table[f"{block}.shortcut.conv"].receptive_field == (into, into)
    assert table[f"{block}.body.conv2"].receptive_field > (into, into)
    assert table[f"{block}.add"].receptive_field == table[f"{block}.body.conv2"].receptive_field


def test_attention_lets_every_value_see_the_whole_picture() -> None:
    """The gates follow from means over the whole map."""
    spec = ModelSpec(name="lenet5", options={"attention": "se", "head": "global-average"})
    table = {layer.name: layer for layer in summarise(spec).layers}
    assert table["features.pool2"].receptive_field == (16, 16)
    assert table["classifier.conv1"].receptive_field == (28, 28)


def test_the_1998_network_costs_what_its_deployed_form_computes() -> None:
    """C3 runs as a dense convolution, S2 and S4 as one of 2×2, the output as ten distances."""
    table = {layer.name: layer.macs for layer in summarise(ModelSpec(name="lenet5-1998")).layers}
    assert table["features.c3"] == 16 * 10 * 10 * 6 * 25
    assert table["features.s2"] == 6 * 14 * 14 * 4
    assert table["classifier.output"] == 10 * 84


@pytest.mark.parametrize(
    ("name", "longest"), [("lenet5", 401), ("lenet5-1998", 401), ("teacher", 128 * 9 + 1)]
)
def test_the_longest_sum_includes_a_bias_that_folding_will_add(name: str, longest: int) -> None:
    """A convolution before normalisation has no bias until it is deployed."""
    assert summarise(ModelSpec(name=name)).longest_reduction == longest


def test_the_mean_of_a_large_map_is_a_long_sum() -> None:
    """Global average pooling of a 62×62 map adds 3,844 numbers."""
    spec = ModelSpec(
        name="lenet5", options={"head": "global-average", "pad_first": False}, image_size=(260, 260)
    )
    assert summarise(spec).longest_reduction == 62 * 62
