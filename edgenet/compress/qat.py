"""Quantization-aware training: a trained network learns to decide alike with rounded numbers.

The network is trained as it is deployed, batch normalisation folded, with the rounding of the file
in place (:mod:`edgenet.compress.fake_quantize`), and taught by itself in FP32. The recipe is short:
nothing new is to be learned.

Source:
    Jacob et al. 2018, arXiv:1712.05877, section 3; Esser et al. 2020, arXiv:1902.08153, for learned
    scales; Mishra, Marr 2018, Apprentice, arXiv:1711.05852, scheme C, for the teacher.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenet.compress.fake_quantize import (
    WeightBits,
    fake_quantized,
    learned_steps,
    rounded_form,
)
from edgenet.compress.ptq import quantizable, written
from edgenet.errors import NotPossible
from edgenet.progress import ProgressCallback, ignore
from edgenet.training.distillation import Teacher
from edgenet.training.loop import fit
from edgenet.training.recipe import Distillation, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from edgenet.compress.qdq import StoredWeights
    from edgenet.training.pictures import Pictures
    from edgenet.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class TrainedQuantized:
    """A network after quantization-aware training.

    Attributes:
        network: Fake-quantized, in evaluation mode, with the weights and scales of its best epoch.
        state: Of the training.
    """

    network: nn.Module
    state: TrainingState

    @property
    def rounded(self) -> nn.Module:
        """The network with plain layers, whose weights are those of the file, to be exported."""
        return rounded_form(self.network)


def recipe_of(parent: Recipe, *, epochs: int = 2, lr: float = 1e-3, seed: int = 0) -> Recipe:
    """Return how a network that was trained by ``parent`` is trained with rounding.

    Pictures change as they did, and the loss is the same one, but the network in FP32 says what is
    right. Weights do not decay: what is shrunk is the ranges, which are learned.

    Args:
        parent: The recipe of the FP32 network.
        epochs: Passes over the training split.
        lr: Highest learning rate, of the weights and of the scales' logarithms.
        seed: Of order, augmentation and dropout.
    """
    return Recipe(
        epochs=epochs,
        batch=parent.batch,
        lr=lr,
        loss=parent.loss,
        normalization=parent.normalization,
        augmentation=parent.augmentation,
        distillation=Distillation(alpha=1.0),
        optimizer="adamw",
        schedule="cosine",
        weight_decay=0.0,
        seed=seed,
    )


def train_quantized(
    network: nn.Module,
    recipe: Recipe,
    *,
    bits: WeightBits,
    calibration: Pictures,
    train: Pictures,
    validation: Pictures,
    state: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda _: None,
    progress: ProgressCallback = ignore,
) -> TrainedQuantized:
    """Train a network with rounding, taught by itself in FP32.

    Args:
        network: Trained in FP32; takes normalised float32 [N, C, H, W]. Left as it is.
        recipe: With distillation, see :func:`recipe_of`.
        bits: Of the weights; activations have 8.
        calibration: Pictures of the training split; they decide the ranges to begin with.
        train: Pictures to learn from.
        validation: Pictures to choose the best epoch by.
        state: Where an interrupted training stood.
        on_epoch: Called after every epoch with the state to resume from.
        progress: Told how far training is.

    Raises:
        NotPossible: See :func:`edgenet.compress.fake_quantize.fake_quantized`.
        EdgenetError: The loss is no longer a number.
    """
    device = train.images.device
    batches = (batch.cpu() for batch in _batches(calibration))
    quantized = fake_quantized(network, batches, bits=bits).to(device)
    teacher = copy.deepcopy(network).to(device).eval()
    after = fit(
        quantized,
        recipe,
        train=train,
        validation=validation,
        state=state,
        teacher=Teacher(teacher, train.preprocessing),
        on_epoch=on_epoch,
        progress=progress,
    )
    return TrainedQuantized(network=quantized.cpu(), state=after)


def quantize_trained(
    model: bytes, trained: TrainedQuantized, *, stored: StoredWeights = "int8"
) -> bytes:
    """Write the learned steps into the FP32 ONNX file of :attr:`TrainedQuantized.rounded`.

    Args:
        model: The file's content; its layers have the names that the modules have.
        trained: Whose steps to write.
        stored: How the file keeps its weights, see :func:`edgenet.compress.qdq.insert_qdq`.

    Returns:
        The quantized file's content, in the form of quantization after training.

    Raises:
        NotPossible: The file has other layers than the network, or its opset is too old.
    """
    nodes, steps = quantizable(model), learned_steps(trained.network)
    if (found := {node.layer for node in nodes}) != set(steps):
        odd = ", ".join(sorted(found.symmetric_difference(steps)))
        raise NotPossible(
            f"the layers of the exported file are not those that were trained with rounding: {odd}",
            "quantize after training, without --qat",
        )
    return written(model, {node.output: steps[node.layer] for node in nodes}, stored=stored)


def _batches(pictures: Pictures) -> Iterator[Tensor]:
    """Yield all pictures as the network takes them."""
    for start in range(0, len(pictures), 100):
        yield pictures.inputs(slice(start, start + 100))
