"""``doctor``: what this machine is, how it compares with a target, and what works on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.targets import Target, load_target
from edgenet.workflows.doctor_compare import Row, compare
from edgenet.workflows.doctor_machine import Machine, read_machine
from edgenet.workflows.doctor_match import is_machine_of, matching_target
from edgenet.workflows.doctor_works import Use, what_works


@dataclass(frozen=True, kw_only=True)
class DoctorArguments:
    """What to compare this machine with.

    Attributes:
        target: Name of a target; None takes the row that fits this machine best.
        root: The folder that holds the system's files.
    """

    target: str | None = None
    root: Path = Path("/")


@dataclass(frozen=True, kw_only=True)
class DoctorResult:
    """A diagnosis.

    Attributes:
        machine: What this machine is.
        target: What it was compared with.
        fitting: The target that fits it best.
        same_hardware: It has the hardware of the target that it was compared with.
        rows: The comparison.
        uses: What works here, judged by what fits the machine.
    """

    machine: Machine
    target: Target
    fitting: Target
    same_hardware: bool
    rows: tuple[Row, ...]
    uses: tuple[Use, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "machine": self.machine.to_json(),
            "target": self.target.name,
            "fitting_target": self.fitting.name,
            "same_hardware": self.same_hardware,
            "comparison": [row.to_json() for row in self.rows],
            "works": [use.to_json() for use in self.uses],
        }


def doctor(arguments: DoctorArguments) -> DoctorResult:
    """Diagnose this machine. What is missing is a finding, not a failure.

    Raises:
        UsageError: No target has that name.
    """
    asked = None if arguments.target is None else load_target(arguments.target)
    machine = read_machine(arguments.root)
    fitting = matching_target(machine)
    target = asked or fitting
    return DoctorResult(
        machine=machine,
        target=target,
        fitting=fitting,
        same_hardware=is_machine_of(target, machine),
        rows=compare(target, machine),
        uses=what_works(machine, fitting),
    )
