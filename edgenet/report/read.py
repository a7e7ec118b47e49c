"""A benchmark's ``result.json``, read whole or refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from edgenet.errors import CorruptFile, UsageError
from edgenet.report.document import (
    INVALID,
    NOT_JUDGED,
    OWN_CLOCK,
    VALID,
    Answers,
    Document,
    Failed,
    Judged,
    Row,
    Timing,
)
from edgenet.report.format import UNITS

SCHEMA = "edgenet.bench/"
NEWEST_SCHEMA = 2
"""Fields may be added within a number; one that is removed or means another thing raises it."""
RESULT_NAME = "result.json"
_SHOWN_APART = ("accuracy", "failure", "end_to_end", "offline", "verdict", "versions", "options")


def read_document(folder: Path) -> Document:
    """Read the results in a folder.

    Raises:
        UsageError: There are none, or they were written by a newer version.
        CorruptFile: They cannot be understood.
    """
    file = folder / RESULT_NAME
    try:
        content = json.loads(file.read_text("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"{file} is not valid JSON: {error}") from error
    return document_of(content, str(file))


def document_of(content: Any, place: str = "the result") -> Document:
    """Take plain JSON values apart.

    Args:
        content: As ``result.json`` has it; ``arguments`` and ``processes`` may be absent.
        place: Where it comes from, for messages.

    Raises:
        UsageError: It was written by a newer version, or is the result of another verb.
        CorruptFile: It is not what it claims to be.
    """
    schema = content.get("schema") if isinstance(content, dict) else None
    number = str(schema).removeprefix(SCHEMA)
    if schema == number or not number.isdecimal():
        raise UsageError(f"{place} is no result of edgenet bench: its schema is {schema!r}")
    if int(number) > NEWEST_SCHEMA:
        message = f"{place} has the schema {schema}; this edgenet knows {SCHEMA}{NEWEST_SCHEMA}"
        raise UsageError(message, "render it with the edgenet that wrote it, or a newer one")
    try:
        return Document(
            rows=tuple(map(_row, _list(content["rows"]))),
            complete=content["complete"] is True,
            environment=_object(content["environment"]),
            arguments=_object(content.get("arguments", {})),
            processes=tuple(map(_object, _list(content.get("processes", [])))),
            not_measured=_texts(content.get("not_measured", {})),
            schema=str(schema),
        )
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CorruptFile(f"{place} is not whole: {missing}") from error


def _row(content: Any) -> Row:
    row = _object(content)
    timed_by = str(row.get("timed_by", OWN_CLOCK))
    timings = _list(row["latency"] if timed_by == OWN_CLOCK else row["external"])
    facts = ("bundle", "model", "format", "precision", "runtime", "device", "model_sha256")
    told = row.get("end_to_end")
    figures = {**_figures(row), **_nested(row), "size_bytes": int(row["size_bytes"])}
    for name in ("threads", "processes", "size_bytes"):
        if (figures[name] or 0) < 0:
            raise ValueError(f"{name} is {figures[name]}")
    return Row(
        name=str(row["name"]),
        facts={name: str(row[name]) for name in facts},
        versions=_texts(row["versions"]),
        options=_texts(row.get("options", {})),
        figures=figures,
        reasons=_reasons(row),
        timings=tuple(sorted(map(_timing, timings), key=lambda timing: timing.batch)),
        timed_by=timed_by,
        accuracy=None if row["accuracy"] is None else _answers(_object(row["accuracy"])),
        end_to_end=None if told is None else _timing(told),
        cores=tuple(int(core) for core in _list(row.get("cores") or [])),
        energy_sensors=tuple(map(str, _list(row.get("energy_sensors") or []))),
        skipped=tuple(map(str, _list(row["skipped"]))),
        failure=None if row["failure"] is None else _failed(_object(row["failure"])),
    )


def _timing(content: Any) -> Timing:
    timing = _object(content)
    figures = _figures(timing)
    for name in ("batch", "n", "p50_us", "images_per_s"):
        if not (figures[name] or 0) > 0:
            raise ValueError(f"{name} is {figures[name]}")
    medians = tuple(float(value) for value in _list(timing["process_p50_us"]))
    if not medians or not all(0 < median < math.inf for median in medians):
        raise ValueError(f"batch {timing['batch']} has no medians of its processes")
    notes = [f"{timing.get('timed_by')} warns: {one}" for one in _list(timing.get("warnings", []))]
    if timing.get("steady") is False:
        notes.append("not steady after the warm-up")
    if timing.get("agrees") is False:
        notes.append(f"{timing.get('timed_by')} printed another median than it wrote")
    verdict = timing.get("verdict")
    return Timing(
        batch=int(timing["batch"]),
        figures=figures,
        process_p50_us=medians,
        verdict=NOT_JUDGED if verdict is None else _judged(_object(verdict)),
        reasons={**_reasons(timing), **_texts(timing.get("withheld", {}))},
        intervals={
            str(name): (_finite(low), _finite(high))
            for name, (low, high) in _object(timing.get("intervals", {})).items()
        },
        notes=tuple(notes),
        command=tuple(map(str, _list(timing.get("command", [])))),
    )


def _judged(verdict: Mapping[str, Any]) -> Judged:
    word = verdict["verdict"]
    if word not in (VALID, INVALID):
        raise ValueError(f"{word!r} is no verdict")
    reasons = map(_object, _list(verdict["reasons"]))
    return Judged(
        word=word, reasons=tuple((str(one["code"]), str(one["detail"])) for one in reasons)
    )


def _answers(accuracy: Mapping[str, Any]) -> Answers:
    confusion = accuracy.get("confusion")
    labels = accuracy.get("labels")
    counts = None
    if confusion is not None:
        counts = tuple(tuple(int(count) for count in _list(line)) for line in _list(confusion))
        if any(len(line) != len(counts) for line in counts) or min(map(min, counts)) < 0:
            raise ValueError("the confusion is no square of counts")
    names = None if labels is None else tuple(map(str, _list(labels)))
    if names is not None and counts is not None and len(names) != len(counts):
        raise ValueError(f"{len(names)} labels for {len(counts)} classes")
    return Answers(
        correct=int(accuracy["correct"]),
        n=int(accuracy["n"]),
        accuracy=_finite(accuracy["accuracy"]),
        low=_finite(accuracy["low"]),
        high=_finite(accuracy["high"]),
        digest=str(accuracy["digest"]),
        not_finite=int(accuracy.get("not_finite", 0)),
        confusion=counts,
        labels=names,
        change=_figures(_object(accuracy.get("parent") or {})),
        change_reason=_reasons(accuracy).get("parent"),
    )


def _failed(failure: Mapping[str, Any]) -> Failed:
    return Failed(
        ending=str(failure["ending"]),
        reason=str(failure["reason"]),
        hint=None if failure.get("hint") is None else str(failure["hint"]),
        processes=int(failure["processes"]),
    )


def _figures(content: Mapping[str, Any]) -> dict[str, float | None]:
    """Return all plain numbers by name, and None for what has a unit and no number.

    Raises:
        ValueError: One is not finite.
    """
    found = {
        name: value
        for name, value in content.items()
        if (isinstance(value, int | float) and not isinstance(value, bool))
        or (value is None and name.endswith(UNITS))
    }
    for name, value in found.items():
        if value is not None and not math.isfinite(value):  # such as 1e999
            raise ValueError(f"{name} is {value}")
    return found


def _nested(content: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the numbers of objects that no table of ours is about, such as of a sensor."""
    return {
        f"{outer}_{name}": value
        for outer, inner in content.items()
        if isinstance(inner, dict) and outer not in _SHOWN_APART
        for name, value in _figures(inner).items()
    }


def _reasons(content: Mapping[str, Any]) -> dict[str, str]:
    """Return why fields are null, by their names."""
    return {
        name.removesuffix("_reason"): value
        for name, value in content.items()
        if name.endswith("_reason") and isinstance(value, str)
    }


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no figure")
    return number


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is no object")
    return value


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{str(value)[:40]!r} is no list")
    return value


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in _object(value).items()}


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
