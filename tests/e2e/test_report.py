"""Reports as a person makes and reads them: the command as typed, the page in a real browser."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chromium import PROGRAM, Tab, tab
from tests.commands import edgenet, said
from tests.whole_results import write_all

PHONE, DESK = 390, 1280

# The least contrast of a text with what is behind it, in the page's colours: WCAG 2.2, 1.4.3.
CONTRAST = """
(() => {
  const light = colour => {
    const part = colour.match(/[\\d.]+/g).slice(0, 3).map(value => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const behind = light(getComputedStyle(document.body).backgroundColor);
  let least = 21;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest('title, desc, pre, .count')) continue;
    const style = getComputedStyle(element);
    const text = light(element.closest('svg') ? style.fill : style.color);
    least = Math.min(least, (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05));
  }
  return least;
})()
"""
OUTSIDE = """
[...document.querySelectorAll('body *')].filter(element => {
  if (element.closest('.scroll, nav, pre, .skip, svg')) return false;
  const box = element.getBoundingClientRect();
  return box.width && (box.left < 0 || box.right > innerWidth + 0.5);
}).map(element => element.tagName + ' ' + element.textContent.slice(0, 40))
"""

FOLDED = """
[...document.querySelectorAll('details table, details svg')].map(
  element => element.getBoundingClientRect().height)
"""
CUT = """
[...document.querySelectorAll('pre, .scroll')].filter(
  element => getComputedStyle(element).overflowX !== 'visible').length
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results, rendered by the command where torch cannot be imported."""
    folder = tmp_path_factory.mktemp("report")
    write_all(folder / "bench-1")
    blocked = folder / "blocked"
    blocked.mkdir()
    (blocked / "torch.py").write_text("raise ImportError('torch is blocked in this test')\n")
    path = os.pathsep.join([str(blocked), os.environ["PYTHONPATH"]])
    done = edgenet(folder, "report", "bench-1", "--json", environment={"PYTHONPATH": path})
    said(done, 0)
    [report] = json.loads(done.stdout)["reports"]
    assert report["html"] == "bench-1/report.html"
    return folder / "bench-1"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Return one page of a headless Chromium."""
    if PROGRAM is None:
        pytest.skip("Chromium is not installed")
    profile = tmp_path_factory.mktemp("profile")
    with tab(profile) as page:
        yield page
    shutil.rmtree(profile, ignore_errors=True)


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_whole_in_a_browser(
    results: Path, browser: Tab, width: int, dark: bool
) -> None:
    """No request, no complaint, every chart drawn, nothing cut off, every text to be read."""
    file = results / "report.html"
    browser.requests.clear()
    browser.open(file, width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OUTSIDE) == []
    drawn = browser.evaluate(
        "[...document.querySelectorAll('svg[role=img]')]"
        ".map(svg => [svg.getBoundingClientRect().width, svg.querySelectorAll('path').length])"
    )
    assert len(drawn) == 8
    assert all(wide > 300 and paths > 5 for wide, paths in drawn)
    assert browser.evaluate(CONTRAST) >= 4.5
    assert browser.requests == [file.as_uri()]
    assert browser.complaints == []


def test_the_page_is_dark_where_the_system_is(results: Path, browser: Tab) -> None:
    """What is seen, not what the style sheet promises."""
    brightness = []
    for dark in (False, True):
        browser.open(results / "report.html", width=PHONE, dark=dark)
        with Image.open(io.BytesIO(browser.screenshot())) as picture:
            brightness.append(float(np.median(np.asarray(picture.convert("L")))))
    assert brightness[0] > 240
    assert brightness[1] < 40


def test_on_paper_all_is_dark_on_white_and_nothing_is_folded_or_cut(
    results: Path, browser: Tab
) -> None:
    """Where the system is dark, too: paper has no button that opens what is closed."""
    browser.open(results / "report.html", width=PHONE)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.send("Emulation.setEmulatedMedia", media="print", features=[dark])
    width = {"width": 1000, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **width)
    style = "getComputedStyle(document.body)"
    assert browser.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate(CONTRAST) >= 4.5
    assert min(browser.evaluate(FOLDED)) > 20
    assert browser.evaluate(CUT) == 0
    assert browser.evaluate("document.documentElement.scrollWidth") <= 1000
    browser.send("Emulation.setEmulatedMedia", media="")


def test_everything_that_scrolls_is_reached_with_the_keyboard(results: Path, browser: Tab) -> None:
    """Tab goes to the skip link first, and on to each table in turn."""
    browser.open(results / "report.html", width=PHONE)
    reached = []
    for _ in range(24):
        for kind in ("keyDown", "keyUp"):
            browser.send("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.evaluate("document.activeElement.className"))
    assert reached[0] == "skip"
    assert reached.count("scroll") >= 2


def test_a_screen_reader_is_told_names_and_kinds(results: Path, browser: Tab) -> None:
    """Chromium's own accessibility tree: what assistive technology gets."""
    browser.open(results / "report.html", width=DESK)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    seen = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]
    charts = [name for role, name in seen if role == "image"]
    assert "Accuracy over latency, area by size on disk" in charts
    tables = [name for role, name in seen if role == "table"]
    assert "Every configuration; percentiles of a query at batch 1" in tables
    headers = [name for role, name in seen if role == "rowheader"]
    assert "onnx-int8-onnxruntime" in headers
    assert ("heading", "Latency") in seen
    assert ("navigation", "Sections") in seen
