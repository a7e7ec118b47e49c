"""Matplotlib's SVG made a part of a page: colours by the page's names, ids of its own.

A chart is drawn in colours that stand for roles. Each becomes a CSS variable, so that the same
drawing is dark on light and light on dark.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from edgenet.report.html import Html, tag

SERIES = 8
"""Colours to tell configurations apart by; more of them share one, with another line."""

_ROLES = ("ink", "muted", "line", "accent", "soft", "quiet")
COLOURS = {
    **{role: f"#0102{number:02x}" for number, role in enumerate(_ROLES)},
    **{f"series-{number}": f"#0103{number:02x}" for number in range(SERIES)},
}
"""A stand-in for each role's colour; nothing is drawn in another."""

_STYLE: Any = {
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgenet",
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["line"],
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": 9.5,
    "axes.grid": True,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass
class Drawing:
    """A figure being drawn, and its markup afterwards.

    Attributes:
        name: Unlike that of any other chart of the page; begins its ids.
        title: What it shows, in a few words.
        text: What can be seen in it, for whoever cannot see it.
        markup: Once the block has ended.
    """

    name: str
    title: str
    text: str
    markup: Html = field(default_factory=Html)


@contextlib.contextmanager
def drawing(drawn: Drawing, width: float, height: float) -> Iterator[Any]:
    """Give a figure to draw in; when the block ends, ``drawn`` has its markup.

    Args:
        drawn: Says what it is.
        width: In points, which are the page's pixels on a phone.
        height: In points.
    """
    import matplotlib
    from matplotlib.figure import Figure

    content = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The page's fonts draw the text; what Matplotlib's lacks only widens a margin.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(width / 72, height / 72))
        yield figure
        figure.savefig(content, format="svg", metadata={"Date": None})
    drawn.markup = _inlined(content.getvalue(), drawn)


def _inlined(svg: str, drawn: Drawing) -> Html:
    svg = svg[svg.index("<svg") :]
    for without in (r"<metadata>.*?</metadata>", r"<!--.*?-->", r"<style.*?</style>"):
        svg = re.sub(without, "", svg, flags=re.DOTALL)
    start, rest = svg.split(">", 1)
    box = re.search(r'viewBox="[0-9. ]+"', start)
    prefix = f"{drawn.name}-"
    rest = re.sub(r"<[^>]*>", lambda found: _inlined_tag(found.group(), prefix), rest)
    rest = re.sub(r"\n\s*", "\n", rest)
    told = tag("title", drawn.title, id=f"{prefix}title")
    told = Html(told + tag("desc", drawn.text, id=f"{prefix}text"))
    shape = box.group() if box else ""
    names = f'aria-labelledby="{prefix}title" aria-describedby="{prefix}text"'
    return Html(f'<svg role="img" {names} {shape}>{told}{rest.strip()}')


def _inlined_tag(text: str, prefix: str) -> str:
    """Return one tag with the page's colours and fonts, and ids that begin with ``prefix``."""
    for role, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{role})")
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'\b(xlink:href="|href=")#', rf"\1#{prefix}", text)
    text = text.replace("url(#", f"url(#{prefix}")
    text = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", text)
    return re.sub(r"font-family: [^;\"]*;?", "", text)
