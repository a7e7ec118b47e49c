"""The one style, and writing a figure to files."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgenet.files import write_atomically

STYLE: Any = {
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgenet",
}
TRAIN = {"color": "#0b5394", "linestyle": "--", "marker": "o", "label": "train"}
VALIDATION = {"color": "#b45f06", "linestyle": "-", "marker": "s", "label": "validation"}
RIGHT = "#38761d"
WRONG = "#cc0000"
FORMATS = (".png", ".svg")
"""Every figure is written in each of these: one to look at, one that scales."""


@contextlib.contextmanager
def drawing(width: float, height: float, path: Path) -> Iterator[Any]:
    """Give a figure of that size in inches, and write it when the block ends.

    Args:
        width: In inches.
        height: In inches.
        path: Where, without regard to its suffix: one file is written for each of
            :data:`FORMATS`, each whole or not at all, the same bytes for the same drawing.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is boxes in the PNG and whole in the SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(width, height))
        yield figure
        for suffix in FORMATS:
            content = io.BytesIO()
            stamp = {"Date": None} if suffix == ".svg" else None
            figure.savefig(content, format=suffix.lstrip("."), metadata=stamp)
            with write_atomically(path.with_suffix(suffix)) as file:
                file.write(content.getvalue())
            figure.set_layout_engine("none")  # found for the first file, kept for the next


def shown(name: str, longest: int) -> str:
    """Return any name as one printable line, cut to at most so many characters with an ellipsis.

    A dollar sign is escaped: a class may be called ``$5_a$``, which is no formula.
    """
    line = "".join(character if character.isprintable() else " " for character in name)
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return line.replace("$", r"\$")


def percent(share: float, digits: int = 2) -> str:
    """Return a share as per cent."""
    return f"{100 * share:.{digits}f} %"
