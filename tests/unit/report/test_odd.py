"""Results that lack what others have: failures alone, one process, a fixed batch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edgenet.cli.app import main
from edgenet.report.write import Written, write_report
from tests.pages import Page, markdown_tables
from tests.results import EMPTY, accuracy, end_to_end, external, latency, queries, row, write

TIMED = latency(queries(0, 600, 30), 1)
CRASH = {"ending": "crash", "code": "failed", "reason": "SIGSEGV", "hint": None, "processes": 2}
NOTHING = dict.fromkeys((*EMPTY, "baseline_pss_mib", "pss_mib"))
NO_CLOCKS = dict.fromkeys(
    ("timer_resolution_ns", "bind_overhead_ns", "execute_overhead_ns", "fetch_overhead_ns")
)
LOST = {"power_w": 5.25, "idle_w": 5.5, "energy_reason": "not to be told from idle"}
ODD: dict[str, list[dict[str, Any]]] = {
    "failed rows alone": [row("a", processes=0, failure=CRASH, **NOTHING, **NO_CLOCKS)],
    "no memory of an empty runtime": [row("a", latency=[TIMED], baseline_mib=None)],
    "no common clock": [row("a", latency=[TIMED], process_to_first_ms=None, process_ms=None)],
    "no batch size that the bundle takes": [
        row("a", skipped=["batch 8: it takes 1"], accuracy=accuracy([[5, 1], [0, 4]], ["x", "y"]))
    ],
    "energy that noise hides": [row("a", latency=[TIMED], **LOST)],
    "another clock alone": [row("a", timed_by="trtexec", external=[external()], **NOTHING)],
    "another clock that failed": [row("a", timed_by="trtexec", failure=CRASH, **NOTHING)],
    "no row": [],
}


def _written(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Written:
    return write_report(write(folder, rows, **changes))


@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
def test_the_page_has_every_table_of_the_markdown(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """A figure without a chart is still a figure, and no heading stands above nothing."""
    written = _written(tmp_path, rows)
    page, text = Page(written.html.read_text("utf-8")), written.markdown.read_text("utf-8")
    for caption, table in markdown_tables(text).items():
        assert page.tables[caption] == table
    assert not re.findall(r"^#+ .*\n+(?=#)", text, re.MULTILINE)
    assert [table.caption for table in page.tables.values() if not table.rows] in ([], ["Files"])


def test_figures_that_no_chart_takes_are_in_the_page(tmp_path: Path) -> None:
    """Peak memory where nothing is known of an empty runtime, parts of a start without its end."""
    one = row("a", latency=[TIMED], baseline_mib=None, process_to_first_ms=None, **LOST)
    page = Page(_written(tmp_path, [one]).html.read_text("utf-8"))
    memory = page.tables["Memory of a process, medians over processes"]
    assert memory.column("peak MiB") == ["62.8"]
    start = page.tables["From the start of a process to its first answer"]
    assert start.column("load ms") == ["29.2"]
    [energy] = [table for name, table in page.tables.items() if name.startswith("Energy")]
    assert (energy.column("power W"), energy.column("idle W")) == (["5.25"], ["5.50"])
    assert energy.column("note") == ["not to be told from idle"]


def test_one_process_says_nothing_of_how_far_processes_are_apart(tmp_path: Path) -> None:
    """0.0 % would look like the best of repeatability."""
    timing = {**TIMED, "process_p50_us": [30.0], "spread": 0.0}
    written = _written(tmp_path, [row("a", processes=1, latency=[timing])])
    page, text = Page(written.html.read_text("utf-8")), written.markdown.read_text("utf-8")
    caption = "Latency of a query; bind, execute and fetch are medians"
    assert "processes apart" not in page.tables[caption].headings
    assert "1 measurement: 1 VALID." in page.text
    assert "  - batch 1: 600 queries in 1 process; p50" in text


def test_the_markdown_has_the_conditions_of_each_row(tmp_path: Path) -> None:
    """A figure in a pull request has its device, threads, versions and options beside it."""
    one = row("a", latency=[TIMED], threads=2, options={"exact": "true"}, device="cuda:1")
    text = _written(tmp_path, [one]).markdown.read_text("utf-8")
    assert "- a: net, onnxruntime 1.20.0, cuda:1, threads 2, exact=true\n" in text


def test_an_interrupted_measurement_is_told_on_the_terminal_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the processes look like all of them in a table."""
    write(tmp_path / "bench", [row("a", latency=[TIMED])], complete=False)
    assert main(["report", str(tmp_path / "bench"), "--quiet"]) == 0
    assert "warning: interrupted: not every process was run" in capsys.readouterr().err


def test_a_row_whose_samples_are_gone_is_named_where_others_are_drawn(tmp_path: Path) -> None:
    """A chart without it would look whole."""
    from tests.whole_results import write_all

    folder = write_all(tmp_path / "bench")
    (folder / "processes" / "onnx-fp16-onnxruntime-1" / "latency-b64.npy").unlink()
    page = Page(write_report(folder).html.read_text("utf-8"))
    assert "not all is drawn of onnx-fp16-onnxruntime." in page.text


def test_a_long_name_is_broken_into_lines(tmp_path: Path) -> None:
    """In one line it would lie over all figures of a table that scrolls."""
    rows = [row(name, latency=[TIMED]) for name in ("short", "very-long-name-" * 20)]
    page = Page(_written(tmp_path, rows).html.read_text("utf-8"))
    heads = [one.attributes for one in page.all("th") if one.attributes["scope"] == "row"]
    assert {"scope": "row", "class": "long"} in heads
    assert {"scope": "row"} in heads


def test_the_spreadsheet_has_both_ends_of_an_interval(tmp_path: Path) -> None:
    """Unrounded, beside the figure; and a field's name is no formula either."""
    one = row("a", latency=[TIMED], end_to_end=end_to_end(queries(1, 600, 30)), **{"=1+1": 5})
    head, first, _ = _written(tmp_path, [one]).csv.read_text("utf-8").splitlines()
    columns = dict(zip(head.split(","), first.split(","), strict=True))
    assert [float(columns[f"p50_us_{end}"]) for end in ("low", "high")] == TIMED["intervals"][
        "p50_us"
    ]
    assert columns["'=1+1"] == "5"


def test_a_comparison_says_once_why_accuracies_are_not_compared_and_whose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each reason; whose it is, where it is not that of all."""
    answers = accuracy(None, None)
    rows = [
        row("a", precision="fp32", latency=[TIMED], accuracy=answers),
        row("b", precision="int8", latency=[TIMED]),
        row("c", precision="fp16", latency=[TIMED]),
    ]
    write(tmp_path / "bench", rows)
    assert main(["compare", str(tmp_path / "bench"), str(tmp_path / "bench")]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "accuracy" in line]
    assert len(told) == 2
    assert told[1] == "accuracy is not compared (b, c): A has no accuracy"
