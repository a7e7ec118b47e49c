"""The tables of what a configuration takes: memory, energy, the way to an answer and to a class."""

from __future__ import annotations

from edgenet.report.document import Document, Row, Timing
from edgenet.report.format import figure, plain
from edgenet.report.table import Cell, Table, table

PERCENTILES = ("p50_us", "p90_us", "p95_us", "p99_us", "p999_us")
PERCENTILE_COLUMNS = (
    *(">p50 µs", ">its 95 % interval", ">p90 µs", ">the p90's interval"),
    *(">p95 µs", ">p99 µs", ">p99.9 µs"),
)
INTERVALS = ("p50_us", "p90_us")
"""The percentiles whose intervals are shown; the results have all."""

PARTS = {"bind": "bind_p50_us", "execute": "execute_p50_us", "fetch": "fetch_p50_us"}


def percentiles(timing: Timing) -> list[Cell]:
    """Return the cells of ``PERCENTILE_COLUMNS``."""
    cells: list[Cell] = []
    for name in PERCENTILES:
        cells.append(figure(name, timing.figures.get(name)))
        if name in INTERVALS:
            cells.append(interval(timing, name))
    return cells


def interval(timing: Timing, name: str) -> str | None:
    """Return both ends of a figure's 95 % interval; None where the result has none."""
    ends = timing.intervals.get(name)
    return ends and " to ".join(str(figure(name, end)) for end in ends)


def apart(timing: Timing) -> str | None:
    """Return how far the medians of its processes are apart; None with one, which cannot tell."""
    several = len(timing.process_p50_us) > 1
    return figure("spread", timing.figures.get("spread")) if several else None


def memory(document: Document) -> Table:
    """Return peak memory, what of it an empty runtime takes, and the rest; PSS; the GPU's."""
    rows = []
    for row in document.own:
        empty, peak = (row.figures.get(name) for name in ("baseline_mib", "peak_mib"))
        over = None if empty is None or peak is None else peak - empty
        texts = [figure("peak_mib", value) for value in (empty, over, peak)]
        further = ("baseline_pss_mib", "pss_mib", "gpu_mib")
        texts += [figure(name, row.figures.get(name)) for name in further]
        rows.append((plain(row.name), *texts))
    columns = (
        *("configuration", ">empty runtime MiB", ">over it MiB", ">peak MiB"),
        *(">empty runtime PSS MiB", ">PSS MiB", ">GPU MiB"),
    )
    return table("Memory of a process, medians over processes", columns, rows)


def energy(document: Document) -> Table:
    """Return the energy of a picture and the power that it is from; no row where nothing told."""
    rows = [
        (
            plain(row.name),
            figure("batch", row.timings[0].figures["batch"]) if row.timings else None,
            *(figure(name, row.figures.get(name)) for name in ENERGY_FIGURES),
            plain(", ".join(row.energy_sensors)) or None,
            plain(row.reasons.get(ENERGY, "")) or None,
        )
        for row in document.own
        if any(row.figures.get(name) is not None for name in ENERGY_FIGURES)
    ]
    columns = (
        *("configuration", ">batch", ">mJ a picture", ">uncertainty mJ", ">power W", ">idle W"),
        *("counted by", "note"),
    )
    caption = (
        "Energy of a picture at the least batch size, idle power subtracted; medians over "
        "processes. Figures of different sensors are not comparable"
    )
    return table(caption, columns, rows)


ENERGY = "energy"
ENERGY_FIGURES = ("energy_mj", "energy_error_mj", "power_w", "idle_w")


def cold_start(document: Document) -> Table:
    """Return the parts of a cold start, in milliseconds."""
    rows = [
        (
            plain(row.name),
            *(figure(name, value) for name, value in cold_parts(row).items()),
            figure("process_to_first_ms", row.figures.get("process_to_first_ms")),
        )
        for row in document.own
    ]
    columns = ("configuration", *(f">{part} ms" for part in COLD_PARTS), ">all ms")
    return table("From the start of a process to its first answer", columns, rows)


COLD_PARTS = ("process", "import", "open", "load", "first inference", "other")


def cold_parts(row: Row) -> dict[str, float | None]:
    """Return the milliseconds of each of `COLD_PARTS`, by the figure's name.

    What is left of all is the last; where a result does not tell the process's own part, it is
    that. As the difference of medians it may fall below 0, and is None then.
    """
    names = ("process_ms", "import_ms", "open_ms", "load_ms", "first_inference_ms")
    parts = {name: row.figures.get(name) for name in names}
    everything = row.figures.get("process_to_first_ms")
    rest = None
    if everything is not None:
        rest = everything - sum(part for part in parts.values() if part is not None)
        rest = rest if rest >= 0 else None
    if parts["process_ms"] is None:
        return {**parts, "process_ms": rest, "other_ms": None}
    return {**parts, "other_ms": rest}


def end_to_end(document: Document) -> Table:
    """Return the way from an encoded picture to its class."""
    rows = [
        (
            plain(row.name),
            figure("n", timing.figures["n"]),
            *percentiles(timing),
            *(figure(name, timing.figures.get(name)) for name in STEPS.values()),
            apart(timing),
            figure("images_per_s", timing.figures["images_per_s"]),
            timing.verdict.word,
        )
        for row in document.own
        if (timing := row.end_to_end)
    ]
    columns = (
        *("configuration", ">queries", *PERCENTILE_COLUMNS),
        *(f">{step} µs" for step in STEPS),
        *(">processes apart", ">images/s", "verdict"),
    )
    return table("From an encoded picture to its class; the parts are medians", columns, rows)


STEPS = {step: f"{step}_p50_us" for step in ("decode", "resize", "infer", "argmax")}


def clocks(document: Document) -> Table:
    """Return how finely time was told, what the loop adds, and the cores."""
    names = ("timer_resolution_ns", *(f"{part}_overhead_ns" for part in PARTS))
    rows = [
        (
            plain(row.name),
            *(figure(name, row.figures.get(name)) for name in names),
            ", ".join(map(str, row.cores)) or None,
        )
        for row in document.own
    ]
    columns = (
        *("configuration", ">timer resolution ns"),
        *(f">{part} overhead ns" for part in PARTS),
        "pinned to cores",
    )
    return table("How time was taken", columns, rows)


def further(document: Document) -> Table:
    """Return the figures of the rows that no other table has."""
    names = dict.fromkeys(
        name for row in document.own for name in row.figures if name not in _TABLED
    )
    rows = [
        (plain(row.name), *(figure(name, row.figures.get(name)) for name in names))
        for row in document.own
    ]
    return table("Further figures", ("configuration", *(f">{plain(name)}" for name in names)), rows)


_TABLED = frozenset(
    {
        *("threads", "size_bytes", "processes"),
        *("import_ms", "load_ms", "first_inference_ms", "process_to_first_ms"),
        *("process_ms", "open_ms", "baseline_mib", "peak_mib", "gpu_mib"),
        *("baseline_pss_mib", "pss_mib", *ENERGY_FIGURES),
        *("timer_resolution_ns", *(f"{part}_overhead_ns" for part in PARTS)),
    }
)
