"""One measurement process from the inside: a whole job, and what it answers."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import CorruptFile, NotPossible, UsageError
from edgenet.runner import measure, power, runtimes
from edgenet.runner.bundle import Bundle
from edgenet.runner.job import Job, Scenario
from edgenet.runner.measure import run_job
from edgenet.runner.power import Meter
from edgenet.runner.power_sources import Used
from edgenet.runner.timing import now_ns
from tests.bundles import (
    edit_manifest,
    logits_of,
    write_evaluation_set,
    write_onnx_bundle,
)

SHORT = (Scenario(1, 0.01, 0.02, 5), Scenario(4, 0.01, 0.01, 5))


def _job(tmp_path: Path, **changes: Any) -> Job:
    output = tmp_path / "output"
    output.mkdir(exist_ok=True)
    job = Job(bundle=tmp_path / "bundle", runtime="onnxruntime", output=output, latency=SHORT)
    return job._replace(**changes)


def _run(job: Job) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    run_job(job, events.append)
    return events


def _one(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (event,) = [event for event in events if event["event"] == name]
    return event


def test_a_job_answers_with_its_stages_in_order(tmp_path: Path) -> None:
    """The documented lines, and nothing else."""
    write_onnx_bundle(tmp_path / "bundle")
    events = _run(_job(tmp_path, launched_ns=now_ns()))
    assert [event["event"] for event in events] == [
        *("started", "imported", "opened", "inputs", "loaded", "first-inference", "clock"),
        *("settled", "latency", "settled", "latency", "environment", "finished"),
    ]
    stages = [event for event in events if "ms" in event]
    assert all(event["ms"] > 0 and event["memory"]["peak_bytes"] > 0 for event in stages)


def test_raw_samples_are_kept_for_every_batch_size(tmp_path: Path) -> None:
    """Whole nanoseconds of bind, execute, fetch; the warm-up's beside them."""
    write_onnx_bundle(tmp_path / "bundle")
    events = _run(_job(tmp_path))
    for event in [event for event in events if event["event"] == "latency"]:
        samples = np.load(tmp_path / "output" / event["samples"], allow_pickle=False)
        warmup = np.load(tmp_path / "output" / event["warmup"], allow_pickle=False)
        assert samples.dtype == warmup.dtype == np.int64
        assert samples.shape == (event["queries"], 3)
        assert event["queries"] >= 5
        assert (samples > 0).all()
        assert event["host_after"]["at_ns"] > event["host_before"]["at_ns"]


def test_the_first_result_is_dated_from_the_launch_of_the_process(tmp_path: Path) -> None:
    """Both clocks are one on this machine; the runner's own bookkeeping is told apart."""
    write_onnx_bundle(tmp_path / "bundle")
    first = _one(_run(_job(tmp_path, launched_ns=now_ns() - 5_000_000_000)), "first-inference")
    assert 5000 < first["since_launch_ms"] < 60_000
    assert 0 < first["observing_ms"] < first["since_launch_ms"]
    assert _one(_run(_job(tmp_path)), "first-inference")["since_launch_ms"] is None


def test_accuracy_is_counted_over_the_whole_evaluation_set(tmp_path: Path) -> None:
    """100 pictures, 10 of them labelled wrong; 100 is no multiple of the batch."""
    write_onnx_bundle(tmp_path / "bundle")
    folder = write_evaluation_set(tmp_path / "set")
    events = _run(_job(tmp_path, evaluation_set=folder, evaluate=True, evaluation_batch=64))
    accuracy = _one(events, "accuracy")
    assert (accuracy["correct"], accuracy["n"], accuracy["not_finite"]) == (90, 100, 0)
    assert accuracy["digest"] == _one(events, "inputs")["digest"]
    logits = np.load(tmp_path / "output" / accuracy["logits"], allow_pickle=False)
    expected = logits_of(np.load(folder / "images.npy"))
    assert np.array_equal(logits.argmax(axis=1), expected.argmax(axis=1))


def test_a_bundle_of_a_fixed_batch_is_evaluated_and_measured_at_that_batch_alone(
    tmp_path: Path,
) -> None:
    """The last 100 - 33·3 = 1 picture is filled up, and counted once."""
    write_onnx_bundle(tmp_path / "bundle", batch=3)
    folder = write_evaluation_set(tmp_path / "set")
    scenarios = (*SHORT, Scenario(3, 0.01, 0.01, 5))
    events = _run(_job(tmp_path, latency=scenarios, evaluation_set=folder, evaluate=True))
    assert _one(events, "latency")["batch"] == 3
    skipped = [event for event in events if event["event"] == "skipped"]
    assert [event["batch"] for event in skipped] == [1, 4]
    assert "batches of 3" in skipped[0]["reason"]
    accuracy = _one(events, "accuracy")
    assert (accuracy["correct"], accuracy["n"]) == (90, 100)


def test_a_runtime_that_does_not_take_the_format_is_refused(tmp_path: Path) -> None:
    """Before the model is loaded."""
    write_onnx_bundle(tmp_path / "bundle")
    edit_manifest(tmp_path / "bundle", lambda manifest: manifest.update(format="torchscript"))
    with pytest.raises(UsageError, match="does not run the format 'torchscript'"):
        _run(_job(tmp_path))


