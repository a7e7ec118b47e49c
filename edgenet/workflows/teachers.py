"""The trained network that a student learns from: found, checked against the student's data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import DataUnavailable, UsageError
from edgenet.training.losses import LOSSES
from edgenet.training.recipe import Recipe
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.train_arguments import TrainArguments
from edgenet.workflows.trained import TrainedNetwork, load_trained

if TYPE_CHECKING:
    import torch

    from edgenet.data import Dataset
    from edgenet.training.distillation import Teacher


@dataclass(frozen=True, kw_only=True)
class FoundTeacher:
    """A teacher, with the logits that it has given so far.

    Attributes:
        trained: The network and what belongs to it.
        teacher: What answers students; one for all students of a distillation.
    """

    trained: TrainedNetwork
    teacher: Teacher

    @property
    def identity(self) -> dict[str, str]:
        """What tells it from every other, wherever it lies."""
        data = Path(self.trained.data.get("name", "")).name
        return {"model": self.trained.name, "data": data, "weights_sha256": self.trained.sha256}

    def check(self, recipe: Recipe, dataset: Dataset) -> None:
        """Refuse to teach what this network has not learned, or pictures that it must not know.

        Raises:
            UsageError: Classes, pictures or the map to probabilities are not the student's.
            DataUnavailable: It was trained on another split of the same data, and so has seen
                pictures that the student is judged by.
        """
        where, split = self.trained.path, dataset.train
        if self.trained.labels != split.class_names:
            raise UsageError(
                f"the classes of the teacher {where} are not those of the data",
                "train a teacher on them: edgenet train --model teacher --data ...",
            )
        shape = self.trained.preprocessing.shape
        if shape != split.images.shape[1:]:
            raise UsageError(
                f"the teacher {where} takes pictures of {list(shape)}, the data have "
                f"{list(split.images.shape[1:])} (channels, height, width)",
                "choose --imgsz as the teacher has it",
            )
        if self.trained.probability != LOSSES[recipe.loss].probability:
            raise UsageError(
                f"the teacher's logits become probabilities by {self.trained.probability}, those "
                f"of a student trained by {recipe.loss} by {LOSSES[recipe.loss].probability}",
                "train both by losses of one kind",
            )
        seen = self.trained.data
        if Path(seen.get("name", "")).name == dataset.name and seen.get("train") != split.digest:
            raise DataUnavailable(
                f"the teacher {where} was trained on another part of {dataset.name}: it may have "
                "seen the pictures that its students are judged by",
                f"use its split: --split-seed {seen.get('split_seed', 0)}",
            )


def find_teacher(
    name: str | Path, *, sha256: str | None, device: torch.device, budget_bytes: int | None = None
) -> FoundTeacher:
    """Load a teacher.

    Args:
        name: A run, a checkpoint or a seed group.
        sha256: Of the weights that it must have; None takes what is there.
        device: Where it is to compute.
        budget_bytes: Memory for logits that are kept; None takes the default.

    Raises:
        UsageError: There is none of that name.
        DataUnavailable: The weights are not those.
        CorruptFile: A checkpoint is damaged.
    """
    import torch

    from edgenet.export.graph import deployed_form
    from edgenet.training.distillation import BUDGET_BYTES, Teacher

    trained = load_trained(resolve(name, accept=(Kind.RUN, Kind.CHECKPOINT, Kind.GROUP)))
    _check_same(trained, sha256)
    network = deployed_form(trained.network).to(device).to(memory_format=torch.channels_last)
    teacher = Teacher(
        network.requires_grad_(False),
        trained.preprocessing,
        budget_bytes=BUDGET_BYTES if budget_bytes is None else budget_bytes,
    )
    return FoundTeacher(trained=trained, teacher=teacher)


def with_teacher(
    arguments: TrainArguments, device: torch.device, found: FoundTeacher | None
) -> tuple[TrainArguments, FoundTeacher | None]:
    """Find the teacher that the arguments name, and record which one it is.

    Args:
        arguments: Of a training.
        device: Where it computes.
        found: The teacher, where it is loaded already; None loads it.

    Returns:
        The arguments with the teacher by its absolute path and digest, and the teacher.

    Raises:
        UsageError: There is none of that name.
        DataUnavailable: It is not the one that these arguments were recorded with.
        CorruptFile: A checkpoint is damaged.
    """
    if arguments.teacher is None:
        return arguments, None
    if found is None:
        found = find_teacher(arguments.teacher, sha256=arguments.teacher_sha256, device=device)
    _check_same(found.trained, arguments.teacher_sha256)
    path = str(Path(arguments.teacher).resolve())
    return replace(arguments, teacher=path, teacher_sha256=found.trained.sha256), found


def _check_same(trained: TrainedNetwork, sha256: str | None) -> None:
    """Refuse a teacher whose weights are not the recorded ones.

    Raises:
        DataUnavailable: They are others.
    """
    if sha256 not in (None, trained.sha256):
        raise DataUnavailable(
            f"the weights of the teacher {trained.path} are not those that the run began with",
            "put them back, or start a new run",
        )
