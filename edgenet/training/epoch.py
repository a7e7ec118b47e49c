"""One epoch: its own random order, its batches, and a step for each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from edgenet.errors import EdgenetError
from edgenet.progress import ProgressCallback, Step
from edgenet.runner.timing import now_ns
from edgenet.training.distillation import Teacher, views_of
from edgenet.training.distributed import Ranks
from edgenet.training.freeze import train_mode
from edgenet.training.losses import l1_penalty, objective
from edgenet.training.optim import set_rate
from edgenet.training.pictures import normalised
from edgenet.training.recipe import Recipe
from edgenet.training.schedule import learning_rate
from edgenet.training.state import EpochRecord, plateau_decays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgenet.training.pictures import Pictures

CHUNK_IMAGES = 2048
"""Pictures that are augmented at once: enough to hide the cost of a call, and still few bytes."""

_REPORT_EVERY_NS = 100_000_000


class Epoch:
    """One pass over the training pictures."""

    def __init__(
        self,
        *,
        network: nn.Module,
        recipe: Recipe,
        optimizer: torch.optim.Optimizer,
        train: Pictures,
        records: list[EpochRecord],
        teacher: Teacher | None,
        ranks: Ranks,
        progress: ProgressCallback,
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.optimizer = optimizer
        self.train = train
        self.teacher = teacher
        self.number = len(records)
        self.last = records[-1] if records else None
        self.decays = plateau_decays(records, recipe)
        self.ranks = ranks
        self.progress = progress

    def run(self) -> tuple[float, float, float, float]:
        """Train on every picture once.

        Returns:
            Mean loss, share right, last learning rate, seconds.
        """
        recipe, ranks, device = self.recipe, self.ranks, self.train.images.device
        started = reported = now_ns()
        torch.manual_seed(epoch_seed(recipe.seed, self.number, stream=1))
        train_mode(self.network, recipe)
        loss_sum, right = torch.zeros((), device=device), torch.zeros((), device=device)
        steps = math.ceil(len(self.train) / recipe.batch)
        own = seen = 0
        lr = recipe.lr
        for step, (inputs, labels, taught, count) in enumerate(self._batches()):
            if step % recipe.accumulate == 0:
                lr = learning_rate(recipe, epoch=self.number + step / steps, decays=self.decays)
                group = min(recipe.accumulate, steps - step)
                self.optimizer.zero_grad(set_to_none=True)
            ranks.batch, share = count, len(labels) / count / group
            loss, logits = backward(
                self.network, inputs, labels, recipe, taught=taught, share=share
            )
            if (step + 1) % recipe.accumulate == 0 or step + 1 == steps:
                ranks.add_gradients(self.network.parameters())
                set_rate(self.optimizer, lr)
                self.optimizer.step()
            loss_sum += loss * len(labels)
            right += (logits.argmax(1) == labels).sum()
            own, seen = own + len(labels), seen + count
            now = now_ns()
            if now - reported > _REPORT_EVERY_NS and own:
                reported = now
                figures = {"train_loss": loss_sum.item() / own}
                figures["train_accuracy"] = right.item() / own
                if self.last:
                    figures["validation_loss"] = self.last.validation_loss
                    figures["validation_accuracy"] = self.last.validation_accuracy
                figures |= {"lr": lr, "images_per_s": seen / (now - started) * 1e9}
                self.progress(report(recipe, self.number + seen / len(self.train), figures))
        mean_loss = ranks.total(loss_sum).item() / seen
        if not math.isfinite(mean_loss):
            raise diverged(self.number + 1, "loss", mean_loss, recipe)
        return mean_loss, ranks.total(right).item() / seen, lr, (now_ns() - started) / 1e9

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None, int]]:
        """Yield the epoch's batches in its own random order, or of each the rows of this process.

        Yields:
            Inputs [b, C, H, W], labels [b], the teacher's logits [b, K] where one teaches, and B:
            the rows that all processes have of the batch.
        """
        device, batch = self.train.images.device, self.recipe.batch
        generator = torch.Generator(device)
        generator.manual_seed(epoch_seed(self.recipe.seed, self.number, stream=0))
        order = torch.randperm(len(self.train), generator=generator, device=device)
        chunk = batch * max(1, CHUNK_IMAGES // batch)
        for rows in order.split(chunk):
            own = self.ranks.rows(len(rows), batch)
            pixels = self.train.view(
                rows[own], self.recipe.augmentation, generator, whole=len(rows), own=own
            )
            inputs = normalised(pixels, self.train.preprocessing)
            labels = self.train.labels[rows[own]]
            counts = [min(batch, len(rows) - start) for start in range(0, len(rows), batch)]
            lengths = [self.ranks.own(count) for count in counts]
            taught = self._taught(rows[own], pixels)
            yield from zip(
                inputs.split(lengths),
                labels.split(lengths),
                [None] * len(lengths) if taught is None else taught.split(lengths),
                counts,
                strict=True,
            )

    def _taught(self, rows: Tensor, pixels: Tensor) -> Tensor | None:
        """Return the teacher's logits for views of these rows, where there is a teacher."""
        if self.teacher is None or not len(rows):
            return None
        return self.teacher.logits(views_of(self.recipe, self.number), rows, pixels, self.train)


def backward(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    taught: Tensor | None = None,
    share: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Add the gradient of one batch's loss, penalty included, to the parameters.

    Args:
        network: In training mode.
        inputs: float32 [B, C, H, W]; B is 0 where other processes have all rows of the batch.
        labels: int64 [B].
        recipe: Says the precision, the loss and its penalty.
        taught: The teacher's logits [B, classes], for a recipe with distillation.
        share: Weight of this batch in the update.

    Returns:
        The loss, unweighted and without penalty, and the logits [B, classes].
    """
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=recipe.dtype == "bfloat16"):
        logits = network(inputs)
    values = logits.float()
    loss = objective(recipe, values, labels, taught) if len(labels) else values.sum()
    total = loss + recipe.l1 * l1_penalty(network.parameters()) if recipe.l1 else loss
    (total if share == 1 else total * share).backward()
    return loss.detach(), logits.detach()


def epoch_seed(seed: int, epoch: int, *, stream: int) -> int:
    """Return a seed that differs between seeds, epochs and uses, and repeats for a resumed run."""
    return int(np.random.SeedSequence((seed, epoch, stream)).generate_state(1, np.uint64)[0]) >> 1


def diverged(epoch: int, what: str, value: float, recipe: Recipe) -> EdgenetError:
    """Return the error that says that training left the numbers."""
    return EdgenetError(
        f"training diverged in epoch {epoch}: the {what} is {value}",
        f"lower the learning rate (it is {recipe.lr:g}), or lengthen the warm-up",
    )


def report(recipe: Recipe, done: float, figures: dict[str, float], *, final: bool = False) -> Step:
    """Return how far training is, in epochs, with its figures."""
    return Step(
        task="train", done=done, total=recipe.epochs, unit="epoch", figures=figures, final=final
    )
