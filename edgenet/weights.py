"""The numbers of a network, layer by layer: as a checkpoint holds them, or as a file stores them.

The export half fills :class:`NetworkWeights` from a trained network and from the file it wrote; the
verifying half compares the two. Both stand above this module, and neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LayerKind = Literal["conv", "linear"]

HALF_LARGEST = 65504.0
"""The largest number of FP16, (2 − 2⁻¹⁰)·2¹⁵; from 65,520 on, rounding gives infinity."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerWeights:
    """A convolution or a linear layer, in the layout of PyTorch.

    Attributes:
        name: Dotted name of the module; in a file the name that its weight is stored under, or
            empty where the format keeps none.
        place: Where it stands, for a message, such as ``Gemm node 'classifier.output/Gemm'``.
        kind: What the weight means.
        weight: [C_out, C_in / groups, *kernel] or [features_out, features_in].
        bias: [C_out] or [features_out]; None where nothing is added.
    """

    name: str
    place: str
    kind: LayerKind
    weight: NDArray[Any]
    bias: NDArray[Any] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkWeights:
    """All numbers that decide what a network computes.

    Attributes:
        layers: Convolutions and linear layers.
        others: Every other constant by name: of normalisation layers that could not be folded, of
            the pixel normalisation in front. In a file, also what its exporter put there.
    """

    layers: tuple[LayerWeights, ...]
    others: Mapping[str, NDArray[Any]]


def rounded_to_half(values: NDArray[Any]) -> NDArray[np.float16]:
    """Round to FP16, to nearest with ties to even; what is too large becomes infinite.

    Source:
        IEEE 754-2019, binary16 and sections 4.3.1 and 7.4.
    """
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(np.float16)
