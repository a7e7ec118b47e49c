"""``edgenet targets`` and ``doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from edgenet import targets as table
from edgenet.cli import machine_views, options, views
from edgenet.cli.console import Output

PANEL = "Machine"


def target_names() -> list[str]:
    """Return the names of the targets, for completion."""
    return list(table.TABLE)


def targets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The one to explain.",
            show_default=False,
            autocompletion=target_names,
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """List the machines that --target takes, or explain one: what it can, and what not and why."""
    from edgenet.workflows import explain_target, list_targets

    with Output(json_mode=json, quiet=quiet) as out:
        if name is not None:
            return out.result(explain_target(name), machine_views.target)
        return out.result(views.Listing("targets", list_targets()), machine_views.targets)


def doctor(
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare with this one of `edgenet targets`.",
            show_default="what fits this machine best",
            autocompletion=target_names,
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell what this machine is, how it differs from a target, and what works on it.

    Nothing is changed and nothing is measured. Exit 0 also where something is missing.
    """
    from edgenet.workflows import DoctorArguments
    from edgenet.workflows import doctor as diagnose

    with Output(json_mode=json, quiet=quiet) as out:
        return out.result(diagnose(DoctorArguments(target=target)), machine_views.diagnosis)


VERBS = {"targets": targets, "doctor": doctor}
