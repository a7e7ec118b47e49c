"""What ``slim`` is asked to do, and the same as a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.compress.budget import Budget
from edgenet.errors import CorruptFile, UsageError, unknown_name
from edgenet.runner.job import MAX_THREADS
from edgenet.training.recipe import Recipe
from edgenet.workflows.runs import check_name
from edgenet.workflows.train_arguments import TrainArguments

if TYPE_CHECKING:
    from edgenet.models import ModelSpec

DEFAULT_CRITERION = "taylor"
DEFAULT_PICTURES = 2000
_OPTIONAL = ("source_sha256", "keep", "budget", "teacher", "teacher_sha256", "data")


@dataclass(frozen=True, kw_only=True)
class SlimArguments:
    """Which network to slim, to what, and how to train it then.

    Attributes:
        source: A run or a checkpoint.
        source_sha256: Of its weights, as a run records it; None takes what is there.
        keep: Share of the parameters that may be left, in (0, 1); or
        budget: ``params=N``, ``bytes=N`` (of float32 weights) or ``macs=N``. One of the two.
        criterion: Name of a criterion, by which channels are judged.
        pictures: Training pictures that a criterion may ask, evenly of all classes.
        control: Train the same widths from first weights, too, with all else equal.
        teacher: Run, checkpoint or seed group to learn from while fine-tuning, beside the labels;
            the control learns from it, too.
        teacher_sha256: Of its weights, as for ``source_sha256``.
        data: Where the data are that the network was trained on; None takes what it records.
        training: Changes to the recipe that it was trained by.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 measures which number is fastest here and now.
        project: Folder of all runs.
        name: Name of the run; None takes the model's.
        exist_ok: Overwrite the run of that name.

    Raises:
        UsageError: A value cannot be.
    """

    source: str
    source_sha256: str | None = None
    keep: float | None = None
    budget: str | None = None
    criterion: str = DEFAULT_CRITERION
    pictures: int = DEFAULT_PICTURES
    control: bool = True
    teacher: str | None = None
    teacher_sha256: str | None = None
    data: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 0
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False

    def __post_init__(self) -> None:
        if (self.keep is None) == (self.budget is None):
            raise UsageError(
                "say how small the network is to be, in one way",
                "--keep 0.3 for a share of the parameters, or --budget params=17000",
            )
        if self.keep is not None and not 0 < self.keep < 1:
            raise UsageError(f"keep must be more than 0 and less than 1, not {self.keep:g}")
        if self.budget is not None:
            Budget.parse(self.budget)
        if self.pictures < 1:
            raise UsageError(f"pictures must be 1 or more, not {self.pictures}")
        if not 0 <= self.threads <= MAX_THREADS:
            raise UsageError(f"threads must be 0 (choose) to {MAX_THREADS}, not {self.threads}")
        if self.name is not None:
            check_name(self.name)
        if "distillation" in self.training and self.teacher is None:
            raise UsageError("distillation needs a teacher", "name one with --teacher")
        Recipe().replace(self.training)

    def limit(self, spec: ModelSpec) -> Budget:
        """Return the most that the slimmed network may cost."""
        if self.budget is not None:
            return Budget.parse(self.budget)
        whole = Budget(measure="params", limit=1).cost(spec)
        return Budget(measure="params", limit=max(1, int(whole * (self.keep or 1))))

    def recipe(self, recorded: Mapping[str, Any]) -> Recipe:
        """Return how to fine-tune: by the recipe that the network was trained by, with the changes.

        Args:
            recorded: The recipe in its checkpoint. A teacher of its own is left out.

        Raises:
            CorruptFile: It is none.
            UsageError: A change cannot be.
        """
        labels_alone = {name: value for name, value in recorded.items() if name != "distillation"}
        try:
            before = Recipe.from_json(labels_alone)
        except UsageError as error:
            raise CorruptFile(f"the checkpoint's recipe is not valid: {error.message}") from error
        return before.replace(self.training)

    def of_member(self, recipe: Recipe, **changes: Any) -> TrainArguments:
        """Return the arguments of one training by a recipe, with what it starts from."""
        values = recipe.to_json()
        return TrainArguments(
            teacher=self.teacher,
            teacher_sha256=self.teacher_sha256,
            training=values,
            device=self.device,
            threads=self.threads,
            **changes,
        )

    def to_config(self) -> dict[str, Any]:
        """Return what decides the weights, as the table that ``args.toml`` holds."""
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        return {
            "source": self.source,
            **{name: value for name, value in optional.items() if value is not None},
            "criterion": self.criterion,
            "pictures": self.pictures,
            "control": self.control,
            "device": self.device,
            "threads": self.threads,
            "training": dict(self.training),
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], *, project: Path, name: str | None
    ) -> SlimArguments:
        """Return the arguments that a run recorded.

        Raises:
            UsageError: A name is unknown or a value cannot be.
        """
        known = {*_OPTIONAL, *cls(source="", keep=0.5).to_config()}
        for key in config:
            if key not in known:
                raise unknown_name("option in the configuration", key, known)
        try:
            return cls(**config, project=project, name=name)
        except TypeError as error:
            raise UsageError(f"the configuration of a slimming is not whole: {error}") from None
