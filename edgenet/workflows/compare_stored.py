"""A result of ``bench`` on disk: its rows, and what still lies beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.bench.answer import load_array
from edgenet.bench.compare_answers import Answered, paired_answers
from edgenet.bench.comparison import Side, machine_of
from edgenet.errors import CorruptFile
from edgenet.files import cache_root
from edgenet.report.document import Document, Row, Timing
from edgenet.report.read import RESULT_NAME, read_document
from edgenet.statistics import quantile
from edgenet.verify.gate import PairedComparison

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_NS_PER_US = 1e3
# What taking apart nonsense can raise.
_NOT_AS_PROMISED = (AttributeError, EOFError, LookupError, OSError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A result on disk.

    Attributes:
        source: As it was named.
        folder: That it lies in, with the raw samples if they are still there.
        document: What it says.
    """

    source: str
    folder: Path
    document: Document

    @property
    def machine(self) -> str:
        """What it was measured on."""
        host = self.document.environment.get("host")
        return machine_of(host if isinstance(host, Mapping) else {})

    @property
    def cards(self) -> tuple[str, ...]:
        """The graphics cards of that machine; empty where it has none, or nobody told."""
        host = self.document.environment.get("host")
        found = host.get("gpus") if isinstance(host, Mapping) else None
        return tuple(map(str, found)) if isinstance(found, list) else ()


def stored(source: str | Path) -> Stored | None:
    """Open a result by its folder or its file; None where the source is no result.

    Raises:
        UsageError: It is another verb's, or a newer version's.
        CorruptFile: It cannot be understood.
    """
    path = Path(source)
    folder = path.parent if path.name == RESULT_NAME else path
    if not (folder / RESULT_NAME).is_file():
        return None
    return Stored(source=str(source), folder=folder, document=read_document(folder))


def p90_of(result: Stored, row: Row, timing: Timing) -> tuple[float, ...]:
    """Return the p90 of each process, from the raw samples; nothing where one is missing."""
    try:
        found = tuple(
            quantile(load_array(place, event["samples"])[1].sum(axis=1), 0.9) / _NS_PER_US
            for place, events in _processes(result, row)
            for event in events
            if event.get("event") == "latency" and event.get("batch") == timing.batch
        )
    except _NOT_AS_PROMISED:
        return ()
    whole = row.timed_by_us and len(found) == len(timing.process_p50_us)
    return found if whole and are_times(found) else ()


def are_times(values: Sequence[float]) -> bool:
    """Tell whether there are any, and all of them are finite and above 0."""
    return bool(values) and all(0 < value < math.inf for value in values)


def _processes(result: Stored, row: Row) -> Iterator[tuple[Path, Sequence[Mapping[str, Any]]]]:
    """Yield folder and events of each process of a row that finished."""
    for process in result.document.processes:
        if process.get("configuration") == row.name and process.get("ending") == "finished":
            place = (result.folder / str(process.get("folder"))).resolve()
            events = process.get("events")
            if place.is_relative_to(result.folder.resolve()) and isinstance(events, list):
                yield place, [event for event in events if isinstance(event, Mapping)]


def paired(a: Stored, b: Stored, one: Row, other: Row) -> PairedComparison | str:
    """Pair the answers of two rows, from what lies beside the results and in the cache."""
    if one.accuracy is None or other.accuracy is None:
        return f"{'A' if one.accuracy is None else 'B'} has no accuracy"
    digest = one.accuracy.digest
    if digest != other.accuracy.digest:
        return "the two were evaluated on different pictures"
    if not _DIGEST.match(digest):
        return "the evaluation set is not known"
    answered = (_answered(a, one), _answered(b, other))
    return paired_answers(*answered, cache_root() / "evaluation" / digest)


def _answered(result: Stored, row: Row) -> Answered | None:
    for place, events in _processes(result, row):
        for event in events:
            if event.get("event") == "accuracy":
                return Answered(folder=place, event=event)
    return None


def side_of(result: Stored, row: Row) -> Side:
    """Return what a row is, and its figures besides the times.

    Raises:
        CorruptFile: Its file has no length.
    """
    figures, accuracy = row.figures, row.accuracy
    if row.size_bytes <= 0:
        raise CorruptFile(f"{result.source}: {row.name} has a model file of no bytes")
    return Side(
        source=f"{result.source}: {row.name}",
        model=row.facts["model"],
        format=row.facts["format"],
        precision=row.facts["precision"],
        runtime=row.facts["runtime"],
        versions=row.versions,
        options=row.options,
        threads=int(figures.get("threads") or 0),
        device=row.facts["device"],
        machine=result.machine,
        timed_by=row.timed_by,
        model_sha256=row.facts["model_sha256"],
        size_bytes=int(row.size_bytes),
        peak_mib=figures.get("peak_mib"),
        baseline_mib=figures.get("baseline_mib"),
        correct=None if accuracy is None else accuracy.correct,
        pictures=None if accuracy is None else accuracy.n,
        name=row.name,
    )
