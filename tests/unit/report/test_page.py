"""The page can be read by anyone: without a network, a script, eyes or a mouse."""

from __future__ import annotations

import re

import pytest

from edgenet.report.write import Written
from tests.pages import Page

CHARTS = (
    "pareto",
    "latency-1",
    "latency-64",
    "throughput",
    "end-to-end",
    "memory",
    "energy",
    "cold-start",
)


def test_nothing_is_asked_of_a_network_and_nothing_runs(page: Page, written: Written) -> None:
    """No address leads out of the file, and the policy would stop one that did."""
    html = written.html.read_text("utf-8")
    for element in page.elements:
        assert element.name not in ("script", "img", "iframe", "object", "embed", "form")
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:,"))
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    policies = [one.attributes.get("content") for one in page.all("meta")]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in policies


def test_every_table_has_a_caption_and_its_headings_say_what_they_head(page: Page) -> None:
    """What a screen reader tells of a cell."""
    assert len(page.all("table")) == len(page.all("caption"))
    for heading in page.all("th"):
        assert heading.attributes["scope"] == ("col" if "thead" in heading.path else "row")
    for table in page.tables.values():
        assert table.caption
        assert all(len(row) == len(table.headings) for row in table.rows)


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    """A region that scrolls sideways, and without a focus, is closed to whoever has no mouse."""
    regions = [one for one in page.all("div") if one.attributes.get("class") == "scroll"]
    assert len(regions) == len(page.all("table"))
    for region in regions:
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["aria-label"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_name_and_says_what_is_seen(page: Page, name: str) -> None:
    """The table below has the numbers; the description says which one."""
    [svg] = [one for one in page.all("svg") if one.attributes["aria-labelledby"] == f"{name}-title"]
    assert svg.attributes["role"] == "img"
    assert svg.attributes["viewbox"].startswith("0 0 372 ")
    ids = {one.attributes.get("id"): one.name for one in page.elements}
    assert ids[svg.attributes["aria-labelledby"]] == "title"
    assert ids[svg.attributes["aria-describedby"]] == "desc"


def test_ids_are_unique_and_every_reference_leads_to_one(page: Page) -> None:
    """Charts come from one library that gives all of them the same ids."""
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    references = [
        found
        for one in page.elements
        for name, value in one.attributes.items()
        for found in (
            [value[1:]]
            if name in ("href", "xlink:href") and value.startswith("#")
            else re.findall(r"url\(#([^)]*)\)", value)
        )
    ]
    assert len(references) > 50
    assert set(references) <= set(ids)


def test_charts_have_no_colour_and_no_font_of_their_own(page: Page) -> None:
    """Those of the page are light or dark as the reader's system is."""
    drawn = [one for one in page.elements if "svg" in one.path]
    styles = [one.attributes["style"] for one in drawn if one.attributes.get("style")]
    assert len(styles) > 100
    for style in styles:
        assert "font-family" not in style
        for colour in re.findall(r"(?:fill|stroke): ([^;]+)", style):
            assert colour == "none" or re.fullmatch(r"var\(--[a-z0-9-]+\)", colour), style
    # A text without a colour would be black.
    texts = [one for one in drawn if one.name == "text"]
    assert texts
    assert all("fill: var(--" in one.attributes["style"] for one in texts)
    assert not [one for one in drawn if one.name == "style"]


def test_every_colour_has_a_light_and_a_dark_form(written: Written) -> None:
    """A variable that only one of both sets would be lost on the other."""
    html = written.html.read_text("utf-8")
    light, dark = re.findall(r":root \{(?: *\n)?[^}]*?(--[^}]*)\}", html)[:2]
    names = [set(re.findall(r"(--[a-z0-9-]+):", block)) for block in (light, dark)]
    assert names[0] == names[1]
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", html)) - {"--share", "--swatch"} <= names[0]


def test_every_section_is_there_and_linked(page: Page) -> None:
    """The order is that of what a reader wants to know."""
    sections = [one.attributes["id"] for one in page.all("section")]
    assert sections == [
        *("best", "summary", "verdicts", "failures", "pareto", "latency", "throughput"),
        *("end-to-end", "memory", "energy", "cold-start", "classes", "other-clocks", "missing"),
        *("environment", "repeat", "meanings"),
    ]
    links = [one.attributes["href"] for one in page.all("a")]
    assert links == ["#results", *(f"#{section}" for section in sections)]


def test_the_page_says_how_much_is_to_be_believed(page: Page) -> None:
    """Before anything else."""
    assert "10 measurements: 8 VALID, 1 INVALID and 1 timed by others." in page.text
    assert "1 of 5 configurations failed." in page.text


def test_what_is_not_there_is_told_with_its_reason(page: Page) -> None:
    """No hole in a table without a line that explains it."""
    rows = page.tables["Figures that are null"].rows
    reasons = {why: (figures, names) for why, figures, names in rows}
    figures, names = reasons["too few queries: a p99.9 takes 6,636"]
    assert figures == "p999_us at batch 1, 64 and end to end"
    assert "onnx-fp32-onnxruntime" in names
    assert reasons["trtexec gives no answers"] == ("accuracy", "onnx-fp32-trtexec")
    assert "peak_mib" in reasons["no process finished"][0]
    failed = page.tables["Failures, and what was left out"].rows
    assert ["onnx-fp32-openvino", "failed", "2 processes failed: it crashed: SIGSEGV"] in failed
    assert ["torchscript", "not measured", "PyTorch is not installed"] in failed
    machine = {row[0]: row[1] for row in page.tables["Machine"].rows}
    assert machine["governor"].startswith("null: this system shows no clock control")


def test_other_clocks_stand_apart(page: Page) -> None:
    """Their row is in no table of ours."""
    assert page.tables["By another clock"].column("configuration") == ["onnx-fp32-trtexec"]
    for caption in ("Latency of a query; bind, execute and fetch are medians",):
        assert "onnx-fp32-trtexec" not in page.tables[caption].column("configuration")
    assert "trtexec timed these, not edgenet" in page.text


def test_who_was_taken_for_whom_is_counted(page: Page) -> None:
    """Row: true class; column: answer."""
    table = page.tables["onnx-int8-onnxruntime"]
    assert table.headings[:3] == ["true \\ predicted", "class 0", "class 1"]
    assert table.rows[4][10] == "12"
    shares = page.tables["Share of each class that was found"]
    assert shares.column("onnx-int8-onnxruntime")[4] == f"{990 / 1010 * 100:.2f} %"


def test_old_results_are_rendered_and_say_what_they_lack(old: Written) -> None:
    """Verdicts, classes and raw samples came later, or are gone."""
    page = Page(old.html.read_text("utf-8"))
    verdicts = page.tables["Every configuration; percentiles of a query at batch 1"]
    assert verdicts.column("verdict") == ["not judged"] * 3 + ["–"]
    assert "these results do not hold who was taken for whom" in page.text
    assert "The raw samples are not beside these results" in page.text
    assert not [one for one in page.all("svg") if "latency" in one.attributes["aria-labelledby"]]
    assert "7 measurements: 6 not judged and 1 timed by others." in page.text
