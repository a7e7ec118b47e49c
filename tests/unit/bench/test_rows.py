"""From raw samples to figures, on samples whose figures are known.

One answer of a process is made up here, and every figure of a row is taken from it; for its sake
they are one long file.
"""

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
from edgenet.statistics import wilson_interval
from tests.bundles import write_onnx_bundle

MIB = 1 << 20


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """A configuration of a real bundle."""
    bundle = open_bundle(write_onnx_bundle(tmp_path / "bundle"))
    return Configuration(name="tiny", bundle=bundle, runtime="onnxruntime")


def _memory(peak_mib: float) -> dict[str, Any]:
    return {"peak_bytes": int(peak_mib * MIB)}


def _measured(folder: Path, execute_ns: list[int], **changes: Any) -> Measured:
    """A process whose queries took 100 ns, ``execute_ns`` and 200 ns."""
    folder.mkdir()
    samples = np.array([[100, value, 200] for value in execute_ns], np.int64)
    np.save(folder / "b1.npy", samples)
    np.save(folder / "b64.npy", samples * 10)
    figures = {"load": 2.0, "first": 3.0, "peak": 60.0, "baseline": 50.0, **changes}
    events: list[dict[str, Any]] = [
        {
            "event": "imported",
            "ms": 40.0,
            "versions": {"onnxruntime": "1.0"},
            "memory": _memory(figures["baseline"]),
        },
        {"event": "loaded", "ms": figures["load"], "options": {"exact": "1"}},
        {
            "event": "first-inference",
            "ms": figures["first"],
            "since_launch_ms": 100.0,
            "observing_ms": 5.0,
        },
        {"event": "settled", "batch": 1, "memory": _memory(figures["peak"])},
        {"event": "latency", "batch": 1, "samples": "b1.npy", "steady": True},
        {"event": "settled", "batch": 64, "memory": _memory(99)},
        {"event": "latency", "batch": 64, "samples": "b64.npy", "steady": True},
        {"event": "finished"},
    ]
    if "accuracy" in changes:
        events.insert(-1, {"event": "accuracy", **changes["accuracy"]})
    return Measured(folder=folder, outcome=Outcome(ending=Ending.FINISHED, events=tuple(events)))


def _row(configuration: Configuration, *measured: Measured, **options: Any) -> Row:
    return row_of(configuration, measured, threads=1, **options)


