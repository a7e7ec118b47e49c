"""The exit codes of ``edgenet bench``, of measurements that are made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import edgenet.workflows
from edgenet.cli.app import main
from edgenet.runner import host
from tests.results import INVALID, MACHINE, VALID, latency, queries, row, write

LIMIT = ("--fail-above", "1.05")
ALLOWED = "--allow-invalid"


def _written(folder: Path, median_us: float, verdict: dict[str, Any]) -> Path:
    medians = [median_us, 1.001 * median_us, 1.002 * median_us]
    entry = latency(queries(0, 600, 30.0), 1, process_p50_us=medians, verdict=verdict)
    here = {**MACHINE, "host": host.describe()}
    return write(folder, [row("net", latency=[entry])], environment=here)


def _run(
    monkeypatch: pytest.MonkeyPatch, *options: str, path: Path = Path(), **measured: Any
) -> int:
    """Return the exit code of a measurement that comes to this."""
    facts = {"invalid": (), "measured": True, "rows": (), "not_possible": False, "corrupt": False}

    def bench(arguments: Any, *, progress: Any, keep: Path | None) -> Any:
        return SimpleNamespace(path=path, to_json=dict, **{**facts, **measured})

    monkeypatch.setattr(edgenet.workflows, "bench", bench)
    return main(["bench", "runs/net", "--json", *options])


@pytest.mark.parametrize(
    ("before", "after", "takes", "options", "code"),
    [
        (VALID, VALID, 1.1, (), 0),
        (VALID, VALID, 1.01, LIMIT, 0),
        (VALID, VALID, 1.1, LIMIT, 3),
        (VALID, INVALID, 1.1, LIMIT, 4),
        (INVALID, VALID, 1.1, LIMIT, 4),
        (INVALID, VALID, 1.01, (), 4),
        (VALID, INVALID, 1.1, (*LIMIT, ALLOWED), 3),
        (INVALID, INVALID, 1.01, (*LIMIT, ALLOWED), 0),
        (INVALID, VALID, 1.1, (ALLOWED,), 0),
    ],
)
def test_a_regression_is_3_and_what_is_not_believed_4_whatever_it_shows(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, Any],
    after: dict[str, Any],
    takes: float,
    options: tuple[str, ...],
    code: int,
) -> None:
    """INVALID figures show no regression; unless they are allowed, then they are as good as any."""
    baseline = _written(tmp_path / "a", 100, before)
    measured = _written(tmp_path / "b", 100 * takes, after)
    invalid = ("net",) if after == INVALID else ()
    words = ("--baseline", str(baseline), *options)
    assert _run(monkeypatch, *words, path=measured, invalid=invalid) == code


@pytest.mark.parametrize(
    ("measured", "code"),
    [
        ({}, 0),
        ({"invalid": ("net",)}, 4),
        ({"measured": False}, 1),
        ({"invalid": ("net",), "rows": (SimpleNamespace(failure="SIGSEGV"),)}, 1),
        ({"measured": False, "not_possible": True}, 5),
        ({"corrupt": True}, 6),
    ],
)
def test_what_was_not_measured_is_no_success(
    monkeypatch: pytest.MonkeyPatch, measured: dict[str, Any], code: int
) -> None:
    """Also where no process failed: an engine may take none of the batch sizes."""
    assert _run(monkeypatch, **measured) == code


def test_a_baseline_that_the_measurement_wrote_over_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told to it beforehand, so that it does not."""
    baseline = _written(tmp_path / "a", 100, VALID)
    assert _run(monkeypatch, "--baseline", str(baseline), path=baseline) == 1
