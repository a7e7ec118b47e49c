"""The charts of the page that are bars: memory, energy, cold start, end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgenet.report.costs import COLD_PARTS, STEPS, cold_parts
from edgenet.report.document import Document, Row
from edgenet.report.format import listed, plain
from edgenet.report.svg import COLOURS, Drawing, drawing

WIDTH = 372.0
"""Of every chart, in points: what a phone has room for."""

LONGEST_NAME = 40


def memory_chart(document: Document) -> Drawing | None:
    """Draw the peak memory over that of an empty runtime; None where neither is known."""
    shown = [
        (row, empty, peak)
        for row in document.own
        if (empty := row.figures.get("baseline_mib")) is not None
        and (peak := row.figures.get("peak_mib")) is not None
    ]
    if not shown:
        return None
    bars = [(row, (empty, max(peak - empty, 0.0))) for row, empty, peak in shown]
    drawn = Drawing(
        name="memory",
        title="Peak memory of a process",
        text="One bar a configuration: the empty runtime, and what the model takes beyond it.",
    )
    _bars(drawn, bars, ("quiet", "accent"), "MiB")
    return drawn


def energy_chart(document: Document) -> Drawing | None:
    """Draw the energy of a picture; None where no sensor told it."""
    told = [row for row in document.own if row.figures.get("energy_mj") is not None]
    bars = [(row, (row.figures["energy_mj"] or 0.0,)) for row in told]
    if not bars:
        return None
    drawn = Drawing(
        name="energy",
        title="Energy of a picture",
        text="One bar a configuration, in millijoules: its power less the idle power, times time. "
        "The line at its end is the standard uncertainty to both sides.",
    )
    errors = [max(row.figures.get("energy_error_mj") or 0.0, 0.0) for row in told]
    _bars(drawn, bars, ("accent",), "mJ", errors)
    return drawn


def cold_start_chart(document: Document) -> Drawing | None:
    """Draw the parts of a cold start; None where no row has them."""
    bars = []
    for row in document.own:
        parts = cold_parts(row)
        if row.figures.get("process_to_first_ms") is not None and parts["process_ms"] is not None:
            bars.append((row, tuple(part or 0.0 for part in parts.values())))
    if not bars:
        return None
    drawn = Drawing(
        name="cold-start",
        title="From the start of a process to its first answer",
        text=f"One bar a configuration, in milliseconds: {listed(COLD_PARTS)}.",
    )
    _bars(drawn, bars, COLD_COLOURS, "ms")
    return drawn


COLD_COLOURS = ("quiet", "series-0", "series-3", "series-1", "series-2", "series-4")
"""Of the parts of a cold start, in their order."""


def end_to_end_chart(document: Document) -> Drawing | None:
    """Draw the medians of the steps from an encoded picture to its class; None without any."""
    bars = [
        (row, tuple(row.end_to_end.figures.get(name) or 0.0 for name in STEPS.values()))
        for row in document.own
        if row.end_to_end
    ]
    if not bars:
        return None
    drawn = Drawing(
        name="end-to-end",
        title="From an encoded picture to its class",
        text=f"One bar a configuration, medians in microseconds: {listed(tuple(STEPS))}.",
    )
    _bars(drawn, bars, STEP_COLOURS, "µs")
    return drawn


STEP_COLOURS = ("quiet", "series-1", "accent", "series-2")
"""Of the steps, in their order."""


def _bars(
    drawn: Drawing,
    bars: Sequence[tuple[Row, tuple[float, ...]]],
    colours: Sequence[str],
    unit: str,
    errors: Sequence[float] = (),
) -> None:
    """Draw one bar a row, of parts behind each other, with the uncertainty of its end if given."""
    with drawing(drawn, WIDTH, 44 + 36 * len(bars)) as canvas:
        axes = canvas.subplots()
        for place, (row, parts) in enumerate(bars):
            left = 0.0
            for part, colour in zip(parts, colours, strict=True):
                axes.barh(-place, part, 0.34, left, color=COLOURS[colour])
                left += part
            if errors:
                ink = COLOURS["ink"]
                axes.errorbar(left, -place, xerr=errors[place], fmt="none", ecolor=ink)
            name_row(axes, row, -place + 0.42)
        axes.set_ylim(-len(bars) + 0.66, 0.76)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)


def name_row(axes: Any, row: Row, height: float) -> None:
    """Write a row's name at the left end of a height of the axes' data."""
    text = plain(row.name)
    short = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
    axes.text(0, height, short, transform=axes.get_yaxis_transform(), va="center", ha="left")
