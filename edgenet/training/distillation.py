"""Learning from another network: the loss, and a teacher that is asked once for every view."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.training.augment import EVERY_ROW
from edgenet.training.pictures import Pictures, normalised
from edgenet.training.recipe import Recipe

if TYPE_CHECKING:
    from edgenet.runner.preprocess import Preprocessing

BUDGET_BYTES = 256 << 20
"""Memory for logits that are kept, unless told otherwise: 24 epochs of MNIST take 53 MB."""

_BATCH = 64  # as many as leave a small processor's caches enough for the maps of a residual net


def distillation_loss(
    student: Tensor, teacher: Tensor, *, temperature: float, probability: str = "softmax"
) -> Tensor:
    """Pull the student's softened class distribution to the teacher's.

    Args:
        student: Logits [B, K]; gradients flow here.
        teacher: Logits [B, K] for the same views; detached by the caller.
        temperature: T > 0. The T² factor keeps the gradient's scale when T changes.
        probability: ``softmax``, or ``sigmoid`` for networks that judge every class by itself: the
            sum over the classes of the divergence of two coins.

    Returns:
        Scalar, mean over the batch, in nats · T².

    Source:
        Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.
    """
    ours, theirs = student / temperature, teacher / temperature
    if probability == "sigmoid":
        ours = torch.stack([F.logsigmoid(ours), F.logsigmoid(-ours)])
        theirs = torch.stack([F.logsigmoid(theirs), F.logsigmoid(-theirs)])
    else:
        ours, theirs = F.log_softmax(ours, dim=1), F.log_softmax(theirs, dim=1)
    divergence = F.kl_div(ours, theirs, reduction="sum", log_target=True)
    return divergence * (temperature**2 / len(student))


class Teacher:
    """A trained network whose logits for augmented views are computed once and kept.

    Views are a function of seed and epoch. Whoever trains on the same ones, be it the next student,
    gets the logits from memory, up to a budget; beyond it they are computed again.

    Args:
        network: In evaluation mode, on the device of the pictures; takes normalised float32
            [N, C, H, W], gives logits [N, K].
        preprocessing: How pixels become its input; those of its students may differ.
        budget_bytes: Memory for logits, on the device of the pictures. 0 keeps none.
    """

    def __init__(
        self, network: nn.Module, preprocessing: Preprocessing, *, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self.budget_bytes = budget_bytes
        self.asked = 0
        self.computed = 0
        self._network = network
        self._preprocessing = preprocessing
        self._kept: dict[Hashable, Tensor] = {}

    @property
    def kept_bytes(self) -> int:
        """Memory that the kept logits take."""
        return sum(logits.nbytes for logits in self._kept.values())

    def forget(self) -> None:
        """Give the memory of the kept logits back."""
        self._kept.clear()

    def logits(self, views: Hashable, rows: Tensor, pixels: Tensor, train: Pictures) -> Tensor:
        """Return the teacher's logits for views of pictures, float32 [b, K].

        Whether they were kept or not changes no bit: the same pictures are computed together. So
        pictures that are not changed are all computed at once, in the order of the split, where
        the budget allows to keep them.

        Args:
            views: From :func:`views_of`; None for pictures that are not changed.
            rows: Which pictures of the training split these are, int64 [b].
            pixels: The pictures as they look, float32 [b, C, H, W] in [0, 1].
            train: The training split.
        """
        self.asked += len(rows)
        kept = self._kept.get(views)
        if kept is not None:
            found = kept[rows]
            if not found.isnan().any():
                return found
        logits = self._computed(pixels)
        if kept is None:
            needed = len(train) * logits.shape[1] * logits.element_size()
            if self.kept_bytes + needed > self.budget_bytes:
                return logits
            if views is None:
                kept = self._kept[None] = self._computed(train.pixels(EVERY_ROW))
                return kept[rows]
            kept = self._kept[views] = logits.new_full((len(train), logits.shape[1]), math.nan)
        kept[rows] = logits
        return logits

    @torch.no_grad()
    def _computed(self, pixels: Tensor) -> Tensor:
        self.computed += len(pixels)
        parts = pixels.split(_BATCH)
        rule = self._preprocessing
        return torch.cat([self._network(normalised(part, rule)).float() for part in parts])


def views_of(recipe: Recipe, epoch: int) -> Hashable:
    """Return what decides how the pictures look in an epoch: None, where they are not changed.

    Args:
        recipe: Says how and by which seed. Changes are drawn for a few batches at a time, so their
            size matters, too.
        epoch: Epochs before.
    """
    augmentation = recipe.augmentation
    if not augmentation.moves and not augmentation.noise:
        return None
    return recipe.seed, epoch, recipe.batch, augmentation
