"""The training loop on a small task that a network can learn in a second."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from edgenet.errors import EdgenetError, UsageError
from edgenet.models import ModelSpec, build
from edgenet.progress import Step
from edgenet.training.loop import fit, trial_step
from edgenet.training.pictures import Pictures, logits_of
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.training.state import TrainingState

SPEC = ModelSpec(
    name="lenet5-relu",
    options={"channels": [3, 4], "kernel": 3, "widths": [8], "batch_norm": True, "dropout": 0.2},
    image_size=(12, 12),
    classes=2,
)
RECIPE = Recipe(
    epochs=4, batch=32, lr=0.01, warmup=0.1, augmentation=Augmentation(shift=0.05, noise=0.02)
)


def network(seed: int = 0) -> nn.Module:
    """Build the small network with weights of ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(SPEC)


def weights_after(bars: Pictures, recipe: Recipe, **arguments: Any) -> dict[str, torch.Tensor]:
    """Train and return the last weights."""
    return fit(network(), recipe, train=bars, validation=bars, **arguments).weights


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Compare bit for bit."""
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_network_learns_and_keeps_the_weights_of_its_best_epoch(
    bars: Pictures, optimizer: str
) -> None:
    """Training ends with the best epoch's weights in the network, in evaluation mode."""
    trained = network()
    recipe = dataclasses.replace(RECIPE, epochs=8, optimizer=optimizer, lr=0.02)
    state = fit(trained, recipe, train=bars, validation=bars)
    best = max(record.validation_accuracy for record in state.records)
    right = (logits_of(trained, bars).argmax(1) == bars.labels).sum().item()
    assert right == round(best * len(bars))
    assert best > 0.9
    assert not trained.training
    assert_equal(dict(trained.state_dict()), state.best_weights)


def test_the_same_recipe_twice_gives_the_same_weights(bars: Pictures) -> None:
    """Bit for bit, whatever the global generator did before."""
    first = weights_after(bars, RECIPE)
    torch.manual_seed(99)
    assert_equal(first, weights_after(bars, RECIPE))


def test_another_seed_gives_other_weights(bars: Pictures) -> None:
    """Order, augmentation and dropout follow the seed."""
    other = weights_after(bars, dataclasses.replace(RECIPE, seed=1))
    name = "features.conv1.weight"
    assert not torch.equal(weights_after(bars, RECIPE)[name], other[name])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_resumed_run_ends_with_the_same_weights(
    bars: Pictures, optimizer: str, schedule: str
) -> None:
    """From the state after any epoch, the rest is bit-identical."""
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, schedule=schedule, decay_every=1)
    states: list[TrainingState] = []
    fit(network(), recipe, train=bars, validation=bars, on_epoch=states.append)
    for state in states[:-1]:
        resumed = fit(network(seed=7), recipe, train=bars, validation=bars, state=state)
        assert_equal(resumed.weights, states[-1].weights)
        assert_equal(resumed.best_weights, states[-1].best_weights)
        assert len(resumed.records) == recipe.epochs


def test_a_state_that_lost_its_memory_layout_gives_the_same_weights(bars: Pictures) -> None:
    """A file keeps no strides: what comes from one is contiguous, whatever it was before."""
    states: list[TrainingState] = []
    fit(network(), RECIPE, train=bars, validation=bars, on_epoch=states.append)
    plain = TrainingState(
        records=states[1].records,
        weights={name: tensor.contiguous() for name, tensor in states[1].weights.items()},
        best_weights=states[1].best_weights,
        optimizer={name: tensor.contiguous() for name, tensor in states[1].optimizer.items()},
    )
    resumed = fit(network(seed=7), RECIPE, train=bars, validation=bars, state=plain)
    assert_equal(resumed.weights, states[-1].weights)


