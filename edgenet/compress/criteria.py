"""Criteria by name: how much a network would miss each of its channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgenet.compress.channels import ChannelSet, Part
from edgenet.errors import unknown_name

Loss = Callable[[Tensor, Tensor], Tensor]
Batches = Sequence[tuple[Tensor, Tensor]]
"""Inputs as the network takes them, float32 [B, C, H, W], and labels int64 [B]."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One row of the table of criteria.

    Attributes:
        score: From a network in evaluation mode, its sets of channels, training pictures in batches
            and their loss to a score a channel for every set, float64 [channels]; None for a set
            that the criterion cannot judge. The larger, the more would be missed.
        asks: Whether it looks at pictures at all.
        about: One line for lists.
    """

    score: Callable[[nn.Module, Sequence[ChannelSet], Batches, Loss], list[Tensor | None]]
    asks: bool
    about: str


def taylor(
    network: nn.Module, sets: Sequence[ChannelSet], batches: Batches, loss: Loss
) -> list[Tensor | None]:
    """Score a channel by the change of the loss, to first order, when nothing reads it any more.

    A channel that is multiplied with m before it is read changes the loss by
    dL/dm = Σ weight · gradient over the weights that read it. The score is the mean of its square
    over the batches.

    Source:
        Molchanov, Mallya, Tyree, Frosio, Kautz 2019, Importance estimation for neural network
        pruning, arXiv:1906.10771, equations 6 and 8 with gates, which section 3.1 describes.
    """
    tensors = dict(network.named_parameters())
    wanted = {part.tensor for each in sets for part in each.readers}
    before = {name: tensor.requires_grad for name, tensor in tensors.items()}
    scores = [torch.zeros(each.size, dtype=torch.float64) for each in sets]
    for name, tensor in tensors.items():
        tensor.requires_grad_(name in wanted)
    for inputs, labels in batches:
        network.zero_grad(set_to_none=True)
        loss(network(inputs).float(), labels).backward()
        products = {
            name: (tensors[name] * gradient).detach().cpu().double()
            for name in wanted
            if (gradient := tensors[name].grad) is not None
        }
        for each, score in zip(sets, scores, strict=True):
            changes = [_by_channel(part, products) for part in each.readers]
            score.add_(torch.stack(changes).sum(0).square() / len(batches))
    network.zero_grad(set_to_none=True)
    for name, tensor in tensors.items():
        tensor.requires_grad_(before[name])
    return [*scores]


def batch_norm(
    network: nn.Module, sets: Sequence[ChannelSet], _batches: Batches, _loss: Loss
) -> list[Tensor | None]:
    """Score a channel by the magnitude of its gain in batch normalisation, where it has one.

    Source:
        Liu, Li, Shen, Huang, Yan, Zhang 2017, Learning efficient convolutional networks through
        network slimming, arXiv:1708.06519, section 3, without its sparsity penalty in training.
    """
    gains = {
        f"{name}.weight": module.weight.detach().cpu().double().abs()
        for name, module in network.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    }
    scores: list[Tensor | None] = []
    for each in sets:
        found = [_by_channel(part, gains) for part in each.scalers if part.tensor in gains]
        scores.append(torch.stack(found).sum(0) if found else None)
    return scores


def magnitude(
    network: nn.Module, sets: Sequence[ChannelSet], _batches: Batches, _loss: Loss
) -> list[Tensor | None]:
    """Score a channel by the sum of magnitudes of the weights that write it, over the set's mean.

    The mean makes layers comparable whose weights are of different size and number.

    Source:
        Li, Kadav, Durdanovic, Samet, Graf 2017, Pruning filters for efficient ConvNets,
        arXiv:1608.08710, section 3.1, which ranks within a layer.
    """
    weights = {
        name: tensor.detach().cpu().double().abs()
        for name, tensor in network.named_parameters()
        if tensor.dim() > 1
    }
    scores: list[Tensor | None] = []
    for each in sets:
        written = (_by_channel(part, weights) for part in each.writers if part.tensor in weights)
        total = torch.stack(list(written)).sum(0)
        scores.append(total / total.mean().clamp_min(torch.finfo(torch.float64).tiny))
    return scores


CRITERIA: dict[str, Criterion] = {
    "taylor": Criterion(
        score=taylor,
        asks=True,
        about="by the loss that its removal costs to first order (Molchanov et al. 2019)",
    ),
    "batch-norm": Criterion(
        score=batch_norm,
        asks=False,
        about="by its gain in batch normalisation (Liu et al. 2017)",
    ),
    "magnitude": Criterion(
        score=magnitude,
        asks=False,
        about="by the magnitude of the weights that write it (Li et al. 2017)",
    ),
}


def criterion(name: str) -> Criterion:
    """Look a criterion up by name.

    Raises:
        UsageError: No criterion has that name; the hint has the nearest one.
    """
    if name not in CRITERIA:
        raise unknown_name("criterion", name, CRITERIA)
    return CRITERIA[name]


def _by_channel(part: Part, tensors: Mapping[str, Tensor]) -> Tensor:
    """Add up what a tensor has of every channel, float64 [channels]."""
    tensor = tensors[part.tensor].movedim(part.dim, 0).unsqueeze(-1).flatten(1).sum(1)
    return tensor[part.places].sum(1)
