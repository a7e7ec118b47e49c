"""Networks that are asked together, against probabilities that are averaged by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgenet.errors import UsageError
from edgenet.training.checkpoint import Checkpoint, load
from edgenet.training.ensemble import Ensemble, mean_logits
from tests.checkpoints import write_checkpoint, write_random_data

MAPS = {"softmax": lambda logits: logits.softmax(-1), "sigmoid": torch.sigmoid}


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[Checkpoint]:
    """Return three checkpoints of one network with weights of their own."""
    data = write_random_data(tmp_path / "data")
    first = load(write_checkpoint(tmp_path / "net.safetensors", data, model="mlp"))
    return [
        replace(first, weights={name: value * factor for name, value in first.weights.items()})
        for factor in (1.0, -0.5, 2.0)
    ]


@pytest.mark.parametrize("probability", MAPS)
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_logits_give_back_the_mean_of_the_probabilities(
    probability: str, temperature: float
) -> None:
    """By the map that the members have; at a temperature it is the mean of softened ones."""
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(4, 50, 10, generator=generator, dtype=torch.float64) / temperature
    wanted = MAPS[probability](logits).mean(0)
    given = MAPS[probability](mean_logits(logits, probability))
    # Logarithm and exponential each cost a few units in the last place of values of up to 30.
    torch.testing.assert_close(given, wanted, rtol=1e-13, atol=0)


@pytest.mark.parametrize("probability", MAPS)
def test_logits_far_apart_stay_finite(probability: str) -> None:
    """A member that is certain, and one that is as certain of the opposite."""
    logits = torch.tensor([[[900.0, -900.0]], [[-900.0, 900.0]]])
    together = mean_logits(logits, probability)
    assert together.isfinite().all()
    torch.testing.assert_close(MAPS[probability](together), torch.full((1, 2), 0.5))


def test_an_ensemble_of_checkpoints_answers_as_their_mean(checkpoints: list[Checkpoint]) -> None:
    """Whatever network it stands for, it is one module from pictures to logits."""
    ensemble = Ensemble.of(checkpoints)
    assert not any(module.training for module in ensemble.modules())
    inputs = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone = torch.stack([checkpoint.build()(inputs) for checkpoint in checkpoints])
        assert torch.equal(ensemble.member_logits(inputs), alone)
        together = ensemble(inputs)
    wanted = alone.double().softmax(2).mean(0)
    torch.testing.assert_close(together.double().softmax(1), wanted, rtol=1e-5, atol=0)


def test_an_ensemble_of_one_is_that_one(checkpoints: list[Checkpoint]) -> None:
    """But for a constant in all logits of a picture, which no softmax sees."""
    inputs = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone = checkpoints[0].build()(inputs).log_softmax(1)
        assert torch.equal(Ensemble.of(checkpoints[:1])(inputs), alone)


def test_networks_that_do_not_belong_together_are_refused(checkpoints: list[Checkpoint]) -> None:
    """Each difference by its name: averages over other classes or other pixels mean nothing."""
    first, second, _ = checkpoints
    others = {
        "labels": replace(second, labels=second.labels[::-1]),
        "preprocessing": replace(second, preprocessing=second.preprocessing._replace(mean=(0.5,))),
        "probability": replace(second, recipe={"loss": "bce"}),
    }
    for what, other in others.items():
        with pytest.raises(UsageError, match=f"whose {what} differ"):
            Ensemble.of([first, other])
