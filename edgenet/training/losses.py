"""Losses by name, the map from logits to probabilities that belongs to each, and the L1 penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.training.distillation import distillation_loss
from edgenet.training.recipe import Recipe

MAP_CONSTANT = 1.0
"""j of the MAP loss: how far from every code a picture of no class is taken to be."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One row of the table of losses.

    Attributes:
        value: From logits [B, K] and labels int64 [B] to the mean over the batch.
        probability: How logits become probabilities for a network trained by it: ``softmax`` or
            ``sigmoid``.
    """

    value: Callable[[Tensor, Tensor], Tensor]
    probability: str


def loss_of(recipe: Recipe, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the recipe's loss without penalties: the mean over the batch.

    Args:
        recipe: Names the loss and its smoothing.
        logits: float32 [B, K].
        labels: int64 [B].
    """
    if recipe.label_smoothing:
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    return LOSSES[recipe.loss].value(logits, labels)


def objective(recipe: Recipe, logits: Tensor, labels: Tensor, taught: Tensor | None) -> Tensor:
    """Return what is minimised, without penalties: the recipe's loss, shared with a teacher's.

    Args:
        recipe: Names the loss and the teacher's share.
        logits: float32 [B, K].
        labels: int64 [B].
        taught: The teacher's logits float32 [B, K]; None where none teaches.

    Raises:
        ValueError: One of recipe and caller has a teacher and the other has not.
    """
    part = recipe.distillation
    if (part is None) != (taught is None):
        raise ValueError("a recipe with distillation needs a teacher, and no other takes one")
    loss = loss_of(recipe, logits, labels)
    if part is None or taught is None:
        return loss
    pulled = distillation_loss(
        logits,
        taught,
        temperature=part.temperature,
        probability=LOSSES[recipe.loss].probability,
    )
    return (1 - part.alpha) * loss + part.alpha * pulled


def l1_penalty(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the sum of magnitudes of all weights; vectors (biases, gains) are left out.

    Source:
        Tibshirani 1996, Regression shrinkage and selection via the lasso; source document S0,
        section 2.5.2.
    """
    return torch.stack([weight.abs().sum() for weight in parameters if weight.dim() > 1]).sum()


def _nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of log-softmax, in nats: cross-entropy written in two steps."""
    return F.nll_loss(F.log_softmax(logits, dim=1), labels)


def _mse(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared error of the softmax probabilities against one-hot targets (Brier 1950, equation 2).

    The sum over the classes, so that it lies in [0, 2] for any number of them.
    """
    targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return (logits.softmax(dim=1) - targets).square().sum(dim=1).mean()


def _bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of every class against the rest, in nats, summed over the classes."""
    targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(labels)


def _map(logits: Tensor, labels: Tensor) -> Tensor:
    """Maximum a posteriori with a class for rubbish, for logits that are negative distances.

    Beside the true class's distance it pushes all others away, and stops when they are farther
    than :data:`MAP_CONSTANT`, so that the distances cannot collapse.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, section II.C, equation 9.
    """
    right = logits.gather(1, labels[:, None]).squeeze(1)
    rubbish = torch.full_like(right, -MAP_CONSTANT)
    return (torch.logaddexp(rubbish, logits.logsumexp(dim=1)) - right).mean()


LOSSES: dict[str, Loss] = {
    "bce": Loss(value=_bce, probability="sigmoid"),
    "cross-entropy": Loss(value=F.cross_entropy, probability="softmax"),
    "map": Loss(value=_map, probability="softmax"),
    "mse": Loss(value=_mse, probability="softmax"),
    "nll": Loss(value=_nll, probability="softmax"),
}
