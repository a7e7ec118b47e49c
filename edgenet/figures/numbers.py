"""Small sums drawn as squares with numbers in them: pooling, and the gradient of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.figures.style import drawing

Numbers = NDArray[np.floating[Any]]
_SUBSCRIPTS = "₁₂₃₄₅₆₇₈₉"


def number_squares(matrices: Mapping[str, Numbers], path: Path, *, title: str) -> None:
    """Draw matrices [h, w] beside each other, each number in a square of its own.

    Args:
        matrices: By what is said of each.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: What is seen.
    """
    with drawing(2.0 * len(matrices), 2.7, path) as figure:
        grid = np.atleast_1d(figure.subplots(1, len(matrices)))
        for axes, (name, matrix) in zip(grid, matrices.items(), strict=True):
            _squares(axes, matrix, name)
        figure.suptitle(title, fontsize=11)


def kernel_gradient(
    *,
    inputs: Numbers,
    kernel: Numbers,
    outputs: Numbers,
    upstream: Numbers,
    patches: Numbers,
    gradient: Numbers,
    path: Path,
) -> None:
    """Draw how the gradient of a kernel adds up from patches of the input.

    Args:
        inputs: X, [h, w].
        kernel: W, [k, k].
        outputs: P = W ⋆ X.
        upstream: δ = ∂L/∂P, of the shape of ``outputs``.
        patches: What each output reads, [outputs, k, k].
        gradient: ∂L/∂W, [k, k].
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    weights = upstream.ravel()
    with drawing(10.5, 5.6, path) as figure:
        above, below = figure.subfigures(2, 1)
        given = {
            "input X": inputs,
            "kernel W": kernel,
            "output P = W ⋆ X": outputs,
            "upstream gradient δ = ∂L/∂P": upstream,
        }
        for axes, (name, matrix) in zip(above.subplots(1, len(given)), given.items(), strict=True):
            _squares(axes, matrix, name)
        row = below.subplots(1, len(weights) + 1)
        for number, (axes, weight, patch) in enumerate(zip(row, weights, patches, strict=False)):
            words = [f"{weight:g}·{x:g}" for x in patch.ravel()]
            name = f"δ{_SUBSCRIPTS[number]} · patch{_SUBSCRIPTS[number]}"
            _squares(axes, weight * patch, name, words)
            sign = "+" if number < len(weights) - 1 else "="
            axes.annotate(sign, (1.07, 0.5), xycoords="axes fraction", fontsize=14, va="center")
        _squares(row[-1], gradient, "gradient ∂L/∂W")
        figure.suptitle(
            "The gradient of a kernel is the sum of the input's patches, "
            "each times its output's upstream gradient",
            fontsize=11,
        )


def _squares(axes: Any, matrix: Numbers, name: str, words: list[str] | None = None) -> None:
    """Draw one matrix: light squares, darker for larger numbers, with the numbers in black.

    Args:
        axes: Where.
        matrix: [h, w].
        name: Above it.
        words: Written small above each number, row by row.
    """
    span = float(np.ptp(matrix)) or 1.0
    # A third of the grey scale, so that black stays readable on the darkest square.
    axes.imshow(matrix, cmap="Greys", vmin=matrix.min() - 0.15 * span, vmax=matrix.min() + 4 * span)
    for place, value in enumerate(matrix.ravel()):
        row, column = divmod(place, matrix.shape[1])
        number = f"{value:.3g}".replace("-", "−")
        text = number if words is None else f"{words[place]}\n{number}"
        axes.text(column, row, text, ha="center", va="center", fontsize=10, linespacing=1.4)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xticks(np.arange(0.5, matrix.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, matrix.shape[0] - 1), minor=True)
    axes.grid(visible=True, which="minor", color="black", linewidth=0.6, alpha=1)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set_title(name, fontsize=9)