def test_the_callers_generator_is_left_alone(bars: Pictures) -> None:
    """Training draws from generators of its own."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    weights_after(bars, dataclasses.replace(RECIPE, epochs=1))
    assert torch.equal(torch.rand(1), expected)


def test_accumulated_small_batches_update_like_one_large_batch(bars: Pictures) -> None:
    """Without batch statistics and dropout the two differ by rounding alone.

    A gradient is a sum of at most 300 products of order 1, so a relative 300·ε bounds it; AdamW
    divides by the gradient's size, which keeps relative errors, over 5 updates of 0.01 each.
    """
    spec = dataclasses.replace(SPEC, options={"channels": [3], "widths": [8]})
    results = []
    for batch, accumulate in ((60, 1), (20, 3)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            small = build(spec)
        recipe = Recipe(epochs=1, batch=batch, accumulate=accumulate, optimizer="sgd", lr=0.01)
        results.append(fit(small, recipe, train=bars, validation=bars).weights)
    for name, tensor in results[0].items():
        torch.testing.assert_close(
            tensor, results[1][name], rtol=300 * torch.finfo(torch.float32).eps * 5, atol=1e-6
        )


def test_early_stopping_ends_training_and_restores_the_best_weights(bars: Pictures) -> None:
    """A learning rate that ruins the network after a good start stops after the patience."""
    recipe = dataclasses.replace(
        RECIPE, epochs=50, lr=0.01, schedule="constant", patience=3, augmentation=Augmentation()
    )
    trained = network()
    state = fit(trained, recipe, train=bars, validation=bars)
    best = max(state.records, key=lambda r: (r.validation_accuracy, -r.validation_loss))
    assert state.records[-1].epoch == best.epoch + 3 < 50
    assert_equal(dict(trained.state_dict()), state.best_weights)


def test_a_batch_larger_than_the_data_is_refused(bars: Pictures) -> None:
    """The full split is the largest batch."""
    fit(network(), Recipe(epochs=1, batch=300), train=bars, validation=bars)
    with pytest.raises(UsageError, match="301 is larger than the training split of 300"):
        fit(network(), Recipe(epochs=1, batch=301), train=bars, validation=bars)


def test_a_loss_that_is_no_number_ends_training_with_advice(bars: Pictures) -> None:
    """Nobody wants to find it out hours later."""
    recipe = Recipe(epochs=1, batch=32, optimizer="sgd", lr=1e18, schedule="constant")
    with pytest.raises(EdgenetError, match="diverged in epoch 1") as caught:
        fit(network(), recipe, train=bars, validation=bars)
    assert "learning rate" in (caught.value.hint or "")


def test_progress_tells_every_epoch_with_its_figures(bars: Pictures) -> None:
    """The last report of an epoch has what ``results.csv`` has."""
    steps: list[Step] = []
    recipe = dataclasses.replace(RECIPE, epochs=2)
    state = fit(network(), recipe, train=bars, validation=bars, progress=steps.append)
    final = [step for step in steps if step.final]
    assert [step.done for step in final] == [1, 2]
    assert dict(final[-1].figures) == state.records[-1].to_json()


def test_reports_within_an_epoch_have_its_figures_and_those_of_the_last_validation(
    bars: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches sees at once that training goes astray, not after minutes."""
    monkeypatch.setattr("edgenet.training.epoch._REPORT_EVERY_NS", 0)
    steps: list[Step] = []
    recipe = dataclasses.replace(RECIPE, epochs=2)
    state = fit(network(), recipe, train=bars, validation=bars, progress=steps.append)
    within = [step for step in steps if not step.final]
    first, last = within[0].figures, within[-1].figures
    assert list(first) == ["train_loss", "train_accuracy", "lr", "images_per_s"]
    assert last["validation_accuracy"] == state.records[0].validation_accuracy
    assert last["train_accuracy"] == state.records[1].train_accuracy


def test_bfloat16_trains_too(bars: Pictures) -> None:
    """Autocast computes in bfloat16; weights stay float32."""
    weights = weights_after(bars, dataclasses.replace(RECIPE, dtype="bfloat16", epochs=1))
    assert weights["features.conv1.weight"].dtype == torch.float32


def test_a_trial_step_changes_nothing(bars: Pictures) -> None:
    """The thread probe runs it many times before training starts."""
    trained = network()
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    step = trial_step(trained, RECIPE, bars)
    step()
    step()
    assert_equal(before, dict(trained.state_dict()))
    assert all(parameter.grad is None for parameter in trained.parameters())
