"""Seed groups: runs that differ in nothing but their seed, to be compared and asked together.

A group is a run's folder with ``group.json`` and, below ``members/``, one whole run for every seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import CorruptFile, UsageError
from edgenet.workflows.runs import GROUP, MEMBERS, Run

if TYPE_CHECKING:
    from edgenet.workflows.train_arguments import TrainArguments

SCHEMA = "edgenet.group/1"


def is_group(path: Path) -> bool:
    """Tell whether a folder is a seed group."""
    return (path / GROUP).is_file()


def member_run(group: Path, seed: int) -> Run:
    """Return where the run of a seed lies in its group."""
    return Run(group / MEMBERS / f"seed{seed}")


def check_seeds(arguments: TrainArguments, count: int) -> range:
    """Return the seeds of a group of ``count`` members: the recipe's and those that follow it.

    Raises:
        UsageError: There are fewer than two, or the last is beyond the largest seed.
    """
    if count < 2:
        raise UsageError(
            f"seeds must be 2 or more, not {count}", "for one network leave it out; see --seed"
        )
    first = arguments.resolved_recipe().seed
    seeds = range(first, first + count)
    with_seed(arguments, seeds[-1])
    return seeds


def with_seed(arguments: TrainArguments, seed: int) -> TrainArguments:
    """Return the arguments of one member."""
    return replace(arguments, training={**arguments.training, "seed": seed}, exist_ok=False)


def write_group(group: Run, seeds: Sequence[int], result: Mapping[str, Any]) -> None:
    """Write ``group.json``: which seeds belong together and, once known, what came of them."""
    members = [{"seed": seed, "path": f"{MEMBERS}/seed{seed}"} for seed in seeds]
    figures = {name: value for name, value in result.items() if name != "path"}
    group.write_json(GROUP, {"schema": SCHEMA, "members": members, **figures})


def seeds_of(group: Path) -> tuple[int, ...]:
    """Return the seeds that belong to a group, whether they are trained or not.

    Raises:
        CorruptFile: ``group.json`` cannot be understood.
    """
    file = group / GROUP
    try:
        values = json.loads(file.read_text("utf-8"))
        seeds = tuple(member["seed"] for member in values["members"])
        known = values["schema"] == SCHEMA
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CorruptFile(f"{file} cannot be understood: {error!r}") from error
    if not known:
        raise CorruptFile(f"{file} is not of schema {SCHEMA!r}", "use the edgenet that wrote it")
    if len(set(seeds)) < 2 or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise CorruptFile(f"{file} does not name two seeds or more: {seeds}")
    return seeds


def finished_members(group: Path) -> tuple[Run, ...]:
    """Return the runs of all seeds of a group that is trained to its end.

    Raises:
        UsageError: Members are missing or unfinished.
        CorruptFile: ``group.json`` cannot be understood.
    """
    runs = [member_run(group, seed) for seed in seeds_of(group)]
    finished = tuple(run for run in runs if run.status()["state"] == "finished")
    if len(finished) < len(runs):
        raise UsageError(
            f"{len(finished)} of the {len(runs)} members of {group} are trained",
            f"continue it with: edgenet train --resume {group}",
        )
    return finished


def take_seeds(config: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Return a configuration without ``seeds``, and how many seeds it asks for, if it does.

    A group's ``args.toml`` is that of a run and ``seeds`` beside it.

    Raises:
        UsageError: ``seeds`` is no whole number.
    """
    values = dict(config)
    seeds = values.pop("seeds", None)
    if seeds is not None and type(seeds) is not int:
        raise UsageError("seeds in the configuration must be a whole number")
    return values, seeds
