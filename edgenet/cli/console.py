"""The only printer: results go to stdout, all else to stderr.

With ``--json`` stdout gets exactly one JSON object. Values are never read as Rich markup, and a
character that could steer a terminal is shown by its escape. Progress is a live line where stderr
is a terminal, and a plain line for every finished unit where it is not; ``NO_COLOR`` is honoured.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO, TypeVar

from edgenet.errors import EXIT_DONE
from edgenet.progress import Figure, Step

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID
    from typing_extensions import Self

PLAIN_WIDTH = 10_000
"""Columns where the output is no terminal: a table takes what it needs and no cell is folded."""


_GAP_COLUMNS = 3


class Result(Protocol):
    """What a workflow returns."""

    def to_json(self) -> Any:
        """Return plain JSON values."""
        ...


ResultT = TypeVar("ResultT", bound=Result)


class Output:
    """Where one command writes. Use it as a context manager around the work.

    Args:
        json_mode: Stdout gets one JSON object and nothing else.
        quiet: No progress and no notes; results, warnings and errors remain.
    """

    def __init__(self, *, json_mode: bool = False, quiet: bool = False) -> None:
        self.json_mode = json_mode
        self.quiet = quiet
        self._stdout = _console(sys.stdout)
        self._stderr = _console(sys.stderr)
        self._log = _ToNotes(self)
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        logger = logging.getLogger("edgenet")
        logger.addHandler(self._log)
        logger.setLevel(logging.INFO)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_live()
        logger = logging.getLogger("edgenet")
        logger.removeHandler(self._log)
        logger.setLevel(logging.NOTSET)

    def result(
        self, result: ResultT, view: Callable[[Output, ResultT], None], code: int = EXIT_DONE
    ) -> int:
        """Print a result, as JSON or by its view, and pass the exit code on."""
        self._stop_live()
        if self.json_mode:
            self.line(json.dumps(result.to_json(), indent=2, allow_nan=False))
        else:
            view(self, result)
        return code

    def line(self, text: str = "") -> None:
        """Write one line to stdout, exactly as it is."""
        sys.stdout.write(f"{text}\n")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """Write a table to stdout; where a terminal is too narrow for it, each row as named values.

        Args:
            columns: Their headings; one that starts with ``>`` is right-aligned.
            rows: Cells in the order of the columns; None is shown as a dash.
            title: A line above it.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        headings = [column.removeprefix(">") for column in columns]
        right = [column.startswith(">") for column in columns]
        cells = [["–" if cell is None else visible(str(cell)) for cell in row] for row in rows]
        if title:
            self.line(visible(title))
        if _least_width(headings, right, cells) > self._stdout.width:
            for number, row in enumerate(cells):
                if number:
                    self.line()
                self.fields(dict(zip(headings, row, strict=True)))
            return
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for heading, figures in zip(headings, right, strict=True):
            justify: Literal["left", "right"] = "right" if figures else "left"
            grid.add_column(Text(heading), justify=justify, no_wrap=figures)
        for row in cells:
            grid.add_row(*map(Text, row))
        self._stdout.print(grid)

    def fields(self, values: Mapping[str, object]) -> None:
        """Write named values to stdout, one a line, with the values in one column."""
        width = max((len(name) for name in values), default=0)
        for name, value in values.items():
            self.line(f"{name:<{width}}  {'–' if value is None else visible(str(value))}")

    def note(self, text: str) -> None:
        """Write a line to stderr that a reader can do without."""
        if not self.quiet:
            self._to_stderr(text)

    def warn(self, text: str) -> None:
        """Write a line to stderr that a reader should not miss."""
        self._to_stderr(f"warning: {text}", style="yellow")

    def failure(self, *, code: str, message: str, hint: str | None, trace: str | None) -> None:
        """Say why the command failed: on stderr, or in JSON mode as one object on stdout.

        Args:
            code: Kind of failure, for programs.
            message: What went wrong and where.
            hint: What to do about it.
            trace: Where in edgenet it happened, for a defect; on stderr in either mode.
        """
        if trace:
            sys.stderr.write(trace)
        if self.json_mode:
            failure = {"error": {"code": code, "message": message, "hint": hint}}
            self.line(json.dumps(failure, indent=2))
            return
        self._to_stderr(f"error: {message}", style="red")
        if hint:
            self._to_stderr(f"hint: {hint}")

    def progress(self, step: Step) -> None:
        """Show where long work is; this is the callback that workflows take."""
        if self.quiet:
            return
        first = step.task not in self._seen
        self._seen.add(step.task)
        if self._stderr.is_terminal and not self._stderr.is_dumb_terminal:
            self._show_live(step)
        if step.final or (first and step.figures):
            self.note(_step_line(step))

    def _show_live(self, step: Step) -> None:
        if self._live is None:
            self._live = _live(self._stderr)
            self._live.start()
        if step.task not in self._tasks:
            self._tasks[step.task] = self._live.add_task(visible(step.task), count="", figures="")
        self._live.update(
            self._tasks[step.task],
            completed=step.done,
            total=step.total or None,
            count=_count(step),
            # A finished unit's figures get a line of their own above the live one.
            figures="" if step.final else _figures_text(step.figures),
        )

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._tasks.clear()

    def _to_stderr(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self._stderr.print(Text(visible(text), style=style), soft_wrap=True)


class _ToNotes(logging.Handler):
    """Carries what the libraries log to stderr."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._output.warn(text)
        else:
            self._output.note(text)


def visible(text: str) -> str:
    """Return ``text`` with everything that is not printable written as an escape, lines apart."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def _least_width(
    headings: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]
) -> int:
    """Return the columns that a table needs for its figures in full and every word of its text."""
    from rich.cells import cell_len

    least = _GAP_COLUMNS * (len(headings) - 1)
    for place, heading in enumerate(headings):
        texts = [heading, *(row[place] for row in rows)]
        pieces = texts if right[place] else [word for text in texts for word in text.split()]
        least += max(map(cell_len, pieces), default=0)
    return least


def _console(file: TextIO) -> Console:
    from rich.console import Console

    width = None if file.isatty() else PLAIN_WIDTH
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def _live(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class BarsAndFigures(Progress):
        """Bars, and below them, where there is room for all of it, what the work has come to."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            for task in self.tasks:
                if task.fields["figures"]:
                    yield Text(task.fields["figures"])

    return BarsAndFigures(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _step_line(step: Step) -> str:
    """Return one finished unit of work as a line of a log."""
    figures = _figures_text({k: v for k, v in step.figures.items() if k != step.unit})
    return f"{step.task}  {_count(step)}" + (f"  {figures}" if figures else "")


def _count(step: Step) -> str:
    """Return how many units are finished, and of how many."""
    total = f"/{step.total:g}" if step.total else ""
    return f"{step.unit} {int(step.done)}{total}"


def _figures_text(figures: Mapping[str, Figure]) -> str:
    return "  ".join(visible(f"{name} {_figure(name, value)}") for name, value in figures.items())


def _figure(name: str, value: Figure) -> str:
    """Return a figure with as many digits as its name calls for."""
    if value is None or isinstance(value, str) or not isinstance(value, float):
        return "–" if value is None else str(value)
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    if name.endswith(("_per_s", "_bytes", "_us")):
        return f"{value:.0f}"
    if name.endswith(("seconds", "_s", "_ms", "_mib")):
        return f"{value:.1f}"
    return f"{value:.4g}"
