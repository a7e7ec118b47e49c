"""The trained network that a training starts from, where it starts from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import DataUnavailable
from edgenet.models import AUTO, DEFAULT, ModelSpec
from edgenet.training.recipe import Recipe
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.train_arguments import TrainArguments

if TYPE_CHECKING:
    from torch import nn

    from edgenet.training.checkpoint import Checkpoint
    from edgenet.training.transfer import Transfer


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A checkpoint to start from.

    Attributes:
        path: Its file.
        checkpoint: What is in it.
        sha256: Of the names, kinds, shapes and contents of its weights.
    """

    path: Path
    checkpoint: Checkpoint
    sha256: str

    @property
    def identity(self) -> dict[str, str]:
        """What tells it from every other, wherever it lies; new checkpoints record it."""
        data = self.checkpoint.data.get("name", "")
        return {
            "model": self.checkpoint.spec.name,
            "data": Path(data).name,
            "weights_sha256": self.sha256,
        }


def settled(arguments: TrainArguments) -> tuple[TrainArguments, Pretrained | None]:
    """Find the checkpoint to start from, and let it say what the arguments leave open.

    Returns:
        The arguments with the model named and, where there is one, the checkpoint by its absolute
        path and digest; and the checkpoint.

    Raises:
        UsageError: There is no such run or checkpoint, or its recipe cannot be for that model.
        DataUnavailable: It is not the one that these arguments were recorded with.
        CorruptFile: It is damaged.
    """
    if arguments.pretrained is None:
        named = DEFAULT if arguments.model == AUTO else arguments.model
        return replace(arguments, model=named), None
    from edgenet.training import checkpoint as checkpoints

    path = resolve(arguments.pretrained, accept=(Kind.RUN, Kind.CHECKPOINT)).checkpoint
    checkpoint = checkpoints.load(path)
    sha256 = checkpoints.digest(checkpoint.weights)
    if arguments.pretrained_sha256 not in (None, sha256):
        raise DataUnavailable(
            f"the weights in {path} are not those that the run began with",
            "put that checkpoint back, or start a new run with --from",
        )
    if arguments.model == AUTO:
        options = {**checkpoint.spec.options, **arguments.model_options}
        arguments = replace(arguments, model=checkpoint.spec.name, model_options=options)
    arguments = replace(arguments, pretrained=str(path.resolve()), pretrained_sha256=sha256)
    return arguments, Pretrained(path=path, checkpoint=checkpoint, sha256=sha256)


def first_network(
    spec: ModelSpec, recipe: Recipe, labels: Sequence[str], pretrained: Pretrained | None
) -> tuple[nn.Module, Transfer | None]:
    """Build a network with weights of the recipe's seed, then take over what ``pretrained`` has.

    Returns:
        The network, and what it took over where there is something to start from.

    Raises:
        UsageError: The weights do not fit, or a frozen part would start fresh.
    """
    import torch

    from edgenet.models import build
    from edgenet.training.transfer import transfer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build(spec)
    if pretrained is None:
        return network, None
    return network, transfer(network, spec, labels, recipe, pretrained.checkpoint)
