"""Reading back what a report shows: its tables from HTML and from Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

Cells = tuple[tuple[str, ...], ...]
_EMPTY = ("meta", "link", "br", "hr")


@dataclass
class Shown:
    """One table: caption, headings and rows of texts."""

    caption: str = ""
    headings: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def column(self, heading: str) -> list[str]:
        """Return the cells below a heading."""
        return [row[self.headings.index(heading)] for row in self.rows]


@dataclass
class Element:
    """One element: its name, its attributes, and the names of those that it lies in."""

    name: str
    attributes: dict[str, str]
    path: tuple[str, ...]


class Page(HTMLParser):
    """An HTML file taken apart as a browser would, as far as tests look at it.

    Attributes:
        elements: In order.
        tables: By caption.
        text: All texts but those of styles.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.tables: dict[str, Shown] = {}
        self.text = ""
        self._open: list[str] = []
        self._table = Shown()
        self._cell: list[str] | None = None
        self.feed(html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append(Element(tag, attributes, tuple(self._open)))
        if tag not in _EMPTY:
            self._open.append(tag)
        if tag == "table":
            self._table = Shown()
        elif tag == "tr" and "tbody" in self._open:
            self._table.rows.append([])
        elif tag in ("td", "th", "caption"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that is empty."""
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}, tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element, which must be the innermost."""
        assert self._open.pop() == tag
        text = "".join(self._cell or [])
        if tag == "caption":
            self._table.caption = text
        elif tag == "th" and "thead" in self._open:
            self._table.headings.append(text)
        elif tag in ("td", "th"):
            self._table.rows[-1].append(text)
        elif tag == "table":
            self.tables[self._table.caption] = self._table
        if tag in ("td", "th", "caption"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._cell is not None:
            self._cell.append(data)
        if "style" not in self._open:
            self.text += data

    def all(self, name: str) -> list[Element]:
        """Return every element of a name."""
        return [element for element in self.elements if element.name == name]


def markdown_tables(text: str) -> dict[str, Shown]:
    """Return the tables of a Markdown file by the line above each."""
    tables: dict[str, Shown] = {}
    for block in re.findall(r"^(\S.*):\n\n((?:\|.*\n)+)", text, re.MULTILINE):
        caption, lines = block
        cells = [_cells(line) for line in lines.strip().splitlines()]
        assert all(len(row) == len(cells[0]) for row in cells)
        tables[_plain(caption)] = Shown(_plain(caption), cells[0], cells[2:])
    return tables


def terminal_tables(text: str) -> list[Shown]:
    """Return the tables that a command has printed, in order."""
    lines = text.splitlines()
    tables = []
    for number, line in enumerate(lines):
        if line.startswith("───"):
            rows = []
            for row in lines[number + 1 :]:
                if not row.strip():
                    break
                rows.append(re.split(r" {2,}", row.strip()))
            tables.append(Shown("", re.split(r" {2,}", lines[number - 1].strip()), rows))
    return tables


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
