"""Every error that edgenet raises on purpose, and the exit code that the command line gives it.

::

    EdgenetError              1  it was tried and failed
    ├── DataUnavailable       1  data (or the network to fetch it) is absent
    ├── UsageError            2  an argument, option or value is not acceptable
    ├── NotPossible           5  not possible here, or not on this target
    └── CorruptFile           6  a file is damaged, tampered with or not what it claims to be

A check that fails (parity, a gate, a regression: exit code 3) and a measurement that is not valid
(exit code 4) are results, not exceptions. Signals end a command with 128 plus their number.

This module belongs to the Python 3.6 zone: boards import it too.
"""

import difflib
from typing import Iterable, Optional

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CHECK_FAILED = 3
EXIT_INVALID_MEASUREMENT = 4
EXIT_NOT_POSSIBLE = 5
EXIT_CORRUPT_FILE = 6


class EdgenetError(Exception):
    """What went wrong and where (``message``), and what the reader can do about it (``hint``)."""

    code = "failed"
    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataUnavailable(EdgenetError):
    """Data is absent and could not be fetched."""

    code = "data-unavailable"


class UsageError(EdgenetError):
    """An argument, option or configuration value is not acceptable."""

    code = "usage"
    exit_code = EXIT_USAGE


class NotPossible(EdgenetError):
    """What was asked for cannot be done on this machine or for this target."""

    code = "not-possible"
    exit_code = EXIT_NOT_POSSIBLE


class CorruptFile(EdgenetError):
    """A file is damaged, tampered with or not what it claims to be."""

    code = "corrupt-file"
    exit_code = EXIT_CORRUPT_FILE


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Build the error for a name that no table holds, with the nearest match or the whole list.

    Args:
        kind: What the name was meant to be, such as ``model``.
        name: The name as the user wrote it.
        known: The names that would have been understood.
    """
    known = sorted(known)
    nearest = difflib.get_close_matches(name.lower(), known, n=1)
    hint = "did you mean {!r}?".format(nearest[0]) if nearest else "known: " + ", ".join(known)
    return UsageError("unknown {} {!r}".format(kind, name), hint)
