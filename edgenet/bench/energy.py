"""The energy of a picture, from what the measurement processes say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgenet.launch.outcome import Event


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What running took, as `edgenet.runner.power.Energy` tells it; None where it is not told.

    Attributes:
        energy_mj: Millijoules a picture, idle power subtracted.
        error_mj: Its standard uncertainty, of one process.
        power_w: Mean power while the queries ran.
        idle_w: Mean power before, with the model loaded and waiting.
        sensors: What was counted, by name.
        reason: Why a figure is None, or what is not in it.
    """

    energy_mj: float | None = None
    error_mj: float | None = None
    power_w: float | None = None
    idle_w: float | None = None
    sensors: tuple[str, ...] = ()
    reason: str | None = None


NOT_TOLD = Energy(reason="the process did not say")


def read_energy(event: Event | None) -> Energy:
    """Read the energy of a ``latency`` event.

    Raises:
        ValueError: It makes no sense.
    """
    told = None if event is None else event.get("energy")
    if told is None:
        return NOT_TOLD
    energy = Energy(
        energy_mj=_figure(told["energy_mj"]),
        error_mj=_figure(told["error_mj"]),
        power_w=_figure(told["power_w"]),
        idle_w=_figure(told["idle_w"]),
        sensors=tuple(str(name) for name in told["sensors"]),
        reason=None if told["reason"] is None else str(told["reason"]),
    )
    if energy.energy_mj is None and energy.reason is None:
        raise ValueError("no energy, and no reason why")
    return energy


def median_energy(told: Sequence[Energy]) -> Energy:
    """Return the medians over processes; figures are those of processes with the same sensors.

    A process whose energy was not to be told from that of waiting counts as less than every figure.
    Were it left out, what remains would be too high.

    Args:
        told: Of each process; one at least.
    """
    metered = [energy for energy in told if energy.power_w is not None]
    if not metered:
        return told[0]
    same = [energy for energy in metered if energy.sensors == metered[0].sensors]
    untold = [energy for energy in same if energy.energy_mj is None]
    ranked = [-math.inf if one.energy_mj is None else one.energy_mj for one in same]
    median = statistics.median(ranked)
    reason = next((energy.reason for energy in same if energy not in untold), None)
    if untold:
        share = f"{len(untold)} of {len(same)} processes: {untold[0].reason}"
        reason = share if reason is None else f"{reason}; {share}"
    known = math.isfinite(median)
    return Energy(
        energy_mj=median if known else None,
        error_mj=_median(same, lambda energy: energy.error_mj) if known else None,
        power_w=_median(same, lambda energy: energy.power_w),
        idle_w=_median(same, lambda energy: energy.idle_w),
        sensors=metered[0].sensors,
        reason=reason,
    )


def _median(told: Sequence[Energy], of: Callable[[Energy], float | None]) -> float | None:
    known = [value for value in map(of, told) if value is not None]
    return statistics.median(known) if known else None


def _figure(value: Any) -> float | None:
    if value is None:
        return None
    figure = float(value)
    if not math.isfinite(figure) or figure < 0:
        raise ValueError(f"{figure} is no energy and no power")
    return figure
