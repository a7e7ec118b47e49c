"""One benchmark in which everything happened, rendered once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.report.write import Written, write_report
from tests.pages import Page
from tests.whole_results import write_all, write_old


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the files of a benchmark with everything a row can have; never changed by a test."""
    return write_report(write_all(tmp_path_factory.mktemp("bench")))


@pytest.fixture(scope="session")
def page(written: Written) -> Page:
    """Return its page."""
    return Page(written.html.read_text("utf-8"))


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the files of a benchmark of the first version, whose raw samples are gone."""
    return write_report(write_old(tmp_path_factory.mktemp("old")))


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Return a folder of results that a test may damage."""
    return write_all(tmp_path / "bench")
