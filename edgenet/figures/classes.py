"""How each class fared: accuracy with its interval, and who was taken for whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenet.figures.style import drawing, percent, shown
from edgenet.statistics import wilson_interval

if TYPE_CHECKING:
    from edgenet.figures.answers import Answers

_MOST_CLASSES = 100
_LONGEST_NAME = 24
_MOST_COUNTS = 20
_FAINTEST = 1e-3
_DARK = 0.6
_POINT = {"color": "black", "marker": "o", "clip_on": False, "zorder": 3}


def class_accuracy(answers: Answers, path: Path) -> None:
    """Draw each class's share of right answers with its 95 % Wilson interval.

    The axis begins where the intervals do, so these are points with whiskers: a bar would have to
    begin at zero. Of more than a hundred classes the worst hundred are drawn.

    Args:
        answers: To one picture at least.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    report = answers.report
    classes = [
        (row.name, report.confusion[number][number], row.support)
        for number, row in enumerate(report.classes)
    ]
    if len(classes) > _MOST_CLASSES:
        classes.sort(key=lambda row: row[1] / row[2] if row[2] else 1.0)
        classes = classes[:_MOST_CLASSES]
    dense = len(classes) > 30
    pitch, points = (0.15, 6.5) if dense else (0.26, 9)
    with drawing(7.5, 1.1 + pitch * max(3, len(classes)), path) as figure:
        axes = figure.subplots()
        lowest = 1.0
        for y, (_, correct, support) in enumerate(classes):
            text = "no pictures"
            if support:
                share, (low, high) = correct / support, wilson_interval(correct, support)
                lowest = min(lowest, low)
                axes.plot([100 * low, 100 * high], [y, y], color="0.45", linewidth=1.6)
                axes.plot(100 * share, y, **_POINT, markersize=3 if dense else 5)
                text = f"{percent(share)}  {correct:,} of {support:,}"
            axes.text(
                *(1.02, y, text),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=points,
            )
        axes.axvline(100 * report.accuracy, color="0.3", linestyle=":", linewidth=1.2, zorder=0)
        label = "right answers in % of the class, 95 % Wilson interval; dotted: all classes"
        left = max(0, 100 * lowest - 4 * (1 - lowest))
        axes.set(xlabel=label, xlim=(left, 100), ylim=(len(classes) - 0.4, -0.6))
        axes.set_yticks(range(len(classes)), [shown(row[0], _LONGEST_NAME) for row in classes])
        axes.tick_params(axis="y", labelsize=points, length=0)
        axes.grid(visible=False, axis="y")
        figure.suptitle(f"{answers.title}\n{answers.score}", fontsize=10)


def confusion(answers: Answers, path: Path) -> None:
    """Draw who was taken for whom: the share of the true class as a shade, on a log scale.

    Up to twenty classes have their counts in the cells.

    Args:
        answers: To one picture at least.
        path: Where to write the pictures.
    """
    from matplotlib.colors import LogNorm

    counts = np.array(answers.report.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [shown(name, _LONGEST_NAME) for name in answers.split.class_names]
    k = len(names)
    counted = k <= _MOST_COUNTS
    cell, points = (0.48, 9.0) if counted else (max(0.1, 9 / k), 8.0 if k <= 50 else 5.5)
    room = min(14.0, max(2.4, cell * k)) + 0.075 * max(map(len, names))
    step = -(-k // 120)
    with drawing(max(5.0, room + 1.5), room + 0.8, path) as figure:
        axes = figure.subplots()
        visible = np.ma.masked_equal(shares, 0)
        norm = LogNorm(_FAINTEST, 1, clip=True)
        image = axes.imshow(visible, cmap="Greys", norm=norm, interpolation="none")
        ticks = range(0, k, step)
        turned = 90 if max(map(len, names)) > 3 else 0
        axes.set_xticks(ticks, names[::step], rotation=turned, fontsize=points)
        axes.set_yticks(ticks, names[::step], fontsize=points)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(True)
        axes.set(xlabel="predicted class", ylabel="true class")
        for row, column in zip(*np.nonzero(counts), strict=True) if counted else ():
            dark = norm(shares[row, column]) > _DARK
            axes.text(
                *(column, row, f"{counts[row, column]:,}"),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
        bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=30)
        bar.set_ticks([0.001, 0.01, 0.1, 1], labels=["≤ 0.1 %", "1 %", "10 %", "100 %"])
        bar.set_label("share of the true class; white: none")
        figure.suptitle(f"{answers.title}\n{answers.score}", fontsize=10)
