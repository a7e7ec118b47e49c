"""A split on a device, and what a network makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgenet.training.augment import EVERY_ROW, augment

if TYPE_CHECKING:
    from edgenet.data import Split
    from edgenet.runner.preprocess import Preprocessing
    from edgenet.training.recipe import Augmentation

EVALUATION_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A split on a device.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        preprocessing: How pixels become the network's input.
    """

    images: Tensor
    labels: Tensor
    preprocessing: Preprocessing

    @classmethod
    def of(cls, split: Split, preprocessing: Preprocessing, device: torch.device) -> Pictures:
        """Copy a split to ``device``."""
        images = torch.from_numpy(np.ascontiguousarray(split.images)).to(device)
        labels = torch.from_numpy(np.ascontiguousarray(split.labels)).to(device)
        return cls(images=images, labels=labels, preprocessing=preprocessing)

    def __len__(self) -> int:
        return len(self.images)

    def inputs(
        self,
        rows: Tensor | slice,
        augmentation: Augmentation | None = None,
        generator: torch.Generator | None = None,
        *,
        whole: int | None = None,
        own: Tensor | slice = EVERY_ROW,
    ) -> Tensor:
        """Return pictures as the network takes them: float32, padded, normalised, channels last.

        Args:
            rows: Which pictures.
            augmentation: Random changes, before normalisation.
            generator: Source of their randomness.
            whole: Pictures to draw them for, where ``rows`` are some of these; None is no others.
            own: Which of the whole ``rows`` are.
        """
        rule = self.preprocessing
        images = self.images[rows].to(torch.float32) / 255
        if augmentation is not None and generator is not None:
            images = augment(images, augmentation, generator, whole=whole, own=own)
        if rule.pad:
            images = F.pad(images, [rule.pad] * 4)
        mean = images.new_tensor(rule.mean).view(-1, 1, 1)
        std = images.new_tensor(rule.std).view(-1, 1, 1)
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def logits_of(network: nn.Module, pictures: Pictures, *, batch: int = EVALUATION_BATCH) -> Tensor:
    """Return float32 logits [N, classes] of all pictures, in evaluation mode."""
    was_training = network.training
    network.eval()
    parts = [
        network(pictures.inputs(slice(start, start + batch))).float()
        for start in range(0, len(pictures), batch)
    ]
    network.train(was_training)
    return torch.cat(parts)
