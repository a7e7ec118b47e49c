"""The network to be slimmed, with its data, and its pruning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import ProgressCallback
from edgenet.training import checkpoint as checkpoints
from edgenet.training.checkpoint import Checkpoint
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.slim_arguments import SlimArguments
from edgenet.workflows.train_setup import recorded, torch_threads

if TYPE_CHECKING:
    from edgenet.compress.criteria import Batches
    from edgenet.compress.slim import Scorer
    from edgenet.data import Dataset, Split

_SPLITS = ("train", "validation", "test")
_BATCH = 32
"""Pictures whose gradient is one draw of how much a channel is missed."""


@dataclass(frozen=True, kw_only=True)
class SlimParent:
    """A trained network and the data that it was trained on.

    Attributes:
        resolved: What the source turned out to be.
        checkpoint: Its weights and all that belongs to them.
        sha256: Of its weights.
        data: Name of the data set, or its folder.
        dataset: The data.
    """

    resolved: Resolved
    checkpoint: Checkpoint
    sha256: str
    data: str
    dataset: Dataset

    @classmethod
    def load(cls, arguments: SlimArguments, progress: ProgressCallback) -> SlimParent:
        """Read the network and its data.

        Raises:
            UsageError: There is no such network, or the data do not fit it.
            DataUnavailable: The data are not here, or not those that it was trained on.
            CorruptFile: Its checkpoint is damaged.
        """
        from edgenet.data import load

        resolved, checkpoint, sha256 = open_parent(arguments)
        data = arguments.data or checkpoint.data.get("name")
        if data is None:
            raise UsageError(
                f"{resolved.source} does not say what it was trained on",
                "name the data set: --data mnist, --data fashion-mnist or --data FOLDER",
            )
        rule = checkpoint.preprocessing
        dataset = load(
            data,
            split_seed=int(checkpoint.data.get("split_seed", "0")),
            image_size=(rule.height, rule.width),
            mode=rule.mode,
            progress=progress,
        )
        for name in _SPLITS:
            _check_same(checkpoint, getattr(dataset, name), resolved)
        return cls(
            resolved=resolved,
            checkpoint=checkpoint,
            sha256=sha256,
            data=recorded(data),
            dataset=dataset,
        )

    @property
    def identity(self) -> dict[str, str]:
        """What tells it from every other, wherever it lies."""
        name = Path(self.data).name
        model = self.checkpoint.spec.name
        return {"model": model, "data": name, "weights_sha256": self.sha256}

    def pruned(self, arguments: SlimArguments, progress: ProgressCallback) -> Checkpoint:
        """Return the network without its superfluous channels.

        Its metrics say under ``slimming`` what was done, and how right it is before fine-tuning.

        Raises:
            UsageError: The budget cannot be met, or is met already.
            NotPossible: The network cannot be slimmed.
        """
        from edgenet.compress.slim import slim

        before, budget = self.checkpoint, arguments.limit(self.checkpoint.spec)
        with torch_threads(max(1, arguments.threads)):
            scorer, fallback, asked = self._scorers(arguments)
            slimmed = slim(
                before.spec,
                before.weights,
                budget=budget,
                scorer=scorer,
                fallback=fallback,
                progress=progress,
            )
            metrics: dict[str, Any] = {
                "budget": f"{budget.measure}={budget.limit}",
                "criterion": arguments.criterion,
                "pictures": asked,
                "widths": [list(width) for width in slimmed.widths],
                "fixed": dict(slimmed.fixed),
                "kept": {name: rows.tolist() for name, rows in slimmed.kept.items()},
            }
            after = replace(
                before,
                spec=slimmed.spec,
                weights=slimmed.weights,
                metrics={},
                records=(),
                parent=self.identity,
            )
            right = int((self.decisions(after, "validation") == self.labels("validation")).sum())
        metrics["validation"] = {"correct": right, "n": len(self.dataset.validation)}
        return replace(after, metrics={"slimming": metrics})

    def decisions(self, checkpoint: Checkpoint, split: str) -> Any:
        """Return what a network decides on a split, int64 [N]."""
        import torch

        from edgenet.training.pictures import Pictures, logits_of
        from edgenet.verify.decisions import decisions

        device = torch.device("cpu")
        pictures = Pictures.of(getattr(self.dataset, split), checkpoint.preprocessing, device)
        return decisions(logits_of(checkpoint.build(), pictures).numpy())

    def labels(self, split: str) -> Any:
        """Return the labels of a split, int64 [N]."""
        return getattr(self.dataset, split).labels

    def _scorers(self, arguments: SlimArguments) -> tuple[Scorer, Scorer, int]:
        """Return what judges channels, what judges them where it cannot, and how many are asked."""
        from edgenet.compress.criteria import criterion
        from edgenet.training.losses import LOSSES

        row, always = criterion(arguments.criterion), criterion("magnitude")
        batches = self._batches(arguments) if row.asks else []
        loss = LOSSES[arguments.recipe(self.checkpoint.recipe).loss].value
        return (
            lambda network, sets: row.score(network, sets, batches, loss),
            lambda network, sets: always.score(network, sets, (), loss),
            sum(len(labels) for _, labels in batches),
        )

    def _batches(self, arguments: SlimArguments) -> Batches:
        """Return training pictures, evenly of all classes, in batches of a random order."""
        import torch

        from edgenet.compress.calibration import draw_calibration_set
        from edgenet.training.pictures import Pictures

        data, seed = self.dataset, arguments.recipe(self.checkpoint.recipe).seed
        held_out = (data.validation, data.test)
        whole = draw_calibration_set(data.train, held_out, count=1, seed=seed)
        count = min(arguments.pictures, len(data.train) - whole.left_out)
        drawn = draw_calibration_set(data.train, held_out, count=count, seed=seed).split
        pictures = Pictures.of(drawn, self.checkpoint.preprocessing, torch.device("cpu"))
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        return [(pictures.inputs(rows), pictures.labels[rows]) for rows in order.split(_BATCH)]


def open_parent(arguments: SlimArguments) -> tuple[Resolved, Checkpoint, str]:
    """Return the network to be slimmed, and the digest of its weights.

    Raises:
        UsageError: There is no such run or checkpoint.
        DataUnavailable: Its weights are not those that were recorded.
        CorruptFile: It is damaged.
    """
    resolved = resolve(arguments.source, accept=(Kind.RUN, Kind.CHECKPOINT))
    checkpoint = checkpoints.load(resolved.checkpoint)
    sha256 = checkpoints.digest(checkpoint.weights)
    if arguments.source_sha256 not in (None, sha256):
        raise DataUnavailable(
            f"the weights in {resolved.checkpoint} are not those that the run began with",
            "put that checkpoint back, or start a new run",
        )
    return resolved, checkpoint, sha256


def _check_same(checkpoint: Checkpoint, split: Split, resolved: Resolved) -> None:
    """Refuse other pictures than the network was trained and judged on.

    Raises:
        DataUnavailable: They differ.
    """
    if checkpoint.data.get(split.name) not in (None, split.digest):
        raise DataUnavailable(
            f"the {split.name} split is not the one that {resolved.source} was trained with: its "
            "pictures, labels or class names have changed",
            "restore them, or name the place where they are: --data FOLDER",
        )
    if split.class_names != checkpoint.labels:
        raise DataUnavailable(f"the classes of the data are not those of {resolved.source}")
