"""What ``train`` is asked to do, and the same as a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError, unknown_name
from edgenet.models import AUTO, OptionValue
from edgenet.runner.job import MAX_THREADS
from edgenet.training.recipe import Distillation, Recipe
from edgenet.training.recipes import named
from edgenet.workflows.runs import check_name

_FILES = ("pretrained", "pretrained_sha256", "teacher", "teacher_sha256")
_OPTIONAL = ("image_size", *_FILES)
_TEXTS = ("model", "data", *_FILES, "recipe", "device")


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """What to train, on what and how.

    Attributes:
        model: Name in the table of models; ``auto`` takes that of ``pretrained``, with its options,
            and without one the default model.
        model_options: What differs from that model's own options.
        data: ``mnist``, ``fashion-mnist`` or a folder.
        image_size: Side in pixels to which a folder's pictures are brought; None chooses.
        split_seed: Decides which pictures validate.
        pretrained: Run or checkpoint to start from. Its weights are taken over as far as they fit
            the new data, by :mod:`edgenet.training.transfer`; pixels are normalised by the new
            data, as the recipe says.
        pretrained_sha256: Of its weights, as a run records it; others are then refused. None takes
            what is there.
        teacher: Run, checkpoint or seed group to learn from, beside the labels, as the recipe's
            ``distillation`` says; its own defaults where it says nothing.
        teacher_sha256: Of its weights, as for ``pretrained``.
        recipe: Name of a recipe.
        training: Changes to the recipe, by the names of :class:`edgenet.training.recipe.Recipe`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 measures which number is fastest here and now.
        project: Folder of all runs.
        name: Name of the run; None takes the model's. A name that is taken gets a number.
        exist_ok: Overwrite the run of that name instead.

    Raises:
        UsageError: A value cannot be; files and data are looked at only when training starts.
    """

    model: str = AUTO
    model_options: Mapping[str, OptionValue] = field(default_factory=dict)
    data: str = "mnist"
    image_size: int | None = None
    split_seed: int = 0
    pretrained: str | None = None
    pretrained_sha256: str | None = None
    teacher: str | None = None
    teacher_sha256: str | None = None
    recipe: str = "default"
    training: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 0
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= MAX_THREADS:
            raise UsageError(f"threads must be 0 (choose) to {MAX_THREADS}, not {self.threads}")
        if self.name is not None:
            check_name(self.name)
        if self.image_size is not None and not 1 <= self.image_size <= 1024:
            raise UsageError(f"image_size must be 1 to 1024, not {self.image_size}")
        if self.split_seed < 0:
            raise UsageError(f"split_seed must be 0 or more, not {self.split_seed}")
        self.resolved_recipe()

    def resolved_recipe(self) -> Recipe:
        """Return the recipe with the changes made.

        Raises:
            UsageError: A value cannot be, or the recipe needs a teacher and none is named.
        """
        recipe = named(self.recipe, model=self.model, data=self.data).replace(self.training)
        if self.teacher is not None:
            return recipe if recipe.distillation else replace(recipe, distillation=Distillation())
        if recipe.distillation is not None:
            raise UsageError(
                "the recipe learns from a teacher, and none is named",
                "name one: edgenet distill --teacher RUN, or take another --recipe",
            )
        return recipe

    def to_config(self) -> dict[str, Any]:
        """Return what decides the weights, as the table that ``args.toml`` holds."""
        optional = {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name)}
        return {
            "model": self.model,
            "data": self.data,
            **optional,
            "split_seed": self.split_seed,
            "recipe": self.recipe,
            "device": self.device,
            "threads": self.threads,
            "model_options": dict(self.model_options),
            "training": self.resolved_recipe().to_json(),
        }

    def with_config(self, config: Mapping[str, Any]) -> TrainArguments:
        """Return the arguments with the values of a configuration file.

        Raises:
            UsageError: A name is unknown or a value cannot be.
        """
        known = {*self.to_config(), *_OPTIONAL}
        for key in config:
            if key not in known:
                raise unknown_name("option in the configuration", key, known)
        for table in ("model_options", "training"):
            if not isinstance(config.get(table, {}), Mapping):
                raise UsageError(f"{table} in the configuration must be a table")
        for key, kind in (("split_seed", int), ("threads", int), ("image_size", int)):
            if type(config.get(key, 0)) is not kind:
                raise UsageError(f"{key} in the configuration must be a whole number")
        for key in _TEXTS:
            if not isinstance(config.get(key, ""), str):
                raise UsageError(f"{key} in the configuration must be a text")
        return replace(self, **config)
