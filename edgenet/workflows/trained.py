"""One way to a trained network in torch: a run's, a checkpoint's, or all members of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import UsageError
from edgenet.runner.preprocess import Preprocessing
from edgenet.workflows._resolve import Kind, Resolved
from edgenet.workflows.groups import finished_members

if TYPE_CHECKING:
    from torch import nn

    from edgenet.training.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network with all that is needed to ask it.

    Attributes:
        name: Of the model; of a group how many there are of it, too.
        path: The checkpoint's file or the group's folder.
        network: In evaluation mode on the CPU; takes normalised float32 [N, C, H, W], gives logits
            [N, K]. Of a group an :class:`edgenet.training.ensemble.Ensemble`.
        labels: Name of every class, in the order of the logits.
        preprocessing: How a picture becomes the input.
        probability: The map from logits to probabilities: ``softmax`` or ``sigmoid``.
        data: Name and split seed of the data it was trained on, and the digest of each split.
        sha256: Of its weights; of a group, of those of all members in their order.
    """

    name: str
    path: Path
    network: nn.Module
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    probability: str
    data: dict[str, str]
    sha256: str


def load_trained(resolved: Resolved) -> TrainedNetwork:
    """Load the best checkpoint of a run, a checkpoint, or the members of a group as one network.

    Raises:
        UsageError: It is none of these, the run has no checkpoint yet, or the group is not trained
            to its end or its members do not belong together.
        CorruptFile: A checkpoint is damaged.
    """
    from edgenet.training import checkpoint as checkpoints
    from edgenet.training.ensemble import Ensemble

    if resolved.kind is not Kind.GROUP:
        checkpoint = checkpoints.load(resolved.checkpoint)
        name, network = checkpoint.spec.name, checkpoint.build()
        return _described(name, resolved.checkpoint, [checkpoint], network)
    members = [checkpoints.load(run.best) for run in finished_members(resolved.path)]
    first = members[0]
    if any((other.spec, other.data) != (first.spec, first.data) for other in members):
        raise UsageError(
            f"the members of {resolved.path} are not of one model and one data set",
            "name one of them, or train a new group",
        )
    name = f"{len(members)} × {first.spec.name}"
    return _described(name, resolved.path, members, Ensemble.of(members))


def _described(
    name: str, path: Path, checkpoints: Sequence[Checkpoint], network: nn.Module
) -> TrainedNetwork:
    from edgenet.training.checkpoint import digest

    checkpoint = checkpoints[0]
    digests = [digest(each.weights) for each in checkpoints]
    return TrainedNetwork(
        name=name,
        path=path,
        network=network,
        labels=checkpoint.labels,
        preprocessing=checkpoint.preprocessing,
        probability=checkpoint.probability,
        data=dict(checkpoint.data),
        sha256=digests[0] if len(digests) == 1 else sha256(" ".join(digests).encode()).hexdigest(),
    )
