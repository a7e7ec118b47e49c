"""Which target a machine is: the row that fits it best, and whether it has a row's hardware."""

from __future__ import annotations

import re

from edgenet.runner.jetson import Board
from edgenet.targets import TABLE, Target
from edgenet.workflows.doctor_machine import Machine

_ORIN_NANO = ("p3767-0003", "p3767-0004", "p3767-0005")
_RASPBERRY = re.compile(r"Raspberry Pi (?:Compute Module )?([45])(?:00)?\b")


def matching_target(machine: Machine) -> Target:
    """Return the row that fits a machine best: its board, its GPU, else its processor."""
    board, told = machine.board, str(machine.facts["board"] or "")
    if board is not None and board.soc is not None:
        names = [name for name, target in TABLE.items() if target.soc == board.soc]
        if "jetson-orin-nano" in names:
            return TABLE["jetson-orin-nano" if _is_orin_nano(board) else "jetson-orin"]
        if names:
            return TABLE[names[0]]
    raspberry = _RASPBERRY.search(told)
    if raspberry and machine.architecture == "aarch64":
        return TABLE[f"raspberry-pi-{raspberry[1]}"]
    if machine.architecture == "x86_64":
        if machine.gpu.reason is None:
            return TABLE["cuda"]
        for name in ("x86-64-vnni", "x86-64-avx2"):
            if not missing_flags(TABLE[name], machine):
                return TABLE[name]
    return TABLE["arm64" if machine.architecture == "aarch64" else "cpu"]


def is_machine_of(target: Target, machine: Machine) -> bool:
    """Tell whether a machine has the hardware of a target, whatever is installed on it."""
    if target.soc is not None:
        return matching_target(machine) == target
    if target.name.startswith("raspberry"):
        return matching_target(machine) == target
    if target.name == "cuda" and machine.gpu.reason is not None:
        return False
    fits = target.machine in (None, machine.architecture)
    return fits and not missing_flags(target, machine)


def missing_flags(target: Target, machine: Machine) -> tuple[str, ...]:
    """Return what the target's instruction set has and the machine's has not."""
    return tuple(flag for flag in target.isa if not machine.isa & set(flag.split("|")))


def _is_orin_nano(board: Board) -> bool:
    return board.module in _ORIN_NANO or "Orin Nano" in (board.model or "")