def test_quantiles_are_over_every_query_of_every_process(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Nothing is trimmed: the slow queries count, and show in the p99."""
    measured = [
        _measured(tmp_path / "1", [700] * 500),
        _measured(tmp_path / "2", [1700] * 490 + [99_700] * 10),
    ]
    latency = _row(configuration, *measured).at(1)
    assert latency is not None
    assert latency.n == 1000
    assert latency.p50_us == pytest.approx(1.5)
    assert latency.p90_us == latency.p95_us == pytest.approx(2.0)
    assert latency.p99_us == pytest.approx(2.0 + 0.01 * 98)
    assert latency.process_p50_us == (1.0, 2.0)
    assert latency.spread == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("n", "absent"),
    [
        (63, {"p90_us", "p95_us", "p99_us", "p999_us"}),
        (64, {"p95_us", "p99_us", "p999_us"}),
        (130, {"p99_us", "p999_us"}),
        (662, {"p999_us"}),
        (6636, set()),
    ],
)
def test_a_quantile_is_published_only_with_the_queries_that_it_takes(
    tmp_path: Path, configuration: Configuration, n: int, absent: set[str]
) -> None:
    """The others are null, with the reason; never a maximum by another name."""
    latency = _row(configuration, _measured(tmp_path / "1", [700] * n)).at(1)
    assert latency is not None
    told = latency.to_json()
    assert {name for name in told if name.endswith("_us") and told[name] is None} == {
        *absent,
        "gpu_p50_us",
    }
    assert set(latency.withheld) == absent
    if "p99_us" in absent:
        assert latency.withheld["p99_us"] == f"{n} queries; a p99 takes 662"


def test_every_batch_size_has_a_verdict_and_the_row_a_summary(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Of the windows of all processes; a process that failed counts against the row."""
    quiet = [_measured(tmp_path / str(number), [700] * 400) for number in range(2)]
    row = _row(configuration, *quiet)
    assert row.verdict is not None
    assert row.verdict.valid
    late = Outcome(ending=Ending.TIMEOUT, reason="late", code="failed")
    row = _row(configuration, *quiet, Measured(folder=tmp_path, outcome=late))
    assert row.verdict is not None
    assert [reason.code for reason in row.verdict.reasons] == ["failed-process"]
    assert "1 of 3" in row.verdict.reasons[0].detail
    other = _measured(tmp_path / "3", [900] * 400)
    row = _row(configuration, *quiet, other)
    assert row.verdict is not None
    assert {reason.code for reason in row.verdict.reasons} == {"spread"}
    told = row.to_json()
    assert told["verdict"]["verdict"] == "INVALID"
    assert told["latency"][0]["verdict"]["reasons"][0]["code"] == "spread"
    failed = _row(configuration, Measured(folder=tmp_path, outcome=late))
    assert (failed.verdict, failed.to_json()["verdict"]) == (None, None)
    assert failed.to_json()["verdict_reason"] == "nothing was timed"


def test_the_machine_around_the_queries_decides_the_verdict(
    tmp_path: Path, configuration: Configuration
) -> None:
    """As the process tells it."""
    measured = _measured(tmp_path / "1", [700] * 400)
    events = [
        {**event, "host_before": {"swapped_in_pages": 1}, "host_after": {"swapped_in_pages": 9}}
        if event["event"] == "latency" and event["batch"] == 64
        else event
        for event in measured.outcome.events
    ]
    outcome = Outcome(ending=Ending.FINISHED, events=tuple(events))
    row = _row(configuration, Measured(folder=measured.folder, outcome=outcome))
    single, batched = row.at(1), row.at(64)
    assert single is not None
    assert batched is not None
    assert (single.verdict.word, batched.verdict.word) == ("VALID", "INVALID")
    assert batched.verdict.reasons[0].detail == "8 pages were read back from swap (1)"


def test_the_offline_throughput_is_that_of_the_best_batch_size(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Here a query of 64 takes ten times as long as one of 1."""
    row = _row(configuration, _measured(tmp_path / "1", [700] * 5))
    assert row.offline is not None
    assert row.offline.batch == 64
    told = row.to_json()["offline"]
    assert told == {"batch": 64, "images_per_s": row.offline.images_per_s}


def test_where_a_fresh_process_spends_its_time_is_told(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Process, import, opening, load and first inference; and what measuring itself adds."""
    row = _row(configuration, _measured(tmp_path / "1", [700]))
    assert (row.process_ms, row.open_ms, row.timer_resolution_ns, row.cores) == (None,) * 4
    events: list[dict[str, Any]] = [
        {"event": "started", "since_launch_ms": 30.0},
        {"event": "pinned", "cores": [3], "reason": None},
        {"event": "opened", "ms": 2.0},
        {"event": "inputs", "ms": 1.0},
        {"event": "clock", "resolution_ns": 20, "overhead_ns": [40.0, 41.0, 42.0]},
    ]
    measured = _measured(tmp_path / "2", [700])
    outcome = Outcome(ending=Ending.FINISHED, events=(*events, *measured.outcome.events))
    row = _row(configuration, Measured(folder=measured.folder, outcome=outcome))
    assert (row.process_ms, row.open_ms, row.process_to_first_ms) == (30.0, 2.0, 94.0)
    assert (row.timer_resolution_ns, row.cores) == (20.0, (3,))
    overheads = (row.bind_overhead_ns, row.execute_overhead_ns, row.fetch_overhead_ns)
    assert overheads == (40.0, 41.0, 42.0)


def test_from_pictures_to_classes_is_a_figure_of_its_own(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Each stage beside the whole; without Pillow it is absent with the reason."""
    measured = _measured(tmp_path / "1", [700] * 70)
    np.save(tmp_path / "1" / "e.npy", np.array([[4000, 3000, 2000, 1000]] * 70, np.int64))
    picture = {"encoding": "JPEG", "height": 224, "width": 240, "bytes": 5000.0}
    event = {
        "event": "end-to-end",
        "batch": 1,
        "samples": "e.npy",
        "steady": True,
        "picture": picture,
    }
    outcome = Outcome(ending=Ending.FINISHED, events=(event, *measured.outcome.events))
    row = _row(configuration, Measured(folder=measured.folder, outcome=outcome))
    found = row.end_to_end
    assert found is not None
    stages = (found.decode_p50_us, found.resize_p50_us, found.infer_p50_us, found.argmax_p50_us)
    assert stages == pytest.approx((4, 3, 2, 1))
    assert (found.p50_us, found.n, found.picture) == (10.0, 70, picture)
    assert found.verdict.valid
    absent = {"event": "skipped", "what": "end-to-end", "batch": 1, "reason": "no Pillow"}
    outcome = Outcome(ending=Ending.FINISHED, events=(absent, *measured.outcome.events))
    row = _row(configuration, Measured(folder=measured.folder, outcome=outcome))
    assert (row.end_to_end, row.end_to_end_reason, row.skipped) == (None, "no Pillow", ())
    json.dumps(row.to_json(), allow_nan=False)


def test_the_parts_of_a_query_stand_beside_the_whole(
    tmp_path: Path, configuration: Configuration
) -> None:
    """What the user's code pays for copying is not the model's."""
    latency = _row(configuration, _measured(tmp_path / "1", [700] * 3)).at(1)
    assert latency is not None
    parts = (latency.bind_p50_us, latency.execute_p50_us, latency.fetch_p50_us)
    assert parts == pytest.approx((0.1, 0.7, 0.2))


def test_throughput_is_pictures_over_the_time_of_all_queries(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Not one over the median: slow queries take their time, too."""
    row = _row(configuration, _measured(tmp_path / "1", [700, 700, 2700]))
    single, batched = row.at(1), row.at(64)
    assert single is not None
    assert batched is not None
    assert single.images_per_s == pytest.approx(3 / 5e-6)
    assert batched.images_per_s == pytest.approx(64 * 3 / 5e-5)
    assert row.at(2) is None


def test_figures_of_a_process_are_medians_over_processes(
    tmp_path: Path, configuration: Configuration
) -> None:
    """The peak is that of the least batch size."""
    measured = [
        _measured(tmp_path / str(number), [700], load=load, first=9.0, peak=peak)
        for number, (load, peak) in enumerate([(1.0, 60), (50.0, 61), (2.0, 70)])
    ]
    row = _row(configuration, *measured)
    assert (row.load_ms, row.first_inference_ms, row.import_ms) == (2.0, 9.0, 40.0)
    assert (row.peak_mib, row.baseline_mib) == (61.0, 50.0)
    assert row.process_to_first_ms == 95.0
    assert (row.processes, row.failure) == (3, None)


def test_facts_of_the_bundle_are_in_the_row(tmp_path: Path, configuration: Configuration) -> None:
    """A row can be read alone."""
    row = _row(configuration, _measured(tmp_path / "1", [700]))
    assert (row.model, row.format, row.precision) == ("tiny", "onnx", "fp32")
    assert row.size_bytes == (tmp_path / "bundle" / "model.onnx").stat().st_size
    assert row.versions == {"onnxruntime": "1.0"}
    assert row.options == {"exact": "1"}
    json.dumps(row.to_json(), allow_nan=False)


def test_accuracy_carries_its_interval(tmp_path: Path, configuration: Configuration) -> None:
    """990 of 1,000 is not 99 % and nothing more."""
    event = {"correct": 990, "n": 1000, "digest": "d", "not_finite": 0}
    measured = [_measured(tmp_path / "1", [7], accuracy=event), _measured(tmp_path / "2", [7])]
    accuracy = _row(configuration, *measured, accuracy_reason="unused").accuracy
    assert accuracy is not None
    assert (accuracy.correct, accuracy.n, accuracy.accuracy) == (990, 1000, 0.99)
    assert (accuracy.low, accuracy.high) == wilson_interval(990, 1000)


def test_without_accuracy_there_is_a_reason(tmp_path: Path, configuration: Configuration) -> None:
    """Nothing is left out in silence."""
    row = _row(configuration, _measured(tmp_path / "1", [7]), accuracy_reason="no data")
    assert (row.accuracy, row.accuracy_reason) == (None, "no data")


def test_an_accuracy_that_no_process_came_to_has_its_reason(
    tmp_path: Path, configuration: Configuration
) -> None:
    """The first process is the one that is evaluated; here it crashed, and the second did not."""
    crash = Outcome(ending=Ending.CRASH, reason="it crashed: SIGSEGV", code="failed")
    measured = [Measured(folder=tmp_path, outcome=crash), _measured(tmp_path / "2", [7])]
    for processes in (measured, measured[:1], []):
        row = _row(configuration, *processes, evaluation_set=tmp_path)
        assert row.accuracy is None
        assert row.accuracy_reason == "no process has run the test pictures to their end"


def test_a_configuration_that_failed_is_a_row_with_its_reason(
    tmp_path: Path, configuration: Configuration
) -> None:
    """The table has no holes."""
    crash = Outcome(ending=Ending.CRASH, reason="it crashed: SIGSEGV", code="failed")
    row = _row(configuration, *[Measured(folder=tmp_path, outcome=crash)] * 3)
    assert row.failure is not None
    assert (row.failure.ending, row.failure.reason) == ("crash", "it crashed: SIGSEGV")
    assert row.failure.processes == 3
    assert (row.latency, row.peak_mib, row.load_ms, row.versions) == ((), None, None, {})
    json.dumps(row.to_json(), allow_nan=False)


def test_the_processes_that_finished_count_although_another_crashed(
    tmp_path: Path, configuration: Configuration
) -> None:
    """Both are told."""
    crash = Outcome(ending=Ending.TIMEOUT, reason="late", code="failed")
    row = _row(
        configuration,
        Measured(folder=tmp_path, outcome=crash),
        _measured(tmp_path / "1", [700] * 5),
    )
    assert row.failure is not None
    assert (row.processes, row.failure.processes, row.latency[0].n) == (1, 1, 5)


def _without(name: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda events: [event for event in events if event["event"] != name]


def _other_samples(name: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda events: [
        {**event, "samples": name} if event["event"] == "latency" else event for event in events
    ]


def _other_field(
    name: str, **fields: Any
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda events: [
        {**event, **fields} if event["event"] == name else event for event in events
    ]


@pytest.mark.parametrize(
    "damage",
    [
        *(_without(name) for name in ("imported", "loaded", "first-inference", "latency")),
        _other_samples("absent.npy"),
        _other_samples("logits.npy"),
        _other_samples("../outside.npy"),
        _other_samples("zeros.npy"),
        _other_samples("empty.npy"),
        _other_field("imported", versions=["1.0"]),
        _other_field("loaded", ms=None),
        _other_field("latency", host_before=["x"], host_after=["y"]),
        _other_field("latency", host_before={"at_ns": "1"}, host_after={"at_ns": 2}),
        lambda events: [{"event": event["event"]} for event in events],
        lambda events: [{"event": "finished"}],
    ],
)
def test_an_answer_that_lacks_something_is_a_failure(
    tmp_path: Path,
    configuration: Configuration,
    damage: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> None:
    """A process that only says it finished has not measured anything."""
    measured = _measured(tmp_path / "1", [700])
    np.save(tmp_path / "1" / "logits.npy", np.zeros((5, 10), np.float32))
    np.save(tmp_path / "1" / "zeros.npy", np.zeros((5, 3), np.int64))
    (tmp_path / "1" / "empty.npy").touch()
    np.save(tmp_path / "outside.npy", np.ones((5, 3), np.int64))
    events = tuple(damage([dict(event) for event in measured.outcome.events]))
    outcome = Outcome(ending=Ending.FINISHED, events=events)
    row = _row(configuration, Measured(folder=measured.folder, outcome=outcome))
    assert row.failure is not None
    assert row.failure.ending == "garbage"
    assert row.processes == 0
