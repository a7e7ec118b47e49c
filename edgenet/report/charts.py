"""The charts of the page. Each has a table of the same numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.report.bars import WIDTH, name_row
from edgenet.report.best import winners
from edgenet.report.document import Document
from edgenet.report.format import figure, listed, plain
from edgenet.report.samples import Samples
from edgenet.report.svg import COLOURS, SERIES, Drawing, drawing

_BINS = 120
_MOST_IN_A_LABEL = 4
_CLOSE = 13.0  # points: labels of what is nearer than this are one label
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", ":", "-.")


def pareto_chart(document: Document) -> Drawing | None:
    """Draw accuracy over latency, with the size of the file as the area; None without accuracy."""
    batch = document.least
    shown = [
        (number, row, timing, row.accuracy)
        for number, row in enumerate(document.own, start=1)
        if row.accuracy and (timing := row.at(batch))
    ]
    if not shown:
        return None
    found = winners(document)
    among = found.pareto if found else ()
    best = [plain(row.name) for _, row, _, _ in shown if row.name in among]
    drawn = Drawing(
        name="pareto",
        title="Accuracy over latency, area by size on disk",
        text=f"One disc a configuration. In the Pareto set: {listed(best) if best else 'none'}. "
        "The table of all configurations has the numbers.",
    )
    largest = max(row.figures["size_bytes"] or 1 for _, row, _, _ in shown)
    with drawing(drawn, WIDTH, 264) as canvas:
        axes = canvas.subplots()
        axes.set_xscale("log")
        places = []
        for _, row, timing, answers in shown:
            x, y = timing.p50_us, 100 * answers.accuracy
            inside = row.name in among
            colour = COLOURS["accent" if inside else "muted"]
            below, above = y - 100 * answers.low, 100 * answers.high - y
            axes.errorbar(
                x,
                y,
                yerr=[[max(below, 0)], [max(above, 0)]],
                fmt="none",
                ecolor=colour,
                elinewidth=1.4,
                alpha=0.55,
                zorder=1,
            )
            area = 30 + 420 * (row.figures["size_bytes"] or 1) / largest
            axes.scatter(
                [x],
                [y],
                s=area,
                color=COLOURS["accent" if inside else "soft"],
                alpha=0.55 if inside else 0.9,
                edgecolors=colour,
                linewidths=1.2,
                linestyle="-" if timing.verdict.valid and row.failure is None else "--",
                zorder=2,
            )
            places.append((x, y, area))
        _few_ticks(axes.xaxis, [x for x, _, _ in places])
        axes.set_xlabel(f"p50 of a query at batch {batch}, µs (logarithmic)")
        axes.set_ylabel("accuracy, %, with 95 % interval")
        axes.margins(x=0.12, y=0.08)
        canvas.draw_without_rendering()
        _number_discs(axes, [number for number, *_ in shown], places)
    return drawn


def _number_discs(
    axes: Any, numbers: Sequence[int], places: Sequence[tuple[float, float, float]]
) -> None:
    """Write the numbers of the rows beside their discs, one text for discs that overlap."""
    points = axes.transData.transform([(x, y) for x, y, _ in places]) * 72 / axes.figure.dpi
    left = list(range(len(numbers)))
    while left:
        first = left[0]
        near = [one for one in left if np.hypot(*(points[one] - points[first])) < _CLOSE]
        left = [one for one in left if one not in near]
        radius = max(np.sqrt(places[one][2] / np.pi) for one in near)
        text = _label([numbers[one] for one in near])
        right = points[first][0] > WIDTH - 70
        axes.annotate(
            text,
            places[first][:2],
            xytext=(-(radius + 3) if right else radius + 3, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontweight="bold",
        )


def latency_chart(document: Document, samples: Samples, batch: int) -> Drawing | None:
    """Draw every query of every configuration at a batch size; None without raw samples."""
    shown = [
        (row, samples[row.name][batch])
        for row in document.own
        if batch in samples.get(row.name, {}) and row.at(batch)
    ]
    if not shown:
        return None
    told = []
    for row, _ in shown:
        timing = row.at(batch)
        if timing:
            p50, p99 = (figure(name, timing.figures[name]) for name in ("p50_us", "p99_us"))
            told.append(f"{plain(row.name)}: p50 {p50}, p99 {p99}")
    drawn = Drawing(
        name=f"latency-{batch}",
        title=f"Latency of every query at batch {batch}",
        text=f"One strip a configuration, microseconds on a logarithmic axis. {'; '.join(told)}.",
    )
    low = min(float(np.min(queries[queries > 0])) for _, queries in shown if (queries > 0).any())
    high = max(float(queries.max()) for _, queries in shown)
    reach = (high / low) ** 0.09 * 1.02  # room for the names of the outer percentiles
    edges = np.geomspace(low / 1.01, high * 1.01, _BINS + 1)
    with drawing(drawn, WIDTH, 50 + 48 * len(shown)) as canvas:
        axes = canvas.subplots()
        axes.set_xscale("log")
        for place, (row, queries) in enumerate(shown):
            timing = row.at(batch)
            figures = timing.figures if timing else {}
            _strip(axes, -place, queries, edges)
            for name in ("p50_us", "p90_us", "p99_us"):
                _mark(axes, -place, figures.get(name), name[:3], max(queries.min(), low))
            name_row(axes, row, -place + 0.68)
        axes.set_ylim(-len(shown) + 0.84, 0.92)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlim(low / reach, high * reach)
        _few_ticks(axes.xaxis, [low, high])
        axes.set_xlabel("a query, µs (logarithmic)")
    return drawn


def undrawn(document: Document, samples: Samples) -> list[str]:
    """Return the rows of which a batch size is in no latency chart, since samples are missing."""
    return [
        plain(row.name)
        for row in document.own
        if any(timing.batch not in samples.get(row.name, {}) for timing in row.timings)
    ]


def _strip(axes: Any, base: float, queries: NDArray[np.float64], edges: NDArray[Any]) -> None:
    """Draw how many queries took how long, on a logarithmic height: single ones are seen, too."""
    counts = np.histogram(np.clip(queries, edges[0], edges[-1]), edges)[0]
    height = 0.5 * np.log1p(counts) / np.log1p(counts.max())
    axes.stairs(base + height, edges, baseline=base, fill=True, color=COLOURS["accent"], alpha=0.5)
    axes.axhline(base, color=COLOURS["line"], linewidth=0.8)


def _mark(axes: Any, base: float, value: float | None, text: str, start: float) -> None:
    """Draw one percentile; the outer two are named, and the third lies between them.

    Args:
        axes: Where.
        base: Height of the strip.
        value: Microseconds, or None.
        text: The percentile.
        start: The fastest query, before which there is room for a name.
    """
    if value is None:
        return
    axes.plot([value] * 2, [base - 0.06, base + 0.5], color=COLOURS["ink"], linewidth=1)
    if text == "p90":
        return
    left = text == "p50"
    axes.annotate(
        text,
        (start if left else value, base + 0.5),
        xytext=(-2 if left else 2, 0),
        textcoords="offset points",
        fontsize=8.5,
        ha="right" if left else "left",
        va="top",
        color=COLOURS["muted"],
    )


def throughput_chart(document: Document) -> Drawing | None:
    """Draw images a second over batch sizes; None where there is only one."""
    if len(document.batches) < 2:
        return None
    drawn = Drawing(
        name="throughput",
        title="Images a second over batch sizes",
        text="One line a configuration, both axes logarithmic. The table has the numbers.",
    )
    ends = []
    with drawing(drawn, WIDTH, 250) as canvas:
        axes = canvas.subplots()
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        for place, row in enumerate(document.own):
            points = [(one.batch, one.figures["images_per_s"] or 1.0) for one in row.timings]
            if not points:
                continue
            axes.plot(
                *zip(*points, strict=True),
                color=COLOURS[f"series-{place % SERIES}"],
                linestyle=_LINES[place // SERIES % len(_LINES)],
                marker=_MARKERS[place % len(_MARKERS)],
                markersize=4.5,
                linewidth=1.6,
            )
            ends.append((place, *points[-1]))
        axes.set_xticks(document.batches, [str(batch) for batch in document.batches])
        axes.minorticks_off()
        _few_ticks(axes.yaxis, [y for line in axes.lines for y in line.get_ydata()])
        axes.set_xlabel("pictures a query (batch)")
        axes.set_ylabel("images/s")
        axes.margins(x=0.1)
        canvas.draw_without_rendering()
        _number_ends(axes, ends)
    return drawn


def _number_ends(axes: Any, ends: Sequence[tuple[int, float, float]]) -> None:
    left = sorted(ends, key=lambda end: end[2])
    while left:
        points = axes.transData.transform([end[1:] for end in left]) * 72 / axes.figure.dpi
        near = [
            end
            for end, point in zip(left, points, strict=True)
            if np.hypot(*(point - points[0])) < _CLOSE
        ]
        left = [end for end in left if end not in near]
        axes.annotate(
            _label([place + 1 for place, *_ in sorted(near)]),
            near[len(near) // 2][1:],
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
        )


def _label(numbers: Sequence[int]) -> str:
    """Return the numbers of rows that lie on each other; of many the first."""
    shown = ", ".join(map(str, numbers[:_MOST_IN_A_LABEL]))
    return shown if len(numbers) <= _MOST_IN_A_LABEL else f"{shown} …"


def _few_ticks(axis: Any, values: Sequence[float]) -> None:
    """Label a logarithmic axis at 1, 2, 5 of every decade, or at decades where it is long."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    decades = np.log10(max(values) / min(values)) if min(values) > 0 else 1.0
    near, far = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), (1.0, 2.0, 5.0)
    subs = near if decades < 0.6 else far if decades < 2 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
