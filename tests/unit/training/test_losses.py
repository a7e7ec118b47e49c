"""Losses: their values by hand, and their table."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from edgenet.training.losses import LOSSES, MAP_CONSTANT, l1_penalty, loss_of
from edgenet.training.normalization import FIXED, mean_and_std
from edgenet.training.recipe import LOSSES as NAMES
from edgenet.training.recipe import NORMALIZATIONS, Recipe

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 2])


def expected(name: str) -> float:
    """Return the loss of the two rows above in plain Python."""
    rows: list[float] = []
    for logits, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        total = sum(math.exp(value) for value in logits)
        shares = [math.exp(value) / total for value in logits]
        single = [1 / (1 + math.exp(-value)) for value in logits]
        right = [float(place == label) for place in range(3)]
        rows.append(
            {
                "cross-entropy": -math.log(shares[label]),
                "nll": -math.log(shares[label]),
                "mse": sum((s - r) ** 2 for s, r in zip(shares, right, strict=True)),
                "bce": -sum(
                    math.log(s if r else 1 - s) for s, r in zip(single, right, strict=True)
                ),
                "map": math.log(math.exp(-MAP_CONSTANT) + total) - logits[label],
            }[name]
        )
    return sum(rows) / len(rows)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_is_its_formula(name: str) -> None:
    """The reference is written out over single numbers."""
    assert loss_of(Recipe(loss=name), LOGITS, LABELS).item() == pytest.approx(
        expected(name), rel=1e-6
    )


def test_every_name_a_recipe_takes_has_its_row() -> None:
    """The names stand apart so that a recipe needs no torch."""
    assert set(NAMES) == set(LOSSES)
    assert set(NORMALIZATIONS) == {"data", *FIXED}


def test_the_probability_of_a_class_against_the_rest_is_a_sigmoid() -> None:
    """A network trained by binary cross-entropy declares it; all others are softmax."""
    assert {name for name, row in LOSSES.items() if row.probability == "sigmoid"} == {"bce"}


def test_the_map_loss_pushes_a_rubbish_answer_less_than_a_near_one() -> None:
    """Wrong codes that are farther than the constant hardly matter any more."""
    far = torch.tensor([[0.0, -50.0]], requires_grad=True)
    near = torch.tensor([[0.0, -0.5]], requires_grad=True)
    for logits in (far, near):
        loss_of(Recipe(loss="map"), logits, torch.tensor([0])).backward()
    assert far.grad is not None
    assert near.grad is not None
    assert abs(far.grad[0, 1]) < 1e-20 < abs(near.grad[0, 1])


def test_the_l1_penalty_adds_the_magnitudes_of_weights_and_leaves_biases_out() -> None:
    """As the lasso does with its intercept."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 0.0]]))
        layer.bias.fill_(100)
    assert l1_penalty(layer.parameters()).item() == 3.5


@pytest.mark.parametrize(
    ("name", "dark", "light"),
    [("symmetric", -1.0, 1.0), ("unit", 0.0, 1.0), ("lenet-1998", -0.1, 1.175)],
)
def test_fixed_normalisations_bring_black_and_white_where_their_documents_say(
    name: str, dark: float, light: float
) -> None:
    """Each is a mean and a deviation of pixels in [0, 1], the same for every channel."""
    mean, std = mean_and_std(Recipe(normalization=name), (0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    assert len(mean) == len(std) == 3
    assert [(pixel - mean[0]) / std[0] for pixel in (0, 1)] == pytest.approx([dark, light])
