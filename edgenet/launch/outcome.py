"""What became of a measurement process: a value, however the process ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Event = Mapping[str, Any]


class Ending(Enum):
    """How a process ended."""

    FINISHED = "finished"
    ERROR = "error"
    CRASH = "crash"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    GARBAGE = "garbage"
    NOT_STARTED = "not-started"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one process.

    Attributes:
        ending: How it ended.
        reason: One sentence that says why it did not finish; None where it did.
        hint: What to do about it, where that is known.
        code: The error's code, as `edgenet.errors` names them; None where it finished.
        events: Every event that came, in order; valid whatever the ending.
        exit_code: The process's own; negative for a signal; None where it never started.
        stderr_tail: The end of what it wrote to standard error.
        duration_s: From its start to its end.
    """

    ending: Ending
    reason: str | None = None
    hint: str | None = None
    code: str | None = None
    events: tuple[Event, ...] = ()
    exit_code: int | None = None
    stderr_tail: str = ""
    duration_s: float = 0.0

    @property
    def finished(self) -> bool:
        """Whether it did all that it was asked to."""
        return self.ending is Ending.FINISHED

    def find(self, name: str) -> Event | None:
        """Return the first event of a name, or None."""
        return next((event for event in self.events if event.get("event") == name), None)

    def all(self, name: str) -> tuple[Event, ...]:
        """Return every event of a name, in order."""
        return tuple(event for event in self.events if event.get("event") == name)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            "ending": self.ending.value,
            "reason": self.reason,
            "hint": self.hint,
            "code": self.code,
            "exit_code": self.exit_code,
            "duration_s": self.duration_s,
            "stderr_tail": self.stderr_tail,
            "events": [dict(event) for event in self.events],
        }


def signal_name(number: int) -> str:
    """Return a signal's name, such as SIGSEGV."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
