"""The training loop: whole splits as tensors on one device, no loader and no workers.

A small network on small pictures is faster than any pipeline that handles pictures one by one, so
pictures are gathered, augmented and normalised many steps at a time and then cut into batches.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgenet.errors import EdgenetError, UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.timing import now_ns
from edgenet.training.distillation import Teacher
from edgenet.training.distributed import Ranks
from edgenet.training.epoch import Epoch, backward, diverged, report
from edgenet.training.freeze import freeze
from edgenet.training.losses import LOSSES
from edgenet.training.optim import make_optimizer
from edgenet.training.pictures import logits_of
from edgenet.training.recipe import Recipe
from edgenet.training.reorder import pooling_before_relu
from edgenet.training.state import (
    EpochRecord,
    TrainingState,
    best_epoch,
    has_run_out_of_patience,
)
from edgenet.training.whole_batch import whole_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgenet.training.pictures import Pictures


def fit(
    network: nn.Module,
    recipe: Recipe,
    *,
    train: Pictures,
    validation: Pictures,
    state: TrainingState | None = None,
    teacher: Teacher | None = None,
    ranks: Ranks | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda _: None,
    progress: ProgressCallback = ignore,
) -> TrainingState:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Given the same recipe, data, device, number of threads and torch, the weights are the same bit
    for bit, whether or not the run was interrupted between. In several processes they are so for
    the same number of them; :mod:`edgenet.training.distributed` says how far that changes them.

    Args:
        network: On the device of the pictures; takes normalised float32 [N, C, H, W].
        recipe: How to train.
        train: Pictures to learn from.
        validation: Pictures to choose the best epoch by.
        state: Where an interrupted run stood; it is not changed.
        teacher: Who teaches, for a recipe with distillation.
        ranks: The processes that train this network together; None is this one alone. All of them
            have the same arguments and end with the same weights.
        on_epoch: Called after every epoch with the state that a resumed run would start from.
        progress: Told how far training is, about ten times a second and after every epoch.

    Returns:
        The state after the last epoch.

    Raises:
        UsageError: The batch is larger than the training split, or the recipe names a part that
            the network has not.
        EdgenetError: The loss is no longer a number.
    """
    ranks = ranks or Ranks()
    check_batch(recipe, len(train))
    network.to(memory_format=torch.channels_last)
    freeze(network, recipe)
    optimizer = make_optimizer(network, recipe)
    records = list(state.records) if state else []
    best_weights = dict(state.best_weights) if state else {}
    if state:
        network.load_state_dict(state.weights)
        _restore(optimizer, state.optimizer)
    with (
        torch.random.fork_rng(devices=[]),
        pooling_before_relu(network),
        whole_batch(network, ranks),
    ):
        while len(records) < recipe.epochs and not has_run_out_of_patience(records, recipe):
            started = now_ns()
            epoch = Epoch(
                network=network,
                recipe=recipe,
                optimizer=optimizer,
                train=train,
                records=records,
                teacher=teacher,
                ranks=ranks,
                progress=progress,
            )
            loss, accuracy, lr, train_s = epoch.run()
            logits = logits_of(network, validation)
            record = EpochRecord(
                epoch=len(records) + 1,
                train_loss=loss,
                train_accuracy=accuracy,
                validation_loss=LOSSES[recipe.loss].value(logits, validation.labels).item(),
                validation_accuracy=(logits.argmax(1) == validation.labels).sum().item()
                / len(validation),
                lr=lr,
                seconds=(now_ns() - started) / 1e9,
                images_per_s=len(train) / train_s,
            )
            record = EpochRecord(**ranks.first_says(record.to_json()))
            if not math.isfinite(record.validation_loss):
                raise diverged(record.epoch, "validation loss", record.validation_loss, recipe)
            records.append(record)
            weights = _copied(network.state_dict())
            if best_epoch(records) is record:
                best_weights = weights
            state = TrainingState(
                records=list(records),
                weights=weights,
                best_weights=best_weights,
                optimizer=_tensors_of(optimizer),
            )
            on_epoch(state)
            progress(report(recipe, len(records), record.to_json(), final=True))
    if state is None:  # pragma: no cover - a recipe has at least one epoch
        raise EdgenetError("nothing was trained")
    network.load_state_dict(state.best_weights)
    network.eval()
    return state


def check_batch(recipe: Recipe, pictures: int) -> None:
    """Refuse a batch that is larger than the training split of so many pictures.

    Raises:
        UsageError: It is larger.
    """
    if recipe.batch > pictures:
        raise UsageError(
            f"a batch of {recipe.batch} is larger than the training split of {pictures} pictures",
            f"choose --batch {pictures} or less",
        )


def trial_step(
    network: nn.Module, recipe: Recipe, train: Pictures, *, processes: int = 1
) -> Callable[[], None]:
    """Return a training step on a copy of ``network``, to be timed: it changes nothing else.

    A teacher is left out: its logits come many steps at a time, or from memory.

    Args:
        network: Left as it is.
        recipe: How to train.
        train: Pictures of which the first are taken.
        processes: How many share a batch; the step is on the rows of one.
    """
    trial = copy.deepcopy(network).to(memory_format=torch.channels_last).train()
    freeze(trial, recipe)
    recipe = dataclasses.replace(recipe, distillation=None)
    optimizer = make_optimizer(trial, recipe)
    rows = slice(0, math.ceil(recipe.batch / processes))
    inputs, labels = train.inputs(rows), train.labels[rows]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        backward(trial, inputs, labels, recipe)
        optimizer.step()

    return step


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _tensors_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors as a flat mapping that a file can hold."""
    return {
        f"{number}.{name}": value.detach().clone()
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def _restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimizer the tensors that :func:`_tensors_of` returned, laid out as its parameters.

    A file keeps no strides, and the fused kernels walk parameter and state side by side in memory.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)  # noqa: PLW2901
        state.setdefault(int(number), {})[name] = value.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
