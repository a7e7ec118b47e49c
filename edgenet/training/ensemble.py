"""Several trained networks that answer as one: the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.errors import UsageError
from edgenet.training.checkpoint import Checkpoint


class Ensemble(nn.Module):
    """Networks for the same pictures and classes, asked together.

    It takes and gives what each of them does, so that it can stand wherever one network can, such
    as for the teacher of another.

    Args:
        networks: One or more; each takes float32 [N, C, H, W] and gives logits [N, K].
        probability: The map from their logits to probabilities, ``softmax`` or ``sigmoid``; the
            same map takes the ensemble's logits to the mean of theirs.
    """

    def __init__(self, networks: Sequence[nn.Module], *, probability: str) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks)
        self.probability = probability

    @classmethod
    def of(cls, checkpoints: Sequence[Checkpoint]) -> Ensemble:
        """Build the networks of one or more checkpoints, in evaluation mode.

        Raises:
            UsageError: Their classes, their preprocessing or their maps to probabilities differ.
            CorruptFile: The weights in one are not those of the network that it names.
        """
        first = checkpoints[0]
        for other in checkpoints[1:]:
            for what in ("labels", "preprocessing", "probability"):
                here, there = getattr(first, what), getattr(other, what)
                if here != there:
                    raise UsageError(
                        f"networks whose {what} differ cannot be averaged: {here} and {there}",
                        "train them on the same data with recipes that differ in the seed alone",
                    )
        networks = [checkpoint.build() for checkpoint in checkpoints]
        return cls(networks, probability=first.probability).eval()

    def member_logits(self, inputs: Tensor) -> Tensor:
        """Return what each network says, float32 [M, N, K].

        Args:
            inputs: Normalised pictures, float32 [N, C, H, W].
        """
        return torch.stack([member(inputs).float() for member in self.members])

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits of the mean probabilities, float32 [N, K]; see :func:`mean_logits`."""
        return mean_logits(self.member_logits(inputs), self.probability)


def mean_logits(logits: Tensor, probability: str) -> Tensor:
    """Return logits whose probabilities are the mean of those of all members.

    For softmax these are log p̄, for sigmoid log p̄ − log(1 − p̄); both by sums of exponentials that
    neither overflow nor lose small probabilities.

    Args:
        logits: Of M members, float32 [M, N, K]; divided by a temperature, the mean is that of the
            softened probabilities.
        probability: ``softmax`` or ``sigmoid``.

    Returns:
        float32 [N, K].
    """
    if probability == "sigmoid":
        return _log_mean(F.logsigmoid(logits)) - _log_mean(F.logsigmoid(-logits))
    return _log_mean(F.log_softmax(logits, dim=2))


def _log_mean(logs: Tensor) -> Tensor:
    """Return the logarithm of the mean over the members of what ``logs`` [M, N, K] are logs of."""
    return logs.logsumexp(dim=0) - math.log(len(logs))
