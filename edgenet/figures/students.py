"""How accurate students of different sizes are, with a teacher and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from edgenet.figures.style import drawing

_LOOKS = {
    "distilled": {"color": "#0b5394", "marker": "o", "linestyle": "-"},
    "control": {"color": "#b45f06", "marker": "s", "linestyle": "--"},
    "slimmed": {"color": "#38761d", "marker": "^", "linestyle": ":"},
}
_NAMES = {
    "distilled": "with the teacher",
    "control": "by the labels alone",
    "slimmed": "pruned from the trained network",
}


def students_by_size(
    columns: Mapping[str, Sequence[tuple[int, Sequence[float]]]], path: Path
) -> None:
    """Draw test error over the number of parameters, a line for each way of training.

    Both axes are logarithmic; that of the error is linear where a student has none.

    Args:
        columns: By ``distilled``, ``control`` or ``slimmed``: the students, each with its number
            of parameters and its test accuracies (0 to 1), one a seed.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    with drawing(6.4, 4.4, path) as figure:
        axes = figure.subplots()
        right = [one for students in columns.values() for _, each in students for one in each]
        axes.set(xscale="log", yscale="log" if max(right) < 1 else "linear")
        for name, students in columns.items():
            look, ordered = _LOOKS[name], sorted(students)
            sizes = [size for size, _ in ordered]
            errors = [100 * (1 - mean(accuracies)) for _, accuracies in ordered]
            axes.plot(sizes, errors, label=_NAMES[name], **look)
            for size, accuracies in ordered:
                each = [100 * (1 - accuracy) for accuracy in accuracies]
                axes.plot([size] * len(each), each, color=look["color"], **_ONE_SEED)
        axes.set(xlabel="parameters", ylabel="test error in %", title="Students by size")
        axes.set_xticks(sorted({size for students in columns.values() for size, _ in students}))
        for axis, text in ((axes.xaxis, "{x:,.0f}"), (axes.yaxis, "{x:g}")):
            axis.set_major_formatter(StrMethodFormatter(text))
            axis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
        axes.tick_params(axis="x", labelrotation=30)
        axes.legend(title="dots: one seed each")


_ONE_SEED = {"linestyle": "none", "marker": ".", "markersize": 3, "alpha": 0.6}
