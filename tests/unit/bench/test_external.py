"""Figures of a program that times itself: beside ours, never among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.bench.answer import Measured
from edgenet.bench.plan import Configuration
from edgenet.bench.row import Row
from edgenet.bench.rows import row_of
from edgenet.launch.outcome import Ending, Outcome
from edgenet.runner.bundle import open_bundle
from edgenet.runner.trtexec_times import TIME_COLUMNS
from tests.bundles import write_onnx_bundle

COMMAND = ["/usr/src/tensorrt/bin/trtexec", "--loadEngine=m.engine", "--duration=3"]


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """A configuration of a real bundle on trtexec."""
    bundle = open_bundle(write_onnx_bundle(tmp_path / "bundle"))
    return Configuration(name="tiny", bundle=bundle, runtime="trtexec", device="cuda")


def _measured(folder: Path, compute_ms: list[float], **changes: Any) -> Measured:
    """A process whose queries took 0.1 ms, ``compute_ms`` and 0.2 ms."""
    folder.mkdir()
    times = np.array([[0.05, 0.1, ms, 0.2, ms + 0.3] for ms in compute_ms])
    np.save(folder / "b1.npy", times)
    event = {
        "event": "external",
        "timed_by": "trtexec",
        "batch": 1,
        "command": COMMAND,
        "modes": {"transfers": True},
        "times": "b1.npy",
        "columns": list(TIME_COLUMNS),
        "throughput_qps": 500.0,
        "summaries": {"latency": {"median_ms": float(np.median(times[:, -1]))}},
        "warnings": [],
        **changes,
    }
    events: tuple[dict[str, Any], ...] = (
        {"event": "imported", "versions": {"tensorrt": "8.2.1"}},
        {"event": "built", "options": {"engine": "built by trtexec"}},
        event,
        {"event": "skipped", "batch": 64, "reason": "too many"},
        {"event": "finished"},
    )
    return Measured(folder=folder, outcome=Outcome(ending=Ending.FINISHED, events=events))


def _row(configuration: Configuration, *measured: Measured) -> Row:
    return row_of(configuration, measured, threads=1)


def test_its_figures_are_a_part_of_their_own(tmp_path: Path, configuration: Configuration) -> None:
    """What ranks, compares or picks rows looks at ``latency``, and that stays empty."""
    row = _row(configuration, _measured(tmp_path / "1", [1.0, 2.0, 3.0]))
    assert (row.timed_by, row.timed_by_us) == ("trtexec", False)
    assert (row.latency, row.at(1), row.accuracy, row.load_ms) == ((), None, None, None)
    assert row.accuracy_reason == "trtexec gives no answers"
    (external,) = row.external
    assert external.p50_us == pytest.approx(2300)
    parts = (external.h2d_p50_us, external.compute_p50_us, external.d2h_p50_us)
    assert parts == pytest.approx((100, 2000, 200))
    assert external.enqueue_p50_us == pytest.approx(50)
    assert external.images_per_s == 500
    assert external.command == tuple(COMMAND)
    assert (row.versions, row.skipped) == ({"tensorrt": "8.2.1"}, ("batch 64: too many",))
    json.dumps(row.to_json(), allow_nan=False)


def test_a_row_of_ours_says_so(tmp_path: Path, configuration: Configuration) -> None:
    """Even one without figures."""
    ours = Configuration(name="a", bundle=configuration.bundle, runtime="onnxruntime")
    row = _row(ours)
    assert (row.timed_by, row.timed_by_us, row.external) == ("edgenet", True, ())


def test_processes_are_pooled_and_their_medians_kept(
    tmp_path: Path, configuration: Configuration
) -> None:
    """As in our own rows."""
    measured = [
        _measured(tmp_path / "1", [1.0] * 5),
        _measured(tmp_path / "2", [2.0] * 5, throughput_qps=300.0, warnings=["unstable"]),
    ]
    (external,) = _row(configuration, *measured).external
    assert external.n == 10
    assert external.process_p50_us == pytest.approx((1300, 2300))
    assert external.spread == pytest.approx(2300 / 1300 - 1)
    assert external.images_per_s == 400
    assert external.warnings == ("unstable",)
    assert external.agrees


def test_printed_and_written_medians_that_differ_are_told(
    tmp_path: Path, configuration: Configuration
) -> None:
    """One of the two is then not of this run."""
    measured = _measured(tmp_path / "1", [1.0], summaries={"latency": {"median_ms": 1.31}})
    assert not _row(configuration, measured).external[0].agrees


def _save(values: Any) -> Callable[[Path], None]:
    return lambda path: np.save(path, values)


@pytest.mark.parametrize(
    ("changes", "damage"),
    [
        ({"columns": ["latency"]}, None),
        ({"throughput_qps": None}, None),
        ({"times": "absent.npy"}, None),
        ({"times": "../outside.npy"}, None),
        ({"summaries": {}}, None),
        ({"command": None}, None),
        ({"modes": []}, None),
        ({}, _save(np.zeros((3, 5)))),
        ({}, _save(np.full((3, 5), np.nan))),
        ({}, _save(-np.ones((3, 5)))),
        ({}, _save(np.ones((3, 4)))),
        ({}, _save(np.ones((0, 5)))),
        ({}, _save(np.ones((3, 5), np.float32))),
        ({}, lambda path: path.write_bytes(b"")),
    ],
)
def test_an_answer_that_lacks_something_is_a_failure(
    tmp_path: Path,
    configuration: Configuration,
    changes: dict[str, Any],
    damage: Callable[[Path], None] | None,
) -> None:
    """Never half a row."""
    np.save(tmp_path / "outside.npy", np.ones((3, 5)))
    measured = _measured(tmp_path / "1", [1.0], **changes)
    if damage is not None:
        damage(tmp_path / "1" / "b1.npy")
    row = _row(configuration, measured)
    assert row.failure is not None
    assert row.failure.ending == "garbage"
    assert (row.external, row.processes) == ((), 0)


def test_a_process_that_failed_is_a_row_with_its_reason(
    tmp_path: Path, configuration: Configuration
) -> None:
    """An absent trtexec is one."""
    outcome = Outcome(ending=Ending.ERROR, reason="there is no trtexec", code="not-possible")
    row = _row(configuration, Measured(folder=tmp_path, outcome=outcome))
    assert row.failure is not None
    assert (row.failure.reason, row.failure.code) == ("there is no trtexec", "not-possible")
    assert row.timed_by == "trtexec"


def test_a_quantile_is_told_only_with_the_queries_that_it_takes(
    tmp_path: Path, configuration: Configuration
) -> None:
    """As in our own rows: what is slow gets a few hundred queries, and no p99 of them."""
    (external,) = _row(configuration, _measured(tmp_path / "1", [1.0] * 64)).external
    assert external.p90_us == pytest.approx(1300)
    assert external.p99_us is None
    assert external.withheld == {"p99_us": "64 queries; a p99 takes 662"}
    (external,) = _row(configuration, _measured(tmp_path / "2", [1.0] * 63)).external
    assert (external.p90_us, set(external.withheld)) == (None, {"p90_us", "p99_us"})
