"""From an exception to a message, a hint and an exit code: one table for the whole command line."""

from __future__ import annotations

import contextlib
import difflib
import errno
import re
import signal
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import typer

from edgenet.errors import EXIT_FAILED, EXIT_USAGE, EdgenetError, unknown_name

EXIT_SIGNAL = 128

# Typer ≥ 0.26 carries its own copy of click; older ones depend on it. Either way this is the class
# behind every usage error.
_ClickException = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What the user is told.

    Attributes:
        code: Kind of failure, for programs.
        message: What went wrong and where.
        hint: What to do about it.
        exit_code: What the process returns.
        trace: Where in edgenet it happened, for a defect of edgenet.
    """

    code: str
    message: str
    hint: str | None = None
    exit_code: int = EXIT_FAILED
    trace: str | None = None


def explain(error: BaseException) -> Failure:
    """Turn whatever ended a command into what the user is told."""
    if isinstance(error, EdgenetError):
        return Failure(
            code=error.code, message=error.message, hint=error.hint, exit_code=error.exit_code
        )
    if isinstance(error, _ClickException):
        return _usage(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return interrupted(signal.SIGINT)
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, MemoryError):
        return Failure(code="memory", message="there is not enough memory for this")
    return Failure(
        code="internal",
        message=f"{type(error).__name__}: {error}",
        hint="this is a defect of edgenet: please report it with the lines above",
        trace="".join(traceback.format_exception(error)),
    )


def interrupted(number: int) -> Failure:
    """Return the failure of a command that a signal ended."""
    words = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
    message = words.get(signal.Signals(number), f"ended by signal {number}")
    return Failure(code="interrupted", message=message, exit_code=EXIT_SIGNAL + number)


@contextlib.contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that files are closed and removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_SIGNAL + number)


def _usage(error: Any) -> Failure:
    """Explain a mistake in the command line, with the nearest thing that exists."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "edgenet")
    hint: str | None = f"see {command} --help"
    verb = re.match(r"No such command ['\"](.*?)['\"]", message)
    if verb and context is not None:
        unknown = unknown_name("command", verb[1], context.command.commands)
        message, hint = unknown.message, unknown.hint
    elif message.startswith("No such option") and context is not None:
        message = f"{command} has no option {error.option_name}"
        known = [name for parameter in context.command.params for name in parameter.opts]
        near = difflib.get_close_matches(error.option_name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else hint
    return Failure(code="usage", message=message, hint=hint, exit_code=EXIT_USAGE)


def _system(error: OSError) -> Failure:
    """Explain what the operating system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" to write {error.filename}" if error.filename else ""
        return Failure(
            code="failed",
            message=f"no space left on the disk{place}",
            hint="free some space, or write to another disk",
        )
    reason = error.strerror or str(error) or type(error).__name__
    place = f"{error.filename}: " if error.filename else ""
    return Failure(code="failed", message=f"{place}{reason}")
