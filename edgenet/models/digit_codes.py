"""The fixed codes of the output layer of LeNet-5: a stylised picture of each digit, 7×12."""

from __future__ import annotations

import numpy as np

_DIGITS = """
..###..  ...#...  .#####.  .#####.  .....#.  #######  ..####.  #######  .#####.  .#####.
.#...#.  ..##...  #.....#  #.....#  ....##.  #......  .#.....  ......#  #.....#  #.....#
#.....#  .#.#...  ......#  ......#  ...#.#.  #......  #......  ......#  #.....#  #.....#
#.....#  ...#...  ......#  ......#  ..#..#.  #......  #......  .....#.  #.....#  #.....#
#.....#  ...#...  .....#.  .....#.  .#...#.  #.####.  #......  .....#.  .#...#.  #.....#
#.....#  ...#...  ....#..  ..###..  #....#.  ##....#  #.####.  ....#..  ..###..  .#...##
#.....#  ...#...  ...#...  .....#.  #....#.  ......#  ##....#  ....#..  .#...#.  ..###.#
#.....#  ...#...  ..#....  ......#  #######  ......#  #.....#  ...#...  #.....#  ......#
#.....#  ...#...  .#.....  ......#  .....#.  ......#  #.....#  ...#...  #.....#  ......#
#.....#  ...#...  #......  ......#  .....#.  ......#  #.....#  ..#....  #.....#  ......#
.#...#.  ...#...  #......  #.....#  .....#.  #.....#  .#...#.  ..#....  #.....#  .....#.
..###..  .#####.  #######  .#####.  .....#.  .#####.  ..###..  ..#....  .#####.  .####..
"""
_ROWS = [line.split() for line in _DIGITS.split("\n") if line]

CODE_LENGTH = 84
"""7 × 12, and so the width of F6."""


def codes(classes: int) -> list[list[float]]:
    """Return a code of 84 numbers, −1 or 1, for each class.

    The first ten classes have the digits, ink being 1, row after row. Further ones have codes drawn
    from a fixed seed, each the same however many there are, so that a class that is added later
    changes no other.

    Source:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
        recognition, figure 3.
    """
    digits = [
        [1.0 if pixel == "#" else -1.0 for row in _ROWS for pixel in row[digit]]
        for digit in range(len(_ROWS[0]))
    ]
    draw = np.random.Generator(np.random.PCG64(1998))
    further = draw.integers(0, 2, (max(0, classes - len(digits)), CODE_LENGTH)) * 2.0 - 1.0
    return [*digits[:classes], *further.tolist()]
