"""Whether a measurement is to be believed: what the machine did while it ran.

Each process tells what the machine was doing right before and right after its timed queries, as
counters (`edgenet.runner.host.snapshot`). Two of them give rates. A figure is INVALID if any of its
windows was disturbed, or if its own samples contradict each other; every reason is told, with what
was seen and what is allowed. A fact that a machine does not tell is no reason.

In a window of 2 s a program is seen that keeps any core busy for more than 0.22 s, or keeps the
measuring thread waiting for more than 0.04 s; an idle system's daemons and this program's own
display should stay below that. The kernel counts processor time in ticks, of 10 ms as a rule, so
that two of them more or less say nothing. ``benchmarks/verdicts.py`` measures how often a hog is
found, and how often an idle machine is blamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.statistics import quantile
from edgenet.statistics.tails import samples_needed

_BUSY = ("user", "nice", "system", "irq", "softirq")  # guest time is in user time already
_NS_PER_S = 1e9
_HEADLINE = 0.9
_FEWEST_IN_A_HALF = 20
_TICKS_OF_DOUBT = 2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a valid measurement may show.

    Attributes:
        other_load_cores: Cores that other programs keep busy, on the average of a window.
        steal_cores: Cores that the hypervisor gives to others while there is work for them.
        waiting_share: Of a window that the measuring thread waits for a processor.
        frequency_drop: Of a core's clock, from before to after.
        hottest_c: Of any sensor, in degrees Celsius.
        drift: Between the medians of a window's halves.
        spread: Between the medians of the processes.
        swapped_in_pages: Memory pages read back from swap.
    """

    other_load_cores: float = 0.10
    steal_cores: float = 0.03
    waiting_share: float = 0.02
    frequency_drop: float = 0.05
    hottest_c: float = 95.0
    drift: float = 0.05
    spread: float = 0.10
    swapped_in_pages: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The timed queries of one process at one batch size.

    Attributes:
        process: Its name, for people.
        query_ns: Each query's time, int64 [n], in order.
        before: The machine's state right before, see `edgenet.runner.host.snapshot`.
        after: The same right after.
        steady: The warm-up ended with two blocks alike.
    """

    process: str
    query_ns: NDArray[np.int64]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    steady: bool


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a measurement is not valid.

    Attributes:
        code: One word for programs, such as ``other-load``.
        detail: What was seen, where, and what is allowed.
    """

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """VALID, or not and why."""

    reasons: tuple[Reason, ...]

    @property
    def valid(self) -> bool:
        """Nothing speaks against the figures."""
        return not self.reasons

    @property
    def word(self) -> str:
        """``VALID`` or ``INVALID``."""
        return "VALID" if self.valid else "INVALID"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"verdict": self.word, "reasons": [dict(vars(each)) for each in self.reasons]}


def judge(windows: Sequence[Window], limits: Limits | None = None) -> Verdict:
    """Judge the windows of all processes of one configuration at one batch size.

    Of each kind of reason the worst is told.

    Args:
        windows: In the order in which they were measured; one at least.
        limits: What is allowed; None takes the defaults.
    """
    allowed = limits or Limits()
    found: dict[str, tuple[float, Reason]] = {}
    for window in windows:
        for code, excess, detail in _of_window(window, allowed):
            reason = Reason(code=code, detail=f"{detail} ({window.process})")
            if code not in found or excess > found[code][0]:
                found[code] = (excess, reason)
    reasons = [reason for _, reason in found.values()]
    return Verdict(reasons=(*reasons, *_of_all(windows, allowed)))


def _of_all(windows: Sequence[Window], limits: Limits) -> Iterator[Reason]:
    """Look at what several processes say together."""
    n = sum(len(window.query_ns) for window in windows)
    needed = samples_needed(_HEADLINE)
    if n < needed:
        detail = f"{n} queries where a p90 takes {needed}"
        yield Reason(code="too-few-samples", detail=detail)
    medians = [quantile(window.query_ns, 0.5) for window in windows]
    if len(medians) > 1 and min(medians) > 0:
        spread = max(medians) / min(medians) - 1
        if spread > limits.spread:
            detail = f"processes differ by {spread:.1%}, at most {limits.spread:.0%} is allowed"
            yield Reason(code="spread", detail=detail)


