"""From exceptions to messages and exit codes."""

from __future__ import annotations

import errno
import os
import signal

import pytest
import typer

from edgenet.cli.failures import Failure, explain, interrupted, sigterm_unwinds
from edgenet.errors import CorruptFile, DataUnavailable, EdgenetError, NotPossible, UsageError


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (EdgenetError("m", "h"), 1, "failed"),
        (DataUnavailable("m", "h"), 1, "data-unavailable"),
        (UsageError("m", "h"), 2, "usage"),
        (NotPossible("m", "h"), 5, "not-possible"),
        (CorruptFile("m", "h"), 6, "corrupt-file"),
    ],
)
def test_our_own_errors_keep_message_hint_and_code(
    error: EdgenetError, exit_code: int, code: str
) -> None:
    """The tree in errors.py decides; nothing is added."""
    assert explain(error) == Failure(code=code, message="m", hint="h", exit_code=exit_code)


def test_a_mistake_that_typer_finds_is_a_usage_error() -> None:
    """Under every version of typer, whether it depends on click or carries its own copy."""
    failure = explain(typer.BadParameter("must be odd"))
    assert (failure.exit_code, failure.code) == (2, "usage")
    assert "must be odd" in failure.message


def test_a_full_disk_is_said_in_plain_words() -> None:
    """A traceback of write() would not tell which disk."""
    failure = explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x"))
    assert failure.message == "no space left on the disk to write runs/x"
    assert (failure.exit_code, failure.trace) == (1, None)
    assert failure.hint is not None


def test_other_refusals_of_the_system_name_the_file() -> None:
    """Exit code 1: it was tried and failed."""
    failure = explain(PermissionError(errno.EACCES, "Permission denied", "secret.png"))
    assert (failure.message, failure.exit_code) == ("secret.png: Permission denied", 1)


def test_a_defect_keeps_its_traceback() -> None:
    """It is ours, and the report needs the place."""
    try:
        int("x")
    except ValueError as error:
        failure = explain(error)
    assert (failure.code, failure.exit_code) == ("internal", 1)
    assert failure.trace is not None
    assert "test_failures.py" in failure.trace


def test_interrupts_have_the_shells_exit_codes() -> None:
    """128 plus the number of the signal."""
    assert explain(KeyboardInterrupt()).exit_code == 130
    assert explain(typer.Abort()).exit_code == 130
    assert interrupted(signal.SIGTERM).exit_code == 143
    assert interrupted(signal.SIGTERM).message == "terminated"


def test_sigterm_unwinds_the_stack_and_the_handler_is_put_back() -> None:
    """Files are closed and temporary ones removed, as with any other exception."""
    before = signal.getsignal(signal.SIGTERM)
    unwound = []

    def work() -> None:
        with sigterm_unwinds():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            finally:
                unwound.append(True)

    with pytest.raises(SystemExit) as caught:
        work()
    assert unwound == [True]
    assert caught.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
