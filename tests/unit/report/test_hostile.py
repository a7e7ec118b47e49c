"""Names and reasons come from files that anyone may have made: they stay text."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgenet.report.write import Written, write_report
from tests.pages import Page, markdown_tables
from tests.results import accuracy, end_to_end, external, latency, queries, row, write

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(2)</script>",
    "]]></text></svg><script>alert(3)</script>",
    "<!-- --> url(#x) id=\"y\" #010200",
    "$\\frac{a}{b}$ `code` | cell | [link](javascript:alert(4))",
    "line\nbreak\u202e\u0000\x1b[31m",
    "=HYPERLINK(\"http://example.com\")",
)  # fmt: skip

OURS = set(
    re.findall(
        r"\w+",
        "html head meta link title style body a header p h1 h2 nav main section dl div dt dd span "
        "table caption thead tbody tr th td details summary ul ol li figure figcaption svg pre "
        "code",
    )
)
"""The elements of the page, the charts' own apart."""


def _hostile_row(number: int, name: str) -> dict[str, Any]:
    counts = [[5, number], [0, 5]]
    verdict = {"verdict": "INVALID", "reasons": [{"code": name, "detail": name}]}
    answers = accuracy(counts, [name, f"{name}2"], digest=name, parent=None, parent_reason=name)
    return row(
        name,
        bundle=name,
        model=name,
        format=name,
        precision=name,
        runtime=name,
        device=name,
        versions={name: name},
        options={name: name},
        model_sha256=name,
        latency=[
            latency(queries(number, 50, 30 + number), batch, verdict=verdict) for batch in (1, 8)
        ],
        end_to_end=end_to_end(queries(number, 50, 30)),
        accuracy=answers,
        skipped=[name],
        failure={"ending": name, "code": name, "reason": name, "hint": name, "processes": 1},
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the files of results that try everything everywhere."""
    rows = [_hostile_row(number, name) for number, name in enumerate(HOSTILE)]
    for name in HOSTILE[:2]:
        other = external(timed_by=name, command=[name], warnings=[name])
        rows.append(row(f"{name} elsewhere", timed_by=name, external=[other], cores_reason=name))
    environment = {
        "host": {"cpu": {"model": HOSTILE[0], "isa": list(HOSTILE)}, HOSTILE[1]: HOSTILE[2]},
        "packages": {name: name for name in HOSTILE},
        "command": list(HOSTILE),
        "started": HOSTILE[1],
        HOSTILE[3]: {HOSTILE[4]: HOSTILE[5]},
    }
    folder = tmp_path_factory.mktemp("hostile")
    arguments = {"sources": list(HOSTILE), "data": HOSTILE[0]}
    reasons = {name: name for name in HOSTILE}
    write(folder, rows, environment=environment, arguments=arguments, not_measured=reasons)
    return write_report(folder)


def test_no_text_becomes_an_element_or_an_attribute_of_the_page(written: Written) -> None:
    """The parser closes every element that it opens, and finds none that we did not make."""
    page = Page(written.html.read_text("utf-8"))
    names = {element.name for element in page.elements if "svg" not in element.path}
    assert names <= OURS
    drawn = {element.name for element in page.elements if "svg" in element.path}
    assert drawn <= {"title", "desc", "g", "path", "defs", "use", "text", "clippath", "rect"}
    for element in page.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert element.attributes.get("href", "#").startswith(("#", "data:,"))


def test_the_names_are_still_readable(written: Written) -> None:
    """Escaped is not removed: people see the name as it is, controls as escapes."""
    page = Page(written.html.read_text("utf-8"))
    table = page.tables["Every configuration; percentiles of a query at batch 1"]
    names = table.column("configuration")
    assert names[:6] == list(HOSTILE[:6])
    assert names[6] == "line\\nbreak\\u202e\\x00\\x1b[31m"
    html = written.html.read_text("utf-8")
    assert not [
        character for character in html if not (character.isprintable() or character == "\n")
    ]


def test_a_chart_shows_the_name_that_the_table_has(written: Written) -> None:
    """Neither a formula nor markup, and the colours' stand-ins in a name are no colours."""
    page = Page(written.html.read_text("utf-8"))
    assert page.text.count("url(#x)") > 3
    assert "var(--" not in page.text
    assert page.text.count("$\\frac{a}{b}$") > 3


def test_no_name_breaks_a_row_of_the_markdown(written: Written) -> None:
    """Every row has as many cells as its table has columns, and no HTML passes."""
    text = written.markdown.read_text("utf-8")
    tables = markdown_tables(text)
    names = tables["Every configuration; percentiles of a query at batch 1"].column("configuration")
    assert names[:6] == list(HOSTILE[:6])
    outside = text.split("```")[0]
    assert "<script" not in outside.replace("\\<script", "")
    assert "<img" not in outside.replace("\\<img", "")
    assert "](" not in outside.replace("\\](", "")


def test_no_text_is_a_formula_of_a_spreadsheet(written: Written) -> None:
    """A cell that begins like one is quoted."""
    with written.csv.open(encoding="utf-8", newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert '\'=HYPERLINK("http://example.com")' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


def test_the_page_of_hostile_results_is_not_shorter_than_its_rows(tmp_path: Path) -> None:
    """Two rows of one name are two rows."""
    rows = [row("same", latency=[latency(queries(n, 20, 30), 1)]) for n in range(2)]
    written = write_report(write(tmp_path, json.loads(json.dumps(rows))))
    page = Page(written.html.read_text("utf-8"))
    table = page.tables["Every configuration; percentiles of a query at batch 1"]
    assert table.column("configuration") == ["same", "same"]
