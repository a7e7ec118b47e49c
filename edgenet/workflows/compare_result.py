"""What came of comparing two bundles, or two results, and how it reads as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from edgenet.bench.compare import NEGLIGIBLE, Ratio
from edgenet.bench.comparison import Comparison, Times
from edgenet.workflows.compare_arguments import CompareArguments

SCHEMA = "edgenet.compare/1"


@dataclass(frozen=True, kw_only=True)
class CompareResult:
    """Every pair that could be compared, and what could not.

    Attributes:
        arguments: What was asked for.
        comparisons: Two bundles give one; of two results every configuration that both have.
        unmatched: Configurations that have nothing to be compared with, each with its side.
        untimed: Configurations that A has times of and B none, each with the reason.
        notes: What has to be known about the two: other versions, another machine.
        times_reason: Why no times are compared, or None.
    """

    arguments: CompareArguments
    comparisons: tuple[Comparison, ...]
    unmatched: tuple[str, ...] = ()
    untimed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    times_reason: str | None = None

    @property
    def times(self) -> tuple[Times, ...]:
        """Every batch size of every comparison."""
        return tuple(times for one in self.comparisons for times in one.times)

    @property
    def verdict(self) -> str | None:
        """``VALID``, ``INVALID``, or None where a time was not judged or none is compared."""
        words = {times.verdict for times in self.times}
        if "INVALID" in words:
            return "INVALID"
        return "VALID" if words == {"VALID"} else None

    @property
    def believed(self) -> bool:
        """No figure is INVALID, or that was allowed."""
        return self.arguments.allow_invalid or not any(times.invalid for times in self.times)

    @property
    def regression(self) -> bool:
        """Some time was shown to be longer than is allowed."""
        limit = self.arguments.fail_above
        return limit is not None and any(
            times.p50.against(limit) == "above" for times in self.times
        )

    @property
    def decision(self) -> Literal["done", "failed", "invalid", "regression"]:
        """What a program that reads no figures has to know; ``failed``: B lacks times to judge."""
        if self.untimed and self.arguments.fail_above is not None:
            return "failed"
        if not self.believed:
            return "invalid"
        return "regression" if self.regression else "done"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, one sentence for each pair and batch size."""
        return tuple(self._sentences())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "decision": self.decision,
            "findings": list(self.sentences),
            "comparisons": [one.to_json() for one in self.comparisons],
            "unmatched": list(self.unmatched),
            "untimed": list(self.untimed),
            "notes": list(self.notes),
            "times_reason": self.times_reason,
            "arguments": self.arguments.to_json(),
        }

    def _sentences(self) -> Iterator[str]:
        limit, several = self.arguments.fail_above, len(self.times) > 1
        named = [f"{one.b.model} {one.b.precision} on {one.b.runtime}" for one in self.comparisons]
        for one, name in zip(self.comparisons, named, strict=True):
            whose = f" ({one.b.name})" if named.count(name) > 1 else ""
            what = f"{name}{whose}, batch"
            for times in one.times:
                where = f"{what} {times.batch}: " if several else ""
                invalid = "INVALID: " if times.invalid else ""
                yield f"{invalid}{where}{finding(times.p50, limit)}"


def finding(ratio: Ratio, limit: float | None = None) -> str:
    """Say in one sentence what a ratio shows, and whether it keeps to a limit."""
    takes = f"B takes {ratio.value:.3f} times as long as A"
    if ratio.interval is None:
        few = f"{_few(ratio)} cannot tell from chance: it takes {ratio.fewest}"
        return f"{takes}, which {few}"
    low, high = ratio.interval
    spread = f"{low:.3f} to {high:.3f}, {100 * ratio.confidence:.1f} % interval, {_units(ratio)}"
    unseen = f" by more than {100 * NEGLIGIBLE:g} %" if ratio.finding == "not told apart" else ""
    told = f"{ratio.finding}{unseen}"
    return f"{takes} ({spread}): {told}{_against(ratio, limit)}"


def _against(ratio: Ratio, limit: float | None) -> str:
    if limit is None:
        more = ratio.n_needed() if ratio.finding == "not told apart" else None
        return "" if more is None else f"; about {more} {_unit(ratio)} would tell"
    allowed = f"the {limit:g} that is allowed"
    side = ratio.against(limit)
    if side != "cannot tell":
        return f", {'beyond' if side == 'above' else 'within'} {allowed}"
    more = ratio.n_needed(limit)
    would = f"about {more} {_unit(ratio)} would" if more else "more of them would hardly"
    return f"; whether that keeps to {allowed} cannot be told ({would} tell)"


def _unit(ratio: Ratio) -> str:
    return "rounds" if ratio.paired else "processes of each"


def _units(ratio: Ratio) -> str:
    if ratio.paired:
        return f"n {ratio.n_a} rounds"
    return f"n {ratio.n_a} and {ratio.n_b} processes, not in turns"


def _few(ratio: Ratio) -> str:
    if ratio.paired:
        return f"{ratio.n_a} round" + ("s" if ratio.n_a > 1 else "")
    return f"{ratio.n_a} and {ratio.n_b} processes"
