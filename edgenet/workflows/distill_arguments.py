"""What ``distill`` is asked to do, and the same as a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgenet.compress.halving import Rung, plan_rungs
from edgenet.errors import UsageError, unknown_name
from edgenet.models import OptionValue, variant
from edgenet.training.recipe import Distillation
from edgenet.workflows.groups import with_seed
from edgenet.workflows.runs import MEMBERS, Run
from edgenet.workflows.train_arguments import TrainArguments

DEFAULT_STUDENT = "lenet5-17k"
SEARCHED_STUDENT = "lenet5-relu"
"""The model whose options a search chooses: :data:`edgenet.compress.student_space.MODEL`."""
SEARCHED_OPTIONS = ("channels", "widths", "kernel")
_SEARCH = ("search_candidates", "search_epochs", "search_eta")
RECIPE = "distillation"
COLUMNS = ("distilled", "control")
"""What is trained of every student and seed: with the teacher, and by the labels alone."""


@dataclass(frozen=True, kw_only=True)
class DistillArguments:
    """Who teaches whom, on what and how.

    Attributes:
        teacher: A run, a checkpoint or a seed group.
        teacher_sha256: Of its weights, as a run records it; None takes what is there.
        students: Names in the table of models, each once.
        student_options: What differs from the only student's own options.
        budget: Find the student, such as ``params=17000``, ``bytes=68000`` or ``macs=150000``; then
            no student is named, and ``student_options`` are those that a search has found.
        search_candidates: Students of a search.
        search_epochs: Of every candidate in the first round.
        search_eta: One of so many stays for the next round, which is as many times as long.
        seeds: How many trainings of every student; their seeds follow the recipe's.
        control: Train every student without the teacher, too, with all else equal.
        temperature: T, see :class:`edgenet.training.recipe.Distillation`.
        alpha: The teacher's share of the loss.
        budget_mib: Memory for logits of the teacher that are kept for the next student.
        data: ``mnist``, ``fashion-mnist`` or a folder.
        image_size: Side in pixels to which a folder's pictures are brought; None chooses.
        split_seed: Decides which pictures validate; must be the teacher's.
        recipe: Name of a recipe.
        training: Changes to the recipe.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 measures which number is fastest here and now.
        project: Folder of all runs.
        name: Name of the run; None takes the first student's.
        exist_ok: Overwrite the run of that name.

    Raises:
        UsageError: A value cannot be.
    """

    teacher: str
    teacher_sha256: str | None = None
    students: tuple[str, ...] = (DEFAULT_STUDENT,)
    student_options: Mapping[str, OptionValue] = field(default_factory=dict)
    budget: str | None = None
    search_candidates: int = 12
    search_epochs: int = 2
    search_eta: int = 3
    seeds: int = 1
    control: bool = True
    temperature: float = Distillation.temperature
    alpha: float = Distillation.alpha
    budget_mib: int = 256
    data: str = "mnist"
    image_size: int | None = None
    split_seed: int = 0
    recipe: str = RECIPE
    training: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 0
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False

    def __post_init__(self) -> None:
        if not self.students:
            raise UsageError("no student is named", f"use --student {DEFAULT_STUDENT}")
        for student in self.students:
            variant(student).with_options(self.student_options)
            if self.students.count(student) > 1:
                raise UsageError(f"the student {student!r} is named twice")
        if self.student_options and len(self.students) > 1:
            raise UsageError(
                "options of the model are for one student, and several are named",
                "distil each of them by itself",
            )
        if self.seeds < 1:
            raise UsageError(f"seeds must be 1 or more, not {self.seeds}")
        if self.budget_mib < 0:
            raise UsageError(f"budget_mib must be 0 or more, not {self.budget_mib}")
        if "distillation" in self.training:
            raise UsageError(
                "the teacher's part is set by temperature and alpha, not by distillation"
            )
        self._check_search()
        for student in self.students:
            self.of_member(student, "distilled", self.seed_numbers[-1])

    def _check_search(self) -> None:
        """Refuse a search that cannot be, or for a student that is named.

        Raises:
            UsageError: It is so.
        """
        _ = self.rungs
        if self.budget is None:
            return
        from edgenet.compress.budget import Budget

        Budget.parse(self.budget)
        if self.students not in ((DEFAULT_STUDENT,), (SEARCHED_STUDENT,)):
            raise UsageError(
                "a budget finds the student, and one is named", "leave one of the two out"
            )
        if self.student_options and set(self.student_options) != set(SEARCHED_OPTIONS):
            raise UsageError(
                "a budget finds the options of the student, and some are named",
                "leave one of the two out",
            )

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """What a search trains where there are as many candidates as are asked for."""
        return plan_rungs(
            self.search_candidates,
            first_epochs=self.search_epochs,
            eta=self.search_eta,
            epochs=self._of(self.students[0], "distilled").resolved_recipe().epochs,
        )

    def of_family(self) -> DistillArguments:
        """Return the arguments with the student that a search chooses the options of, if it is to.

        The name becomes the budget's, where none is given.
        """
        if self.budget is None:
            return self
        from edgenet.compress.budget import Budget

        budget = Budget.parse(self.budget)
        name = self.name or f"{budget.measure}-{budget.limit}"
        return replace(self, students=(SEARCHED_STUDENT,), name=name)

    @property
    def columns(self) -> tuple[str, ...]:
        """What is trained of every student and seed."""
        return COLUMNS if self.control else COLUMNS[:1]

    @property
    def seed_numbers(self) -> range:
        """The seeds."""
        first = self._of(self.students[0], "distilled").resolved_recipe().seed
        return range(first, first + self.seeds)

    def of_member(self, student: str, column: str, seed: int) -> TrainArguments:
        """Return the arguments of one training.

        Raises:
            UsageError: A value cannot be.
        """
        return with_seed(self._of(student, column), seed)

    def _of(self, student: str, column: str) -> TrainArguments:
        is_taught = column == "distilled"
        part = Distillation(temperature=self.temperature, alpha=self.alpha)
        every = TrainArguments(
            model=student,
            model_options=self.student_options,
            data=self.data,
            image_size=self.image_size,
            split_seed=self.split_seed,
            teacher=self.teacher,
            recipe=self.recipe,
            training=self.training,
            device=self.device,
            threads=self.threads,
            project=self.project,
            name=self.name,
        )
        recipe = replace(every.resolved_recipe(), distillation=part if is_taught else None)
        changes = {
            name: value for name, value in recipe.to_json().items() if name != "distillation"
        }
        if not is_taught:
            return replace(every, teacher=None, recipe="default", training=changes)
        return replace(
            every,
            teacher_sha256=self.teacher_sha256,
            training={**changes, "distillation": part},
        )

    def to_config(self) -> dict[str, Any]:
        """Return what decides the weights, as the table that ``args.toml`` holds."""
        optional = {
            name: getattr(self, name)
            for name in ("teacher_sha256", "image_size", "budget")
            if getattr(self, name) is not None
        }
        if self.budget is not None:
            optional |= {name: getattr(self, name) for name in _SEARCH}
        changes = self._of(self.students[0], "control").training
        return {
            "teacher": self.teacher,
            "students": list(self.students),
            "seeds": self.seeds,
            "control": self.control,
            "temperature": self.temperature,
            "alpha": self.alpha,
            "budget_mib": self.budget_mib,
            "data": self.data,
            **optional,
            "split_seed": self.split_seed,
            "recipe": self.recipe,
            "device": self.device,
            "threads": self.threads,
            "student_options": dict(self.student_options),
            "training": dict(changes if len(self.students) == 1 else self.training),
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], *, project: Path, name: str | None
    ) -> DistillArguments:
        """Return the arguments that a run recorded.

        Raises:
            UsageError: A name is unknown or a value cannot be.
        """
        values = dict(config)
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise unknown_name("option in the configuration", key, cls.__dataclass_fields__)
        _check_kinds(values)
        try:
            values["students"] = tuple(values.get("students", (DEFAULT_STUDENT,)))
            return cls(**values, project=project, name=name)
        except TypeError as error:
            raise UsageError(f"the configuration of a distillation is not whole: {error}") from None


def _check_kinds(config: Mapping[str, Any]) -> None:
    """Refuse values of a configuration that are not of their kinds.

    Raises:
        UsageError: One is not.
    """
    for names, kinds, wanted in (
        (("student_options", "training"), (Mapping,), "a table"),
        (("students",), (list, tuple), "a list of names"),
        (("teacher", "teacher_sha256", "budget", "data", "recipe", "device"), (str,), "a text"),
        (("control",), (bool,), "true or false"),
        (
            ("seeds", "split_seed", "threads", "image_size", "budget_mib", *_SEARCH),
            (int,),
            "a whole number",
        ),
    ):
        for name in names:
            if name in config and not isinstance(config[name], kinds):
                raise UsageError(f"{name} in the configuration must be {wanted}")


def member_run(folder: Path, student: str, column: str, seed: int) -> Run:
    """Return where one training of a distillation lies."""
    return Run(folder / MEMBERS / f"{student}-{column}-seed{seed}")
