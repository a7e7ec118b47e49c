"""How large a network may be: in parameters, bytes of weights, or multiply–accumulates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgenet.errors import UsageError, unknown_name
from edgenet.models import ModelSpec
from edgenet.models.summary import Summary, summarise

MEASURES: dict[str, Callable[[Summary], int]] = {
    "params": lambda summary: summary.parameters,
    "bytes": lambda summary: summary.float32_bytes,
    "macs": lambda summary: summary.macs,
}
"""What a network costs by name: parameters, bytes of them as float32, MACs for one picture."""

UNITS = {"params": "parameters", "bytes": "bytes of float32 weights", "macs": "MACs"}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that a network may cost.

    Attributes:
        measure: ``params``, ``bytes`` or ``macs``.
        limit: 1 or more, itself allowed.

    Raises:
        UsageError: The measure is unknown or the limit below 1.
    """

    measure: str
    limit: int

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise unknown_name("measure of a budget", self.measure, MEASURES)
        if self.limit < 1:
            raise UsageError(f"a budget of {self.limit} {self.measure} leaves no network")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``params=17000``, ``bytes=68000`` or ``macs=1e6``.

        Raises:
            UsageError: It is none of these.
        """
        measure, equals, value = text.partition("=")
        try:
            number = float(value.replace("_", "")) if equals else float("nan")
            limit = int(number)
        except (ValueError, OverflowError):
            limit, number = 0, float("nan")
        if number != limit:
            raise UsageError(
                f"a budget is MEASURE=NUMBER with a whole number, not {text!r}",
                "such as params=17000, bytes=68000 or macs=150000",
            )
        return cls(measure=measure.strip(), limit=limit)

    def cost(self, spec: ModelSpec) -> int:
        """Return what the network of ``spec`` costs."""
        return MEASURES[self.measure](summarise(spec))

    def describe(self, cost: int | None = None) -> str:
        """Return a cost, or the limit, with its unit."""
        return f"{self.limit if cost is None else cost:,} {UNITS[self.measure]}"
