"""How a network is quantized: the types, where the ranges come from, what is left in FP32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgenet.errors import UsageError

Activations = Literal["int8", "uint8"]

LOWEST_PERCENTILE = 99.9
WEIGHT_BITS = (8, 4)
_SHORT_NAMES = {"int8": "s8", "uint8": "u8"}


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way to quantize a network; weights are symmetric, per output channel in every one.

    Attributes:
        activations: ``int8`` is symmetric with zero point 0 (S8S8), which every target takes;
            ``uint8`` uses all 256 steps of the range, with a zero point (U8S8).
        percentile: How much of the values on the calibration pictures an activation's range has to
            hold, from 99.9 to 100. 100 is from the smallest to the largest (MinMax).
        exclude: Names of layers that stay in FP32.
        fp32_narrow_output: Whether the last layer stays in FP32, too, where one of its dimensions
            is below 16.
        weight_bits: 8, or 4 where ``learned``.
        learned: Ranges come from training with rounding, see :mod:`edgenet.compress.qat`, and not
            from calibration.

    Raises:
        UsageError: The percentile is out of its range, or values do not go together.
    """

    activations: Activations = "int8"
    percentile: float = 100.0
    exclude: tuple[str, ...] = ()
    fp32_narrow_output: bool = False
    weight_bits: int = 8
    learned: bool = False

    def __post_init__(self) -> None:
        if self.activations not in _SHORT_NAMES:
            raise UsageError(f"activations are int8 or uint8, not {self.activations!r}")
        if not LOWEST_PERCENTILE <= self.percentile <= 100:
            raise UsageError(
                f"a calibration percentile of {self.percentile:g} is not between "
                f"{LOWEST_PERCENTILE:g} and 100"
            )
        if self.weight_bits not in (WEIGHT_BITS if self.learned else (8,)):
            raise UsageError(
                f"weights of {self.weight_bits} bits are not available",
                "8 bits are, and 4 with training: quantize --qat --weights-bits 4",
            )
        if self.learned and (self.activations, self.percentile) != ("int8", 100):
            raise UsageError("learned ranges are those of int8 activations, without a percentile")

    @property
    def name(self) -> str:
        """What reports call it, without what is excluded, such as ``s8s8-minmax``."""
        ranges = "minmax" if self.percentile == 100 else f"p{self.percentile:g}"
        types = f"{_SHORT_NAMES[self.activations]}s{self.weight_bits}"
        return f"{types}-{'learned' if self.learned else ranges}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``name``."""
        return {**vars(self), "name": self.name, "exclude": list(self.exclude)}


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(),
        Scheme(percentile=99.99),
        Scheme(percentile=99.9),
        Scheme(activations="uint8"),
        Scheme(activations="uint8", percentile=99.99),
        Scheme(activations="uint8", percentile=99.9),
    )
}
"""The schemes to choose among, by name, in the order in which equals are preferred."""
