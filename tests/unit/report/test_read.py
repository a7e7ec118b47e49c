"""A result is read whole or refused with the place of the damage."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.bench.figures import Accuracy, Change, EndToEnd, Failure, Latency
from edgenet.bench.row import Row
from edgenet.bench.verdict import Reason, Verdict
from edgenet.errors import CorruptFile, UsageError
from edgenet.report import costs, missing, tables
from edgenet.report.document import Document
from edgenet.report.read import document_of, read_document
from edgenet.report.samples import read_samples
from tests.results import latency, queries, row, write
from tests.whole_results import write_all

Damage = Callable[[dict[str, Any]], Any]


def _npy(values: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


# A head of 14 digits, and of as many bytes as before.
_ONE = _npy(np.zeros((1, 3), np.int64))
_PROMISE = _ONE.replace(b"(1, 3)", b"(99999999999999, 3)").replace(b" " * 13, b"", 1)


def _set(path: str, value: Any) -> Damage:
    """Return a change of the place that a path names, such as ``rows.0.name``."""

    def change(content: dict[str, Any]) -> None:
        *outer, last = [int(word) if word.isdecimal() else word for word in path.split(".")]
        place: Any = content
        for word in outer:
            place = place[word]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content.pop("rows"), "'rows' is missing"),
        (lambda content: content["rows"][0].pop("precision"), "'precision' is missing"),
        (lambda content: content["rows"][0]["latency"][0].pop("p50_us"), "'p50_us' is missing"),
        (_set("rows", 3), "is no list"),
        (_set("rows.0", []), "is no object"),
        (_set("rows.0.latency.0.n", 0), "n is 0"),
        (_set("rows.0.latency.0.p50_us", -1.0), "p50_us is -1.0"),
        (_set("rows.0.latency.0.verdict", {"verdict": "FINE", "reasons": []}), "is no verdict"),
        (_set("rows.0.accuracy.confusion", [[1, 2]]), "no square"),
        (_set("rows.0.accuracy.confusion", [[1, 2], [3, -4]]), "no square"),
        (_set("rows.0.accuracy.labels", ["one"]), "1 labels for 10 classes"),
        (_set("rows.0.size_bytes", "many"), "invalid literal"),
        (_set("rows.0.size_bytes", 1e999), "is no number"),
        (_set("rows.0.threads", "two"), "'threads' is missing"),
        (_set("rows.0.size_bytes", -1), "size_bytes is -1"),
        (_set("rows.0.latency.0.process_p50_us", []), "no medians"),
        (_set("rows.0.accuracy.accuracy", "nan"), "no figure"),
        (_set("environment", None), "is no object"),
    ],
)
def test_damaged_results_are_refused(bench: Path, damage: Damage, said: str) -> None:
    """Half of a result is not a result."""
    file = bench / "result.json"
    content = json.loads(file.read_text("utf-8"))
    damage(content)
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(CorruptFile, match=said) as refused:
        read_document(bench)
    assert str(file) in refused.value.message


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + 400 * "0"], ids=lambda text: text[:6])
@pytest.mark.parametrize(
    "place", ["rows.0.peak_mib", "rows.0.size_bytes", "rows.0.latency.0.p99_us", "rows.0.threads"]
)
def test_a_number_beyond_all_numbers_is_damage(tmp_path: Path, place: str, number: str) -> None:
    """JSON has no word for infinity, and 1e999 is one all the same."""
    content = _content(row("a", latency=[latency(queries(0, 70, 30), 1)]))
    _set(place, "HERE")(content)
    text = json.dumps(content).replace('"HERE"', number)
    (tmp_path / "result.json").write_text(text, "utf-8")
    with pytest.raises(CorruptFile, match="is not whole"):
        read_document(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"schema": "edgenet.bench/2", "rows": NaN}']
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    """A write that was cut short, and what a parser should not swallow."""
    (tmp_path / "result.json").write_text(text, "utf-8")
    with pytest.raises(CorruptFile, match="not valid JSON"):
        read_document(tmp_path)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("edgenet.bench/3", "this edgenet knows edgenet.bench/2"),
        ("edgenet.eval/1", "no result of edgenet bench"),
        ("edgenet.bench/new", "no result of edgenet bench"),
        (None, "no result of edgenet bench"),
    ],
)
def test_another_schema_is_no_damage(tmp_path: Path, schema: str | None, said: str) -> None:
    """A newer version's results are not guessed at."""
    with pytest.raises(UsageError, match=said):
        read_document(write(tmp_path, [], schema=schema))


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(UsageError, match=r"cannot read .*result\.json"):
        read_document(tmp_path)