def _of_window(window: Window, limits: Limits) -> Iterator[tuple[str, float, str]]:
    """Yield code, how far beyond what is allowed, and what was seen."""
    before, after = window.before, window.after
    lasted_ns = _difference(before, after, "at_ns")
    if lasted_ns is not None and lasted_ns > 0:
        yield from _load(before, after, lasted_ns / _NS_PER_S, limits)
    pages = _difference(before, after, "swapped_in_pages")
    if pages is not None and pages > limits.swapped_in_pages:
        yield "swap-in", pages, f"{pages:,.0f} pages were read back from swap"
    drop = _frequency_drop(before, after)
    if drop is not None and drop > limits.frequency_drop:
        yield "frequency", drop, f"a core's clock fell by {drop:.1%} meanwhile"
    hottest = max((after.get("temperatures_c") or {}).values(), default=None)
    if hottest is not None and hottest > limits.hottest_c:
        detail = f"{hottest:.0f} °C, at most {limits.hottest_c:.0f} are allowed"
        yield "temperature", hottest, detail
    yield from _throttling(before, after)
    if not window.steady:
        yield "not-steady", 1.0, "the warm-up never became steady"
    drift = _drift(window.query_ns)
    if drift is not None and drift > limits.drift:
        detail = f"the second half differs from the first by {drift:.1%}"
        yield "drift", drift, detail


def _load(
    before: Mapping[str, Any], after: Mapping[str, Any], seconds: float, limits: Limits
) -> Iterator[tuple[str, float, str]]:
    """Look at who else used the processors."""
    own = _own_s(before, after)
    waited = _own_waited_s(before, after)
    if waited is not None and waited / seconds > limits.waiting_share:
        detail = f"the measuring thread waited {waited / seconds:.1%} of the time for a processor"
        allowed = f"at most {limits.waiting_share:.0%} is allowed"
        yield "waiting", waited / seconds, f"{detail}, {allowed}"
    ticks, per_second = _both(before, after, "cpu_ticks"), after.get("ticks_per_s")
    if ticks is None or not per_second:
        return
    spent = {name: ticks[1].get(name, 0) - ticks[0].get(name, 0) for name in ticks[1]}
    doubt_s = _TICKS_OF_DOUBT / per_second
    if own is not None:
        busy_s = sum(spent.get(name, 0) for name in _BUSY) / per_second
        cores = (busy_s - own - doubt_s) / seconds
        if cores > limits.other_load_cores:
            allowed = f"at most {limits.other_load_cores:g} are allowed"
            yield "other-load", cores, f"other programs kept {cores:.2f} cores busy, {allowed}"
    stolen = (spent.get("steal", 0) / per_second - doubt_s) / seconds
    if stolen > limits.steal_cores:
        detail = f"the hypervisor gave {stolen:.2f} cores to others"
        yield "steal", stolen, f"{detail}, at most {limits.steal_cores:g} are allowed"


def _own_s(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return the processor time that the measuring process used itself."""
    uses = _both(before, after, "own")
    if uses is None:
        return None
    return float(sum(uses[1][name] - uses[0][name] for name in ("user_s", "system_s")))


def _own_waited_s(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return how long the measuring thread could have run and did not."""
    uses = _both(before, after, "own")
    return None if uses is None else _difference(uses[0], uses[1], "waited_s")


def _difference(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> float | None:
    values = _both(before, after, name)
    return None if values is None else float(values[1] - values[0])


def _frequency_drop(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return by what share the fastest core became slower.

    The fastest, since idle cores clock down as they like.
    """
    clocks = _both(before, after, "frequencies_khz")
    if clocks is None or not max(clocks[0]):
        return None
    return 1 - float(max(clocks[1]) / max(clocks[0]))


def _throttling(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, float, str]]:
    """Look at who held the processor back: a container's quota, heat, or the power supply."""
    counts = _both(before, after, "quota_throttled")
    held = 0 if counts is None else _difference(*counts, "nr_throttled") or 0
    if held > 0:
        yield "throttled", held, f"the container's quota held its processes back {held:.0f} times"
    told = _both(before, after, "throttling")
    events = 0 if told is None else _difference(*told, "events") or 0
    if events > 0:
        yield "throttled", events, f"the processor throttled itself {events:.0f} times"
    flags = 0 if told is None else (told[0].get("flags") or 0) | (told[1].get("flags") or 0)
    if flags:
        yield "throttled", flags, f"the firmware holds the processor back (flags {flags:#x})"


def _both(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> tuple[Any, Any] | None:
    """Return a fact before and after; None where the machine does not tell it."""
    values = before.get(name), after.get(name)
    return None if None in values or {} in values or [] in values else values


def _drift(query_ns: NDArray[np.int64]) -> float | None:
    """Return how far the medians of both halves are apart; None where they say nothing."""
    half = len(query_ns) // 2
    if half < _FEWEST_IN_A_HALF:
        return None
    first, second = (quantile(part, 0.5) for part in (query_ns[:half], query_ns[half:]))
    return max(first, second) / min(first, second) - 1 if min(first, second) > 0 else None
