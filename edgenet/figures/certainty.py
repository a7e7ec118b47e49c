"""How sure a network is of known and of unknown pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.figures.style import drawing

_LEAST_DOUBT = 1e-6
_DRAWN_DOUBT = 1e-12  # has a logarithm, and lies beyond the axis
_TICKS = {1: "0 %", 1e-1: "90 %", 1e-2: "99 %", 1e-3: "99.9 %", 1e-4: "99.99 %", 1e-6: "99.9999 %"}
_KNOWN = {"color": "black", "linewidth": 2.4}
_THRESHOLD = {"color": "black", "linewidth": 1.0, "linestyle": (0, (1, 1))}
_LINES = (
    {"color": "#b45f06", "linestyle": "--"},
    {"color": "#0b5394", "linestyle": "-."},
    {"color": "#741b47", "linestyle": ":"},
    {"color": "#666666", "linestyle": "-", "linewidth": 1.0},
    {"color": "#38761d", "linestyle": (0, (8, 2))},
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """How sure a network is of one kind of pictures, by two measures.

    Attributes:
        known: Whether the network was made for this kind.
        doubt: 1 − the largest probability, [N].
        energy: In nats, [N].
    """

    known: bool
    doubt: NDArray[np.float64]
    energy: NDArray[np.float64]


def certainty_curves(
    samples: Mapping[str, Sample], path: Path, *, doubt: float, energy: float, title: str
) -> None:
    """Draw for every kind the share of pictures of which the network is as sure, or surer.

    Where a curve crosses the threshold is the share that would be accepted.

    Args:
        samples: By name of the kind.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        doubt: The threshold of doubt.
        energy: The threshold of energy, in nats.
        title: What is seen.
    """
    with drawing(10, 4.6, path) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        looks = iter(_LINES * (1 + len(samples) // len(_LINES)))
        for name, sample in samples.items():
            look: Mapping[str, Any] = _KNOWN if sample.known else next(looks)
            left.ecdf(np.maximum(sample.doubt, _DRAWN_DOUBT), label=name, **look)
            right.ecdf(sample.energy, **look)
        left.axvline(max(doubt, _DRAWN_DOUBT), label="refuses 1 % of validation", **_THRESHOLD)
        right.axvline(energy, **_THRESHOLD)
        left.set(xscale="log", xlim=(1, _LEAST_DOUBT), ylabel="share of pictures as sure or surer")
        left.set_xticks(list(_TICKS), list(_TICKS.values()))
        left.set_xticks([], minor=True)
        right.invert_xaxis()
        left.set(title="by the largest probability", xlabel="unsure  →  sure")
        right.set(title="by the energy −log Σ exp(logit)", xlabel="energy in nats")
        figure.legend(loc="outside lower center", ncols=min(len(samples) + 1, 4))
        figure.suptitle(title, fontsize=11)