def test_fields_that_are_not_known_are_shown_if_they_are_figures() -> None:
    """A sensor that a later version reads is no reason to hide its figure, or to refuse it."""
    sensor = {"per_inference_mj": 1.25, "source": "made up"}
    content = _content(row("one", water=sensor, noise_w=3.5, colour="blue"))
    table = costs.further(document_of(content))
    assert table.headings == ("configuration", "noise_w", "water_per_inference_mj")
    assert table.rows == (("one", "3.50", "1.250"),)


def test_energy_has_its_figures_or_its_reason() -> None:
    """A sensor that counts a part of the machine says which; without one nothing is 0."""
    told = {"energy_mj": 0.25, "energy_error_mj": 0.01, "power_w": 5.0, "idle_w": 3.0}
    said = {"energy_sensors": ["VDD_CPU"], "energy_reason": "the memory is not in it"}
    document = document_of(_content(row("told", **told, **said), row("untold")))
    table = costs.energy(document)
    assert table.rows == (
        ("told", "0.250", "0.010", "5.00", "3.00", "VDD_CPU", "the memory is not in it"),
    )
    absent = [cells for cells in missing.missing(document).rows if "energy_mj" in str(cells[1])]
    assert absent == [
        (
            "no sensor: this machine shows neither RAPL nor a power monitor",
            "energy_error_mj; energy_mj; idle_w; power_w",
            "untold",
        )
    ]
    assert costs.energy(document_of(_content(row("untold")))).rows == ()


def test_what_bench_writes_today_is_known_field_by_field() -> None:
    """A figure that is added to a row must find its table."""
    document = _of_today()
    assert costs.further(document).headings == ("configuration",)
    [one] = document.rows
    shown = {figure for table in _tables(document) for cells in table.rows for figure in cells}
    for name in ("p50_us", "p90_us", "p95_us", "p99_us", "bind_p50_us", "gpu_p50_us"):
        assert f"{one.timings[0].figures[name]:,.1f}" in shown, name
    assert {"11.0", "12.0", "13.0", "14.0", "+0.50", "4.0 %", "INVALID"} <= shown
    numbers = {name for name in (each.name for each in fields(Latency)) if name.endswith("_us")}
    assert numbers - {"process_p50_us"} == set(one.timings[0].figures) - {
        *("batch", "n", "spread", "images_per_s"),
    }


def test_a_figure_that_was_withheld_has_its_reason() -> None:
    """`bench` says why for each quantile."""
    rows = missing.missing(_of_today()).rows
    assert (
        "too few queries: a p99.9 takes 6,636",
        "p999_us at batch 1 and end to end",
        "all",
    ) in rows


def test_the_samples_of_every_process_are_drawn_or_none(bench: Path) -> None:
    """A process without samples would make the others look like all."""
    document = read_document(bench)
    whole = read_samples(bench, document)
    assert len(whole["onnx-fp32-onnxruntime"][64]) == 600
    (bench / "processes" / "onnx-fp32-onnxruntime-1" / "latency-b64.npy").unlink()
    np.save(bench / "processes" / "onnx-fp16-onnxruntime-2" / "latency-b1.npy", np.zeros(5))
    left = read_samples(bench, document)
    assert 64 not in left.get("onnx-fp32-onnxruntime", {})
    assert 1 not in left.get("onnx-fp16-onnxruntime", {})
    assert set(left["onnx-int8-onnxruntime"]) == {1, 64}


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 the beginning of an archive",
        np.lib.format.magic(1, 0) + b"\x0a\x00{'descr': (",
        _npy(np.zeros((300, 3), np.int64)),
        _PROMISE,
    ],
    ids=["archive", "head", "zeros", "promise"],
)
def test_what_is_no_array_of_times_is_left_out_of_the_drawing(bench: Path, content: bytes) -> None:
    """A report of results whose samples are spoiled is still a report."""
    for number in (1, 2):
        place = bench / "processes" / f"onnx-fp32-onnxruntime-{number}"
        (place / "latency-b1.npy").write_bytes(content)
    left = read_samples(bench, read_document(bench))
    assert 1 not in left.get("onnx-fp32-onnxruntime", {})
    assert set(left["onnx-int8-onnxruntime"]) == {1, 64}


