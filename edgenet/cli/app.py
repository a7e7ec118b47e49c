"""The ``edgenet`` command: its verbs, and what its exit codes mean."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from edgenet import __version__
from edgenet.cli import (
    comparing,
    deployment,
    distilling,
    machine,
    measurement,
    quantizing,
    reporting,
    slimming,
    training,
    understanding,
    using,
)
from edgenet.cli.console import Output
from edgenet.cli.failures import EXIT_SIGNAL, Failure, explain, interrupted, sigterm_unwinds
from edgenet.errors import EXIT_FAILED
from edgenet.training.distributed import follows

_EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 a check failed, 4 the measurement is not valid, "
    "5 not possible here, 6 damaged file, 130 interrupted, 143 terminated."
)

_OWN_FAILURES = ("internal", "memory")
"""What befalls one of several processes; of any other failure the first process tells."""

app = typer.Typer(
    name="edgenet",
    help="Train small vision networks, export and verify them, and measure them where they run.",
    epilog=_EXIT_CODES,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    training,
    distilling,
    quantizing,
    slimming,
    deployment,
    measurement,
    comparing,
    reporting,
    using,
    understanding,
    machine,
):
    for verb, function in group.VERBS.items():
        app.command(verb, rich_help_panel=group.PANEL, no_args_is_help=False)(function)


@app.callback()
def edgenet(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """Train small vision networks, export and verify them, and measure them where they run."""
    if version:
        typer.echo(f"edgenet {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        arguments: Without the program's name; by default those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _mend_streams()
    code: object = 0
    try:
        with sigterm_unwinds():
            command = typer.main.get_command(app)
            code = command.main(args=words, prog_name="edgenet", standalone_mode=False)
            sys.stdout.flush()
    except SystemExit as leaving:
        code = leaving.code
    except BrokenPipeError:
        # Whoever read the output has left: nobody is there to tell, and nothing may be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user gets one message
        return _fail(explain(error), words)
    status = code if isinstance(code, int) else 0
    if status > EXIT_SIGNAL:
        return _fail(interrupted(status - EXIT_SIGNAL), words)
    return status


def _mend_streams() -> None:
    """Let no closed stream and no character that its encoding lacks end a command.

    Of several processes that torchrun started only the first writes.
    """
    silent = follows()
    for name in ("stdout", "stderr"):
        if silent or getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(failure: Failure, words: Sequence[str]) -> int:
    if follows() and failure.code in _OWN_FAILURES and sys.__stderr__ is not None:
        sys.stderr = sys.__stderr__
    Output(json_mode="--json" in words).failure(
        code=failure.code, message=failure.message, hint=failure.hint, trace=failure.trace
    )
    return failure.exit_code
