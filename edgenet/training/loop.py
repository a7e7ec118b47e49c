"""The training loop: whole splits as tensors on one device, no loader and no workers.

A small network on small pictures is faster than any pipeline that handles pictures one by one, so
pictures are gathered, augmented and normalised many steps at a time and then cut into batches.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.errors import EdgenetError, UsageError
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.timing import now_ns
from edgenet.training.optim import make_optimizer
from edgenet.training.pictures import logits_of
from edgenet.training.recipe import Recipe
from edgenet.training.reorder import pooling_before_relu
from edgenet.training.schedule import learning_rate
from edgenet.training.state import (
    EpochRecord,
    TrainingState,
    best_epoch,
    has_run_out_of_patience,
    plateau_decays,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgenet.training.pictures import Pictures

CHUNK_IMAGES = 2048
"""Pictures that are augmented at once: enough to hide the cost of a call, and still few bytes."""

_REPORT_EVERY_NS = 100_000_000


def fit(
    network: nn.Module,
    recipe: Recipe,
    *,
    train: Pictures,
    validation: Pictures,
    state: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda _: None,
    progress: ProgressCallback = ignore,
) -> TrainingState:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Given the same recipe, data, device, number of threads and torch, the weights are the same bit
    for bit, whether or not the run was interrupted between.

    Args:
        network: On the device of the pictures; takes normalised float32 [N, C, H, W].
        recipe: How to train.
        train: Pictures to learn from.
        validation: Pictures to choose the best epoch by.
        state: Where an interrupted run stood; it is not changed.
        on_epoch: Called after every epoch with the state that a resumed run would start from.
        progress: Told how far training is, about ten times a second and after every epoch.

    Returns:
        The state after the last epoch.

    Raises:
        UsageError: The batch is larger than the training split.
        EdgenetError: The loss is no longer a number.
    """
    check_batch(recipe, len(train))
    network.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network.parameters(), recipe)
    records = list(state.records) if state else []
    best_weights = dict(state.best_weights) if state else {}
    if state:
        network.load_state_dict(state.weights)
        _restore(optimizer, state.optimizer)
    with torch.random.fork_rng(devices=[]), pooling_before_relu(network):
        while len(records) < recipe.epochs and not has_run_out_of_patience(records, recipe):
            started = now_ns()
            epoch = _Epoch(
                network=network,
                recipe=recipe,
                optimizer=optimizer,
                train=train,
                records=records,
                progress=progress,
            )
            loss, accuracy, lr, train_s = epoch.run()
            logits = logits_of(network, validation)
            record = EpochRecord(
                epoch=len(records) + 1,
                train_loss=loss,
                train_accuracy=accuracy,
                validation_loss=F.cross_entropy(logits, validation.labels).item(),
                validation_accuracy=(logits.argmax(1) == validation.labels).sum().item()
                / len(validation),
                lr=lr,
                seconds=(now_ns() - started) / 1e9,
                images_per_s=len(train) / train_s,
            )
            if not math.isfinite(record.validation_loss):
                raise _diverged(record.epoch, "validation loss", record.validation_loss, recipe)
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
            progress(_report(recipe, len(records), record.to_json(), final=True))
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


def trial_step(network: nn.Module, recipe: Recipe, train: Pictures) -> Callable[[], None]:
    """Return a training step on a copy of ``network``, to be timed: it changes nothing else."""
    trial = copy.deepcopy(network).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(trial.parameters(), recipe)
    inputs, labels = train.inputs(slice(0, recipe.batch)), train.labels[: recipe.batch]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        _backward(trial, inputs, labels, recipe)
        optimizer.step()

    return step