def test_a_runtime_that_is_absent_is_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its reason."""
    write_onnx_bundle(tmp_path / "bundle")
    module = runtimes.load_runtime("onnxruntime")
    monkeypatch.setattr(module, "unavailable", lambda: "onnxruntime is not installed")
    with pytest.raises(NotPossible, match="onnxruntime is not installed"):
        _run(_job(tmp_path))


def test_a_changed_bundle_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    """The measuring process trusts nobody else's check."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    (bundle / "model.onnx").write_bytes(b"x" * (bundle / "model.onnx").stat().st_size)
    events: list[dict[str, Any]] = []
    with pytest.raises(CorruptFile, match=r"model\.onnx"):
        run_job(_job(tmp_path), events.append)
    assert [event["event"] for event in events] == ["started", "imported"]


def test_pictures_of_another_shape_are_refused(tmp_path: Path) -> None:
    """An accuracy on the wrong pictures is a number without a meaning."""
    write_onnx_bundle(tmp_path / "bundle")
    folder = write_evaluation_set(tmp_path / "set")
    np.save(folder / "images.npy", np.zeros((100, 3, 6, 5), np.uint8))
    with pytest.raises(UsageError, match="the bundle takes"):
        _run(_job(tmp_path, evaluation_set=folder))


def test_a_session_is_closed_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device's memory is not left behind by an error in the middle."""
    write_onnx_bundle(tmp_path / "bundle")
    closed: list[object] = []
    module = runtimes.load_runtime("onnxruntime")

    def close(self: object) -> None:
        closed.append(self)

    monkeypatch.setattr(module.OnnxRuntimeSession, "close", close)
    monkeypatch.setattr(measure, "clock_quality", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _run(_job(tmp_path))
    assert len(closed) == 1


class _Monitor:
    """A source of power: 5 W while waiting, 15 W while running."""

    sensors = ("VDD_IN",)
    sampled_hz = 10.0

    def __init__(self) -> None:
        self.began = self.ended = self.closed = 0

    def begin(self) -> None:
        """Count the calls."""
        self.began += 1

    def end(self) -> None:
        """Count the calls."""
        self.ended += 1

    def used(self, seconds: float) -> Used:
        """Return the energy of that time."""
        return Used((5.0 if self.ended == 1 else 15.0) * seconds, 0.01 * seconds)

    def close(self) -> None:
        """Count the calls."""
        self.closed += 1


def test_energy_is_told_a_picture_where_there_is_a_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle power once, then every batch size; the source is let go at the end."""
    write_onnx_bundle(tmp_path / "bundle")
    monitor = _Monitor()
    monkeypatch.setattr(
        power, "open_meter", lambda device: Meter((monitor,), sleep=lambda seconds: None)
    )
    latencies = [event for event in _run(_job(tmp_path)) if event["event"] == "latency"]
    assert (monitor.began, monitor.ended, monitor.closed) == (3, 3, 1)
    for event in latencies:
        energy = event["energy"]
        pictures = event["queries"] * event["batch"]
        assert energy["energy_mj"] == pytest.approx(1e4 * energy["seconds"] / pictures)
        assert (energy["power_w"], energy["idle_w"]) == (pytest.approx(15), pytest.approx(5))


def test_without_a_sensor_the_energy_is_null_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no time is spent."""
    write_onnx_bundle(tmp_path / "bundle")
    monkeypatch.setattr(power, "open_meter", lambda device: Meter((), "no sensor: none"))
    energies = [event["energy"] for event in _run(_job(tmp_path)) if event["event"] == "latency"]
    assert [(one["energy_mj"], one["reason"]) for one in energies] == [
        (None, "no sensor: none")
    ] * 2


def test_an_engine_that_takes_no_single_picture_is_measured_at_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runner build --batches 4,8,16` gives such an engine; its first query has four pictures."""
    write_onnx_bundle(tmp_path / "bundle")
    session = runtimes.load_runtime("onnxruntime").OnnxRuntimeSession
    bind, sizes = session.bind, list[int]()

    def bind_four_or_more(self: Any, images: Any) -> None:
        sizes.append(len(images))
        if len(images) < 4:
            raise UsageError("it takes batches of 4 to 16")
        bind(self, images)

    monkeypatch.setattr(session, "batch_range", (4, 16), raising=False)
    monkeypatch.setattr(session, "bind", bind_four_or_more)
    events = _run(_job(tmp_path))
    assert sizes[0] == 4
    assert _one(events, "latency")["batch"] == 4
    assert _one(events, "skipped")["reason"] == "the engine was built for batches of 4 to 16"


def test_the_bundles_own_pictures_are_not_held_while_the_models_memory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """256 pictures of 224 x 224 in colour are 37 MiB, more than many a model takes."""
    write_onnx_bundle(tmp_path / "bundle")
    held: list[weakref.ref[Any]] = []
    golden = Bundle.golden

    def remembered(self: Bundle, names: Any = None) -> Any:
        arrays = golden(self, names)
        held.append(weakref.ref(arrays["inputs"]))
        return arrays

    monkeypatch.setattr(Bundle, "golden", remembered)
    events: list[dict[str, Any]] = []

    def emit(event: dict[str, Any]) -> None:
        told = [one() is not None for one in held]
        events.append(dict(event, reads=len(told), held=sum(told)))

    run_job(_job(tmp_path), emit)
    settled = [event for event in events if event["event"] == "settled"]
    assert _one(events, "loaded")["reads"] == 1
    assert [event["held"] for event in settled] == [0, 0]
    assert _one(events, "first-inference")["held"] == 0
