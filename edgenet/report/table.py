"""A table of texts: made once, shown by the command line, the page and the Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | None
"""None is shown as a dash."""

FACTS = ("fact", "value")
"""The columns of a table that is a list of named facts."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Texts in rows; the first column names the row.

    Attributes:
        caption: What is seen, and under which conditions.
        columns: Headings; one that starts with ``>`` is of figures, and right-aligned.
        rows: Cells in the order of the columns.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns' headings as people read them."""
        return tuple(column.removeprefix(">") for column in self.columns)

    @property
    def right(self) -> tuple[bool, ...]:
        """Which columns are of figures."""
        return tuple(column.startswith(">") for column in self.columns)

    @property
    def empty(self) -> bool:
        """Whether it names rows at most, and tells nothing of them."""
        return not self.rows or len(self.columns) < 2

    def column(self, heading: str) -> tuple[Cell, ...]:
        """Return the cells below a heading."""
        place = self.headings.index(heading)
        return tuple(row[place] for row in self.rows)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """Make a table; a column without any cell is left out, the first one apart."""
    kept = [place for place in range(len(columns)) if not place or any(row[place] for row in rows)]
    return Table(
        caption=caption,
        columns=tuple(columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in rows),
    )
