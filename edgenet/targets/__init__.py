"""The machines that edgenet deploys on: one row of facts each, and what can be done there.

What a board cannot do is refused at the desk, with the reason, and not found out on the board.
"""

from __future__ import annotations

from edgenet.errors import NotPossible, unknown_name
from edgenet.targets.possibility import Possibility, possible
from edgenet.targets.table import TABLE
from edgenet.targets.target import RuntimeSupport, Target, ir_version_of

__all__ = [
    "TABLE",
    "Possibility",
    "RuntimeSupport",
    "Target",
    "check_possible",
    "ir_version_of",
    "load_target",
    "possible",
]


def load_target(name: str) -> Target:
    """Return a target's row.

    Raises:
        UsageError: No target has that name; the hint has the nearest one.
    """
    lowered = name.lower().replace("_", "-")
    if lowered not in TABLE:
        raise unknown_name("target", name, TABLE)
    return TABLE[lowered]


def check_possible(target: Target | None, format: str, precision: str) -> None:
    """Refuse what cannot run on a target.

    Raises:
        NotPossible: With the reason, and what can be done instead.
    """
    answer = possible(target, format, precision)
    if not answer.possible:
        raise NotPossible(str(answer.reason), answer.instead)