class _Epoch:
    """One pass over the training pictures."""

    def __init__(
        self,
        *,
        network: nn.Module,
        recipe: Recipe,
        optimizer: torch.optim.Optimizer,
        train: Pictures,
        records: list[EpochRecord],
        progress: ProgressCallback,
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.optimizer = optimizer
        self.train = train
        self.number = len(records)
        self.last = records[-1] if records else None
        self.decays = plateau_decays(records, recipe)
        self.progress = progress

    def run(self) -> tuple[float, float, float, float]:
        """Train on every picture once.

        Returns:
            Mean loss, share right, last learning rate, seconds.
        """
        recipe, device = self.recipe, self.train.images.device
        started = reported = now_ns()
        torch.manual_seed(_epoch_seed(recipe.seed, self.number, stream=1))
        self.network.train()
        loss_sum, right = torch.zeros((), device=device), torch.zeros((), device=device)
        steps = math.ceil(len(self.train) / recipe.batch)
        seen, lr = 0, recipe.lr
        for step, (inputs, labels) in enumerate(self._batches()):
            if step % recipe.accumulate == 0:
                lr = learning_rate(recipe, epoch=self.number + step / steps, decays=self.decays)
                group = min(recipe.accumulate, steps - step)
                self.optimizer.zero_grad(set_to_none=True)
            loss, logits = _backward(self.network, inputs, labels, recipe, share=1 / group)
            if (step + 1) % recipe.accumulate == 0 or step + 1 == steps:
                for parameters in self.optimizer.param_groups:
                    parameters["lr"] = lr
                self.optimizer.step()
            loss_sum += loss * len(labels)
            right += (logits.argmax(1) == labels).sum()
            seen += len(labels)
            now = now_ns()
            if now - reported > _REPORT_EVERY_NS:
                reported = now
                figures = {"train_loss": loss_sum.item() / seen}
                figures["train_accuracy"] = right.item() / seen
                if self.last:
                    figures["validation_loss"] = self.last.validation_loss
                    figures["validation_accuracy"] = self.last.validation_accuracy
                figures |= {"lr": lr, "images_per_s": seen / (now - started) * 1e9}
                self.progress(_report(recipe, self.number + seen / len(self.train), figures))
        mean_loss = loss_sum.item() / seen
        if not math.isfinite(mean_loss):
            raise _diverged(self.number + 1, "loss", mean_loss, recipe)
        return mean_loss, right.item() / seen, lr, (now_ns() - started) / 1e9

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the epoch's batches in its own random order: inputs [B, C, H, W] and labels [B]."""
        device, batch = self.train.images.device, self.recipe.batch
        generator = torch.Generator(device)
        generator.manual_seed(_epoch_seed(self.recipe.seed, self.number, stream=0))
        order = torch.randperm(len(self.train), generator=generator, device=device)
        chunk = batch * max(1, CHUNK_IMAGES // batch)
        for rows in order.split(chunk):
            inputs = self.train.inputs(rows, self.recipe.augmentation, generator)
            labels = self.train.labels[rows]
            yield from zip(inputs.split(batch), labels.split(batch), strict=True)


def _backward(
    network: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe, *, share: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Add the gradient of one batch's loss to the parameters.

    Args:
        network: In training mode.
        inputs: float32 [B, C, H, W].
        labels: int64 [B].
        recipe: Says the precision and the loss.
        share: Weight of this batch in the update.

    Returns:
        The loss, unweighted, and the logits [B, classes].
    """
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=recipe.dtype == "bfloat16"):
        logits = network(inputs)
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
    (loss if share == 1 else loss * share).backward()
    return loss.detach(), logits.detach()


def _epoch_seed(seed: int, epoch: int, *, stream: int) -> int:
    """Return a seed that differs between seeds, epochs and uses, and repeats for a resumed run."""
    return int(np.random.SeedSequence((seed, epoch, stream)).generate_state(1, np.uint64)[0]) >> 1


def _diverged(epoch: int, what: str, value: float, recipe: Recipe) -> EdgenetError:
    return EdgenetError(
        f"training diverged in epoch {epoch}: the {what} is {value}",
        f"lower the learning rate (it is {recipe.lr:g}), or lengthen the warm-up",
    )


def _report(recipe: Recipe, done: float, figures: dict[str, float], *, final: bool = False) -> Step:
    return Step(
        task="train", done=done, total=recipe.epochs, unit="epoch", figures=figures, final=final
    )


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
