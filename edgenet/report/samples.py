"""The raw samples beside a ``result.json``: every query of every process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.bench.samples import load_array
from edgenet.report.document import Document

Samples = Mapping[str, Mapping[int, NDArray[np.float64]]]
"""By configuration and batch size, microseconds [n] of all processes."""

_Queries = tuple[int, NDArray[np.float64]]
_NS_PER_US = 1e3
# What taking apart nonsense can raise.
_NOT_AS_PROMISED = (AttributeError, LookupError, OSError, TypeError, ValueError)


def read_samples(folder: Path, document: Document) -> Samples:
    """Read what is still there of the samples; what is not, or is none, is left out.

    A figure is only left out of the drawing: those in the tables come from the result itself. A
    batch size is drawn with the queries of every process, or not at all.

    Args:
        folder: Of the results.
        document: What was read from it.
    """
    found: dict[str, dict[int, list[NDArray[np.float64]]]] = {}
    for process in document.processes:
        for batch, queries in _of_process(folder, process):
            of_configuration = found.setdefault(str(process.get("configuration")), {})
            of_configuration.setdefault(batch, []).append(queries)
    whole: dict[str, dict[int, NDArray[np.float64]]] = {}
    for row in document.own:
        for timing in row.timings:
            parts = found.get(row.name, {}).get(timing.batch, [])
            if sum(map(len, parts)) == timing.figures["n"]:
                whole.setdefault(row.name, {})[timing.batch] = np.concatenate(parts)
    return whole


def _of_process(folder: Path, process: Mapping[str, Any]) -> list[_Queries]:
    """Return batch sizes and queries of a process; nothing where they are no samples."""
    try:
        place = (folder / str(process["folder"])).resolve()
        if process["ending"] != "finished" or not place.is_relative_to(folder.resolve()):
            return []
        events = [event for event in process["events"] if event.get("event") == "latency"]
        return [(int(event["batch"]), _queries(place, event["samples"])) for event in events]
    except _NOT_AS_PROMISED:
        return []


def _queries(folder: Path, name: object) -> NDArray[np.float64]:
    plain, samples = load_array(folder, name)
    if samples.dtype != np.int64 or samples.ndim != 2 or samples.min() < 0 or not samples.any():
        raise ValueError(f"{plain} does not hold samples")
    return np.asarray(samples.astype(np.float64).sum(axis=1) / _NS_PER_US)
