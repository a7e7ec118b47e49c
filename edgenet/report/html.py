"""HTML put together from elements: text becomes markup here alone, and escaped."""

from __future__ import annotations

import html

from edgenet.report.format import MISSING, plain
from edgenet.report.table import FACTS, Table

_EMPTY = ("meta", "link", "br", "hr")
_LONG = 40
"""Letters of a row's name beyond which it is broken into lines."""


class Html(str):
    """Text that is markup already. Whatever is not of this type is escaped."""

    __slots__ = ()


Content = Html | str | None


def tag(name: str, /, *children: Content, **attributes: str | None) -> Html:
    """Make an element.

    Args:
        name: Of the element.
        children: Markup as it is, text escaped, None left out.
        attributes: A trailing underscore is dropped, others become hyphens; None is left out.
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    start = f"<{name}{words}>"
    return Html(start if name in _EMPTY else f"{start}{join(*children)}</{name}>")


def join(*children: Content) -> Html:
    """Put markup and escaped text behind each other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(plain(child))
            for child in children
            if child is not None
        )
    )


def table(content: Table, *, shade: bool = False) -> Html:
    """Make a table that scrolls by itself where it is wider than the page.

    Args:
        content: What it shows.
        shade: Shade the cells of figures by their share of the row's greatest sum: a confusion.
    """
    head = tag(
        "tr",
        *(
            tag("th", heading, scope="col", class_="n" if right else None)
            for heading, right in zip(content.headings, content.right, strict=True)
        ),
    )
    lines = [_line(content, row, shade) for row in content.rows]
    caption = tag("caption", tag("span", content.caption))
    kind = "facts" if content.columns == FACTS else None
    whole = tag("table", caption, tag("thead", head), tag("tbody", *lines), class_=kind)
    # A region that scrolls must be reachable without a mouse, and have a name.
    return tag(
        "div", whole, class_="scroll", role="region", aria_label=content.caption, tabindex="0"
    )


def _line(content: Table, row: tuple[str | None, ...], shade: bool) -> Html:
    long = "long" if len(row[0] or "") > _LONG else None
    cells = [tag("th", row[0], scope="row", class_=long)]
    counts = [_count(cell) for cell in row[1:]] if shade else []
    total = sum(counts)
    for place, cell in enumerate(row[1:], start=1):
        share = counts[place - 1] / total if total else 0.0
        style = f"--share:{max(8, round(100 * share))}%" if share else None
        names = [
            *(["n"] if content.right[place] else []),
            *(["count"] if share else []),
            *(["badge", _badge(cell)] if content.headings[place] == "verdict" and cell else []),
        ]
        inner: Content = MISSING if cell is None else cell
        if "badge" in names:
            inner = tag("span", cell, class_=" ".join(names))
            names = []
        cells.append(tag("td", inner, class_=" ".join(names) or None, style=style))
    return tag("tr", *cells)


def _badge(verdict: str | None) -> str:
    word = (verdict or "").split(" ", 1)[0]
    return {"VALID": "valid", "INVALID": "invalid"}.get(word, "unjudged")


def _count(cell: str | None) -> int:
    digits = (cell or "0").replace(",", "")
    return int(digits) if digits.isdecimal() else 0
