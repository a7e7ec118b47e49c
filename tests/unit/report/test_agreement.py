"""Terminal, JSON, page, Markdown and CSV show one figure each, to the last digit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

from edgenet.cli.app import main
from edgenet.report.write import Written
from tests.pages import Page, Shown, markdown_tables, terminal_tables

SUMMARY = "Every configuration; percentiles of a query at batch 1"
Read = Callable[[dict[str, Any]], float | None]


def _at(batch: int, name: str) -> Read:
    def read(row: dict[str, Any]) -> float | None:
        found = [one[name] for one in row["latency"] if one["batch"] == batch]
        return found[0] if found else None

    return read


# What a heading of the summary shows, and how: written down here a second time on purpose.
COLUMNS: dict[str, tuple[Read, Callable[[float], str]]] = {
    "accuracy": (lambda row: (row["accuracy"] or {}).get("accuracy"), lambda x: f"{100 * x:.2f} %"),
    "p50 µs": (_at(1, "p50_us"), lambda x: f"{x:,.1f}"),
    "p90 µs": (_at(1, "p90_us"), lambda x: f"{x:,.1f}"),
    "p99 µs": (_at(1, "p99_us"), lambda x: f"{x:,.1f}"),
    "images/s at 1": (_at(1, "images_per_s"), lambda x: f"{x:,.0f}"),
    "images/s at 64": (_at(64, "images_per_s"), lambda x: f"{x:,.0f}"),
    "on disk": (lambda row: row["size_bytes"], lambda x: f"{x / 1000:.1f} kB"),
    "load ms": (lambda row: row["load_ms"], lambda x: f"{x:,.1f}"),
    "first ms": (lambda row: row["first_inference_ms"], lambda x: f"{x:,.2f}"),
    "mJ a picture": (lambda row: row["energy_mj"], lambda x: f"{x:,.3f}"),
    "peak MiB": (lambda row: row["peak_mib"], lambda x: f"{x:,.1f}"),
    "empty MiB": (lambda row: row["baseline_mib"], lambda x: f"{x:,.1f}"),
}


@pytest.fixture(scope="module")
def markdown(written: Written) -> dict[str, Shown]:
    """Return the tables of the Markdown by caption."""
    return markdown_tables(written.markdown.read_text("utf-8"))


def test_terminal_json_page_and_markdown_show_the_same_figures(
    written: Written,
    page: Page,
    markdown: dict[str, Shown],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All four are parsed; the JSON's figures are rounded here, by the table above."""
    rows = json.loads((written.folder / "result.json").read_text("utf-8"))["rows"]
    own = [row for row in rows if row["timed_by"] == "edgenet"]
    assert main(["report", str(written.folder), "--quiet"]) == 0
    terminal = terminal_tables(capsys.readouterr().out)[0]
    shown = (terminal, page.tables[SUMMARY], markdown[SUMMARY])
    names = [row["name"] for row in own]
    assert [table.column("configuration") for table in shown] == [names] * 3
    for heading, (read, text) in COLUMNS.items():
        values = map(read, own)
        expected = ["–" if value is None else text(value) for value in values]
        assert [table.column(heading) for table in shown] == [expected] * 3, heading
    verdicts = ["VALID", "VALID", "INVALID at batch 64", "–"]
    assert [table.column("verdict") for table in shown] == [verdicts] * 3


def test_intervals_stand_beside_their_figures(page: Page, markdown: dict[str, Shown]) -> None:
    """Both ends as the figure itself is written."""
    caption = "Latency of a query; bind, execute and fetch are medians"
    for table in (page.tables[caption], markdown[caption]):
        for name, heading in (("p50 µs", "its 95 % interval"), ("p90 µs", "the p90's interval")):
            shown = zip(table.column(name), table.column(heading), strict=True)
            for figure, between in shown:
                low, high = (float(end.replace(",", "")) for end in between.split(" to "))
                assert low < float(figure.replace(",", "")) < high


def test_every_table_of_the_markdown_is_in_the_page_cell_by_cell(
    page: Page, markdown: dict[str, Shown]
) -> None:
    """One table object is behind both."""
    assert len(markdown) >= 14
    for caption, table in markdown.items():
        assert page.tables[caption] == table


def test_the_csv_has_the_figures_of_the_json_unrounded(written: Written) -> None:
    """A line for each configuration, scenario and batch size."""
    rows = json.loads((written.folder / "result.json").read_text("utf-8"))["rows"]
    with written.csv.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    expected = {
        (row["name"], scenario, timing["batch"]): (row, timing)
        for row in rows
        for scenario, timings in (
            ("latency", row["latency"] + row["external"]),
            ("end-to-end", [row["end_to_end"]] if row["end_to_end"] else []),
        )
        for timing in timings
    }
    measured = [line for line in lines if line["batch"]]
    assert len(measured) == len(expected) == 10
    for line in measured:
        row, timing = expected[line["configuration"], line["scenario"], int(line["batch"])]
        for name, value in {**row, **timing}.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert float(line[name]) == value, name
    [failed] = [line for line in lines if not line["batch"]]
    assert (failed["configuration"], failed["failure"]) == (
        "onnx-fp32-openvino",
        "it crashed: SIGSEGV",
    )


def test_the_bench_verb_prints_what_report_prints(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result that has just been measured, and the same read from its file."""
    from edgenet.cli import bench_view
    from edgenet.cli.console import Output

    class Result:
        path = written.folder
        page = None

        def to_json(self) -> Any:
            return json.loads((written.folder / "result.json").read_text("utf-8"))

    bench_view.bench(Output(), Result())  # type: ignore[arg-type]
    fresh = capsys.readouterr()
    assert main(["report", str(written.folder), "--quiet"]) == 0
    again = capsys.readouterr()
    assert terminal_tables(fresh.out) == terminal_tables(again.out)
    assert fresh.err == again.err
    assert "onnx-int8-onnxruntime: INVALID at batch 64 (other-load)" in fresh.err
