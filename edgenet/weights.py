"""The numbers of a network, layer by layer: as a checkpoint holds them, or as a file stores them.

The export half fills :class:`NetworkWeights` from a trained network and from the file it wrote; the
verifying half compares the two. Both stand above this module, and neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

LayerKind = Literal["conv", "linear"]


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
