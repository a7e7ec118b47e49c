"""The trained network behind an export, and what it says of the pictures it is verified on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenet.errors import DataUnavailable, UsageError
from edgenet.export.bundle import golden_rows
from edgenet.export.graph import DeployedNetwork, reference_logits
from edgenet.files import sha256_of
from edgenet.models.summary import summarise
from edgenet.progress import ProgressCallback
from edgenet.runner.manifest import Parent, SplitAccuracy
from edgenet.training import checkpoint as checkpoints
from edgenet.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from edgenet.data import Split


@dataclass(frozen=True, kw_only=True)
class ParentNetwork:
    """A checkpoint with the validation and test data, ready to be compared with.

    Attributes:
        path: The checkpoint's file.
        checkpoint: What it holds.
        network: Built, in evaluation mode.
        splits: ``validation`` and ``test``.
        uint8_input: Raw pixels are to come as uint8; otherwise as float32 from 0 to 255.
    """

    path: Path
    checkpoint: Checkpoint
    network: nn.Module
    splits: Mapping[str, Split]
    uint8_input: bool = True

    @classmethod
    def load(
        cls, path: Path, data: str | None, progress: ProgressCallback, *, uint8_input: bool = True
    ) -> ParentNetwork:
        """Read a checkpoint and the data.

        Args:
            path: The checkpoint's file.
            data: Name of a data set or a folder; None takes the one the network was trained on.
            progress: Told of pictures that are converted.
            uint8_input: Whether raw pixels are to come as uint8.

        Raises:
            UsageError: The data do not fit the network.
            DataUnavailable: The data are not here, or not those that the network was trained on.
            CorruptFile: The checkpoint is damaged.
        """
        from edgenet.data import load

        checkpoint = checkpoints.load(path)
        network = checkpoint.build()
        name = data or checkpoint.data.get("name")
        if name is None:
            raise UsageError(f"{path} does not say what it was trained on", _NAME_DATA)
        rule = checkpoint.preprocessing
        dataset = load(
            name,
            split_seed=_split_seed(checkpoint),
            image_size=(rule.height, rule.width),
            mode=rule.mode,
            progress=progress,
        )
        splits = {"validation": dataset.validation, "test": dataset.test}
        for split in splits.values():
            _check_fit(checkpoint, split, recorded=data is None)
        return cls(
            path=path,
            checkpoint=checkpoint,
            network=network,
            splits=splits,
            uint8_input=uint8_input,
        )

    @cached_property
    def logits(self) -> Mapping[str, NDArray[np.float32]]:
        """The network's own logits, float32 [N, K], by split."""
        rule = self.checkpoint.preprocessing
        return {
            name: reference_logits(self.network, rule, split.images)
            for name, split in self.splits.items()
        }

    @cached_property
    def deployed(self) -> DeployedNetwork:
        """The network as it is to be written."""
        rule = self.checkpoint.preprocessing
        return DeployedNetwork(self.network, rule, uint8_input=self.uint8_input)

    @property
    def accuracy(self) -> dict[str, SplitAccuracy | None]:
        """How many pictures of each split the network gets right."""
        return {
            name: SplitAccuracy(
                correct=int((self.logits[name].argmax(axis=1) == split.labels).sum()),
                n=len(split),
                digest=split.digest,
            )
            for name, split in self.splits.items()
        }

    @property
    def split_seed(self) -> int:
        """What decides the splits."""
        return _split_seed(self.checkpoint)

    @property
    def longest_reduction(self) -> int:
        """Most products that are added into one value."""
        return summarise(self.checkpoint.spec).longest_reduction

    def identity(self) -> Parent:
        """Return what the manifest says of this network."""
        return Parent(sha256_of(self.path), self.checkpoint.spec.to_json())

    def golden(self) -> dict[str, NDArray[np.generic]]:
        """Return the golden vectors but for the exported file's own logits.

        Inputs are spread evenly over the validation split; decisions are those on whole splits.
        """
        split, logits = self.splits["validation"], self.logits["validation"]
        rows = golden_rows(len(split))
        decisions = {
            f"predictions_{each.digest}": self.logits[name].argmax(axis=1).astype(np.int16)
            for name, each in self.splits.items()
        }
        return {
            "inputs": np.ascontiguousarray(split.images[rows]),
            "parent_logits": np.ascontiguousarray(logits[rows]),
            **decisions,
        }


_NAME_DATA = "name the data set: --data mnist, --data fashion-mnist or --data FOLDER"


def _split_seed(checkpoint: Checkpoint) -> int:
    return int(checkpoint.data.get("split_seed", "0"))


def _check_fit(checkpoint: Checkpoint, split: Split, *, recorded: bool) -> None:
    """Refuse data that the network was not made for.

    Raises:
        UsageError: The pictures' shape or the classes differ, or there are no pictures.
        DataUnavailable: They are to be those of the training, and have changed since.
    """
    if len(split) == 0:
        raise UsageError(f"the {split.name} split has no pictures to verify with")
    if split.images.shape[1:] != checkpoint.preprocessing.shape:
        raise UsageError(
            f"the network takes pictures of {list(checkpoint.preprocessing.shape)}, "
            f"the data have {list(split.images.shape[1:])} (channels, height, width)"
        )
    if tuple(split.class_names) != checkpoint.labels:
        raise UsageError("the classes of the data are not those of the network", _NAME_DATA)
    wanted = checkpoint.data.get(split.name)
    if recorded and wanted not in (None, split.digest):
        raise DataUnavailable(
            f"the {split.name} split of {checkpoint.data.get('name')} is not the one that the "
            "network was trained with: its pictures, labels or class names have changed",
            f"to verify on what is there now, say so: --data {checkpoint.data.get('name')}",
        )