def test_samples_of_nobody_are_not_drawn(bench: Path) -> None:
    """A process that does not say what it measured."""
    content = json.loads((bench / "result.json").read_text("utf-8"))
    del content["processes"][0]["configuration"]
    (bench / "result.json").write_text(json.dumps(content), "utf-8")
    left = read_samples(bench, read_document(bench))
    assert "onnx-fp32-onnxruntime" not in left


@pytest.mark.parametrize("place", ["../outside", "/", "processes/../../outside"])
def test_samples_outside_of_the_folder_are_not_read(tmp_path: Path, place: str) -> None:
    """A result that names another folder names nobody's samples."""
    folder = write_all(tmp_path / "bench")
    (tmp_path / "outside").mkdir()
    np.save(tmp_path / "outside" / "latency-b1.npy", queries(0, 600, 34))
    event = {"event": "latency", "batch": 1, "samples": "latency-b1.npy"}
    one = {"configuration": "a", "folder": place, "ending": "finished", "events": [event]}
    write(folder, [row("a", latency=[latency(queries(0, 600, 34), 1)])], processes=[one])
    assert read_samples(folder, read_document(folder)) == {}


def _content(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "edgenet.bench/2", "rows": list(rows), "complete": True, "environment": {}}


def _tables(document: Document) -> tuple[Any, ...]:
    return (
        *(tables.summary(document), tables.latency(document), tables.accuracies(document)),
        *(costs.end_to_end(document), costs.memory(document), costs.cold_start(document)),
        costs.energy(document),
    )


def _of_today() -> Document:
    """Return the results of a row that `bench` made, with all that it can have."""
    tails = {"p50_us": 1.5, "p90_us": 2.5, "p95_us": 3.5, "p99_us": 4.5, "p999_us": None}
    doubt = Verdict(reasons=(Reason(code="drift", detail="seen"),))
    common: dict[str, Any] = {
        **tails,
        "withheld": {"p999_us": "70 queries; a p99.9 takes 6,636"},
        "batch": 1,
        "n": 70,
        "process_p50_us": (1.4, 1.6),
        "spread": 0.04,
        "images_per_s": 1000.0,
        "steady": True,
        "verdict": doubt,
    }
    timing = Latency(
        **common, bind_p50_us=0.1, execute_p50_us=1.3, fetch_p50_us=0.2, gpu_p50_us=0.7
    )
    steps: dict[str, Any] = dict(zip(costs.STEPS.values(), (11.0, 12.0, 13.0, 14.0), strict=True))
    answers = Accuracy(
        correct=9,
        n=10,
        accuracy=0.9,
        low=0.6,
        high=0.98,
        digest="d",
        not_finite=0,
        labels=("a", "b"),
        confusion=((5, 1), (0, 4)),
        parent=Change(gained=1, lost=0, differing=1, change=0.005, low=-0.1, high=0.2, p=1.0),
    )
    failure = Failure(ending="crash", code="failed", reason="it crashed", hint=None, processes=1)
    known: dict[str, Any] = {
        key: value
        for key, value in row("today").items()
        if key in {each.name for each in fields(Row)}
    }
    known.update(latency=(timing,), end_to_end=EndToEnd(**common, **steps, picture={}))
    known.update(accuracy=answers, failure=failure, external=(), skipped=(), gpu_mib=3.0)
    return document_of(_content(json.loads(json.dumps(Row(**known).to_json()))))
