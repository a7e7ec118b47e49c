"""The times of every query that ``trtexec --exportTimes`` writes, of TensorRT 8.0 to 11.

Read without trusting any of it: nothing here raises over content.

Source:
    ``exportJSONTrace`` and ``printPerformanceReport`` in ``samples/common/sampleReporting.cpp`` of
    github.com/NVIDIA/TensorRT at the tags of `edgenet.runner.trtexec`.
"""

import math
from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np

from edgenet.runner.fields import FieldError, parse_json

TIME_COLUMNS = ("enqueue", "h2d", "compute", "d2h", "latency")
"""Of the array of `Times`."""

_WARM_UP_NOT_WRITTEN_SINCE = (8, 5)
_MOST_ROWS = 5000000
_LONGEST_MS = 1e9  # eleven days


class Times(NamedTuple):
    """The queries that ``--exportTimes`` wrote, without those of the warm-up.

    Attributes:
        milliseconds: float64 [n, 5], the columns of `TIME_COLUMNS`; latency is the sum of the
            input's copy, the computing and the output's copy.
        warm_up_rows: How many rows of the warm-up there were; they are not in the array.
        missing: Why there is less than a whole file; None where all was read.
    """

    milliseconds: np.ndarray
    warm_up_rows: int
    missing: Optional[str]


def parse_times(raw: bytes, version: Optional[Sequence[int]], warm_up_ms: float = 200.0) -> Times:
    """Read the file of ``--exportTimes``.

    Up to 8.4 the rows of the warm-up are in it: those before the first that computes when the
    warm-up's time is over. That is how trtexec itself tells them.

    Args:
        raw: The file's content.
        version: Of TensorRT; None leaves all rows, and says so.
        warm_up_ms: What was asked for with ``--warmUp``.
    """
    try:
        rows = parse_json(raw)
    except FieldError as error:
        return Times(_no_times(), 0, "the file of times: {}".format(error))
    if not isinstance(rows, list) or len(rows) > _MOST_ROWS:
        return Times(_no_times(), 0, "the file of times holds no list of queries")
    warm = _warm_up_rows(rows, version, warm_up_ms)
    counted = rows[warm:]
    read = [_time_row(row) for row in counted]
    whole = [row for row in read if row is not None]
    missing = None
    if len(whole) < len(counted):
        missing = "{} of {} rows are no times".format(len(counted) - len(whole), len(counted))
    elif not whole:
        missing = "the file of times holds no query after the warm-up"
    elif version is None:
        missing = "TensorRT's version is not known: the warm-up may be among the times"
    times = np.array(whole, np.float64).reshape(-1, len(TIME_COLUMNS))
    return Times(times, warm, missing)


def _warm_up_rows(rows: Sequence[Any], version: Optional[Sequence[int]], warm_up_ms: float) -> int:
    """Count the rows before the first that computes after the warm-up's time."""
    if version is None or tuple(version) >= _WARM_UP_NOT_WRITTEN_SINCE:
        return 0
    for number, row in enumerate(rows):
        started = _number(row, "startComputeMs")
        if started is not None and started >= warm_up_ms:
            return number
    return len(rows)


def _time_row(row: Any) -> Optional[List[float]]:
    """Return the columns of one query, or None where the row has no such times."""
    started, ended = _number(row, "startEnqMs"), _number(row, "endEnqMs")
    parts = [_number(row, name) for name in ("h2dMs", "computeMs", "d2hMs", "latencyMs")]
    known = [part for part in parts if part is not None]
    if started is None or ended is None or ended < started or len(known) < len(parts):
        return None
    return [ended - started, *known]


def _number(row: Any, name: str) -> Optional[float]:
    value = row.get(name) if isinstance(row, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _LONGEST_MS else None


def _no_times() -> np.ndarray:
    return np.empty((0, len(TIME_COLUMNS)), np.float64)
