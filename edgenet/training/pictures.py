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

    def inputs(self, rows: Tensor | slice) -> Tensor:
        """Return pictures, unchanged, as the network takes them; see :func:`normalised`."""
        return normalised(self.pixels(rows), self.preprocessing)

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return pixels in [0, 1], float32 [N, C, H, W]."""
        return self.images[rows].to(torch.float32) / 255

    def view(
        self,
        rows: Tensor | slice,
        augmentation: Augmentation,
        generator: torch.Generator,
        *,
        whole: int | None = None,
        own: Tensor | slice = EVERY_ROW,
    ) -> Tensor:
        """Return pictures with random changes: pixels in [0, 1], float32 [N, C, H, W].

        Args:
            rows: Which pictures.
            augmentation: Random changes.
            generator: Source of their randomness.
            whole: Pictures to draw them for, where ``rows`` are some of these; None is no others.
            own: Which of the whole ``rows`` are.
        """
        return augment(self.pixels(rows), augmentation, generator, whole=whole, own=own)


def normalised(pixels: Tensor, rule: Preprocessing) -> Tensor:
    """Return pixels as a network takes them: float32, padded, normalised, channels last.

    Args:
        pixels: In [0, 1], float32 [N, C, H, W], raw or augmented.
        rule: Padding, mean and deviation.
    """
    if rule.pad:
        pixels = F.pad(pixels, [rule.pad] * 4)
    mean = pixels.new_tensor(rule.mean).view(-1, 1, 1)
    std = pixels.new_tensor(rule.std).view(-1, 1, 1)
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


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
