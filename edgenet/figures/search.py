"""How accurate the students are that a search tried, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgenet.figures.style import drawing

_ROUNDS = ("#9fc5e8", "#0b5394", "#b45f06", "#cc0000")
"""A colour for each round; the last one serves for all that follow."""


def students_tried(
    students: Sequence[tuple[int, int, Sequence[tuple[int, float]]]], winner: int, path: Path
) -> None:
    """Draw validation error over parameters and over MACs: a dot for every training.

    Args:
        students: Parameters, MACs, and for every round that the student was in its epochs and the
            validation accuracy (0 to 1); at least one of the chosen one.
        winner: Number of the student that was chosen, from 0; it has a ring.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    epochs = sorted({epochs for _, _, trials in students for epochs, _ in trials})
    with drawing(8.0, 3.8, path) as figure:
        both = figure.subplots(1, 2, sharey=True)
        for axes, place, name in zip(both, (0, 1), ("parameters", "MACs"), strict=True):
            for number, length in enumerate(epochs):
                points = [
                    (student[place], 100 * (1 - accuracy))
                    for student in students
                    for trained, accuracy in student[2]
                    if trained == length
                ]
                colour = _ROUNDS[min(number, len(_ROUNDS) - 1)]
                label = f"{length} {'epochs' if length > 1 else 'epoch'}"
                axes.plot(*zip(*points, strict=True), "o", color=colour, label=label)
            axes.set(xlabel=name)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            _, accuracy = max(students[winner][2])
            axes.plot(students[winner][place], 100 * (1 - accuracy), label="chosen", **_RING)
        both[0].set(ylabel="validation error in %")
        both[0].set_ylim(bottom=0)
        both[1].legend()
        figure.suptitle("Students tried")


_RING = {"marker": "o", "markersize": 10, "fillstyle": "none", "color": "black", "linestyle": ""}
