"""Charts of odd results: one query, thirty configurations, none that can be drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.report import bars, charts
from edgenet.report.document import Document
from edgenet.report.read import document_of
from edgenet.report.write import Written, write_report
from tests.pages import Page
from tests.results import accuracy, latency, queries, row, write


def _document(*rows: dict[str, Any]) -> Document:
    content = {"schema": "edgenet.bench/2", "rows": rows, "complete": True, "environment": {}}
    return document_of(content)


def _words(markup: str) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", markup)


def test_all_queries_of_one_length_are_one_bar() -> None:
    """A clock of coarse steps gives every query the same time."""
    same = np.array([[0, 5000, 0]] * 3, np.int64)
    document = _document(row("one", latency=[latency(same, 1)]))
    drawn = charts.latency_chart(document, {"one": {1: np.full(3, 5.0)}}, 1)
    assert drawn is not None
    assert {"one", "p50", "p99"} <= set(_words(drawn.markup))
    assert drawn.text.endswith("one: p50 5.0, p99 5.0.")


def test_a_row_without_a_figure_is_left_out_of_a_chart_and_not_of_the_table() -> None:
    """A system that tells no memory still has the other bars."""
    document = _document(row("told"), row("untold", peak_mib=None))
    drawn = bars.memory_chart(document)
    assert drawn is not None
    assert "told" in _words(drawn.markup)
    assert "untold" not in _words(drawn.markup)


def test_what_cannot_be_drawn_is_no_chart() -> None:
    """Nothing was measured, or at one batch size alone."""
    nothing = _document(row("nothing", baseline_mib=None, process_to_first_ms=None))
    assert charts.pareto_chart(nothing) is None
    assert charts.latency_chart(nothing, {}, 1) is None
    assert charts.throughput_chart(nothing) is None
    assert bars.memory_chart(nothing) is None
    assert bars.energy_chart(nothing) is None
    assert bars.cold_start_chart(nothing) is None
    assert bars.end_to_end_chart(nothing) is None


def test_thirty_configurations_leave_room_for_the_chart() -> None:
    """Those that lie on each other share a label, and of many the first are named."""
    measured = latency(queries(0, 30, 30), 1)
    rows = [
        row(f"row {number}", latency=[measured], accuracy=accuracy(None, None))
        for number in range(30)
    ]
    apart = [latency(queries(1, 30, 90), batch) for batch in (1, 8)]
    rows.append(row("row 31", latency=apart, accuracy=accuracy(None, None)))
    for drawn in (charts.pareto_chart(_document(*rows)), charts.throughput_chart(_document(*rows))):
        assert drawn is not None
        assert {"1, 2, 3, 4 …", "31"} <= set(_words(drawn.markup))


def test_the_same_results_give_the_same_bytes(written: Written, tmp_path: Path) -> None:
    """A report under version control changes when its results do."""
    again = write_report(written.folder, output=tmp_path)
    assert again.html.read_bytes() == written.html.read_bytes()


@pytest.mark.parametrize("complete", [True, False])
def test_results_without_a_single_row_are_a_page(tmp_path: Path, complete: bool) -> None:
    """A measurement that was interrupted before its first process."""
    page = Page(write_report(write(tmp_path, [], complete=complete)).html.read_text("utf-8"))
    assert "Nothing was measured." in page.text
    assert ("It was interrupted" in page.text) is not complete
