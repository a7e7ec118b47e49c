"""Pictures of a data set, and what a network sees in them: samples, answers, worst mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenet.figures.style import percent, shown
from edgenet.figures.tiles import Section, Tile, columns_for, draw_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.data import Split
    from edgenet.figures.answers import Answers

LONGEST_NAME = 18
_MOST_ROWS = 12
_MOST_SAMPLES = 100
_MISTAKE_ROWS = 3


def samples(split: Split, path: Path, *, title: str) -> None:
    """Draw pictures of every class, evenly spaced over the split, with the class's name.

    Up to a dozen classes have a row each. More have one picture each; of more than a hundred, the
    first hundred.

    Args:
        split: Pictures, one at least.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: Name of the data; one line of print.
    """
    names = split.class_names
    members = [np.flatnonzero(split.labels == label) for label in range(len(names))]
    rowwise = len(names) <= _MOST_ROWS
    if rowwise:
        columns = columns_for(0, beside=True)
        sections = [
            Section(
                heading=f"{shown(name, LONGEST_NAME)}\n{_pictures(len(rows))}",
                tiles=[Tile(image=split.images[row]) for row in _evenly(rows, columns)],
            )
            for name, rows in zip(names, members, strict=True)
        ]
    else:
        tiles = [
            Tile(image=split.images[rows[0]], caption=(shown(name, LONGEST_NAME),))
            for name, rows in zip(names, members, strict=True)
            if len(rows)
        ][:_MOST_SAMPLES]
        heading = f"one picture of each class: {_some(len(tiles), len(names))}"
        sections = [Section(heading=heading, tiles=tiles)]
    title = f"{title}, {split.name} split: {_pictures(len(split))}"
    draw_tiles(sections, path, title=title, beside=rowwise)


def predictions(answers: Answers, path: Path) -> None:
    """Draw right answers in green and wrong ones in red, evenly spaced over the split.

    A wrong answer also has a thick frame, a cross and its true class: it is told without colour.

    Args:
        answers: To one picture at least.
        path: Where to write the pictures.
    """
    sections = []
    for what, rows in (("right", answers.right), ("wrong", answers.wrong)):
        chosen = _evenly(rows, 2 * _columns(answers))
        heading = f"{what}: {_some(len(chosen), len(rows))}"
        sections.append(Section(heading=heading, tiles=[_tile(answers, row) for row in chosen]))
    draw_tiles(sections, path, title=answers.heading)


def mistakes(answers: Answers, path: Path) -> None:
    """Draw the wrong answers that the network was surest of, the surest first.

    Args:
        answers: To one picture at least; maybe all right.
        path: Where to write the pictures.
    """
    surest = answers.wrong[np.argsort(-answers.confidence[answers.wrong], kind="stable")]
    chosen = surest[: _MISTAKE_ROWS * _columns(answers)]
    heading = f"wrong answers by confidence: {_some(len(chosen), len(surest))}"
    tiles = [_tile(answers, row, number=True) for row in chosen]
    draw_tiles([Section(heading=heading, tiles=tiles)], path, title=answers.heading)


def _tile(answers: Answers, row: int, *, number: bool = False) -> Tile:
    """Return a picture with what the network takes it for, and how sure it is."""
    names = answers.split.class_names
    label, predicted = answers.split.labels[row], answers.predictions[row]
    name = shown(names[predicted], LONGEST_NAME)
    right = bool(label == predicted)
    lines = [name] if right else [f"✗ {name}", f"is {shown(names[label], LONGEST_NAME)}"]
    lines.append(percent(answers.confidence[row], 1))
    if number:
        lines.append(f"no. {row}")
    return Tile(image=answers.split.images[row], caption=tuple(lines), right=right)


def _columns(answers: Answers) -> int:
    longest = max(len(name) for name in answers.split.class_names)
    return columns_for(len("is ") + min(LONGEST_NAME, longest))


def _evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of the rows, evenly spaced, the first among them."""
    if len(rows) <= most:
        return rows
    return rows[np.arange(most) * len(rows) // most]


def _pictures(count: int) -> str:
    return f"{count:,} picture" if count == 1 else f"{count:,} pictures"


def _some(drawn: int, count: int) -> str:
    if not count:
        return "none"
    return f"{drawn} of {count:,}" if drawn < count else f"{count}"
