"""The ``bench`` workflow on tiny bundles, with processes that are real but short.

All of them share one measured run, which is the slow part; for its sake they are one long file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgenet.data
from edgenet.bench import plan
from edgenet.data import Dataset, Split
from edgenet.errors import CorruptFile, DataUnavailable, NotPossible, UsageError
from edgenet.launch.outcome import Ending, Outcome
from edgenet.progress import Step
from edgenet.runner.job import Job
from edgenet.workflows._bench import BenchArguments, BenchResult, bench
from edgenet.workflows.bench_record import Launch
from edgenet.workflows.looks import count_test_looks
from edgenet.workflows.run_list import list_runs
from tests.bundles import LABELS, edit_manifest, logits_of, pictures, write_onnx_bundle

SHORT: dict[str, Any] = {"duration_s": 0.02, "warmup_s": 0.01, "processes": 1}


def _bench(*sources: Path, **options: Any) -> BenchResult:
    return bench(BenchArguments(sources=sources, **{**SHORT, **options}))


def _split(name: str, n: int, labels: tuple[str, ...] = LABELS) -> Split:
    images = pictures(n)
    right = logits_of(images).argmax(axis=1).astype(np.int64)
    return Split(name=name, images=images, labels=right, class_names=labels)


def _dataset(labels: tuple[str, ...] = LABELS) -> Dataset:
    return Dataset(
        name="shapes",
        train=_split("train", 6, labels),
        validation=_split("validation", 6, labels),
        test=_split("test", 40, labels),
        mean=(0.25,),
        std=(0.5,),
        polarity=None,
    )


@pytest.fixture
def run(folder: Path) -> Path:
    """A run with one bundle, in the current folder."""
    path = Path("runs") / "train" / "tiny"
    write_onnx_bundle(path / "bundles" / "onnx-fp32")
    (path / "args.toml").write_text('model = "tiny"\n')
    return path


@pytest.fixture
def shapes(run: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The run's data set, ``shapes``, whose pictures the tiny bundle knows; gives the calls."""
    (run / "args.toml").write_text('model = "tiny"\ndata = "shapes"\nsplit_seed = 5\n')
    calls: list[dict[str, Any]] = []

    def load(name: str, **options: Any) -> Dataset:
        calls.append({"name": name, **options})
        return _dataset()

    monkeypatch.setattr(edgenet.data, "load", load)
    return calls


def _saved(result: BenchResult) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((result.path / "result.json").read_text())
    return content


def test_a_runs_bundles_are_measured_into_its_reports(run: Path) -> None:
    """Figures, environment, jobs and raw samples all lie in the run."""
    result = _bench(run, processes=2)
    assert result.path == run / "reports" / "bench-1"
    (row,) = result.rows
    assert row.failure is None
    assert [latency.batch for latency in row.latency] == [1, 8, 32, 64]
    assert (row.processes, result.complete, result.measured) == (2, True, True)
    saved = _saved(result)
    assert saved["rows"] == json.loads(json.dumps([row.to_json()]))
    assert saved["schema"] == "edgenet.bench/2"
    for process in saved["processes"]:
        folder = result.path / process["folder"]
        assert (folder / "job.json").is_file()
        assert np.load(folder / "latency-b1.npy", allow_pickle=False).shape[1] == 3
    second = _bench(run)
    assert second.path == run / "reports" / "bench-2"


def test_what_is_written_has_every_query(run: Path) -> None:
    """The row can be computed again from the raw samples."""
    result = _bench(run, processes=2)
    samples = [np.load(file) for file in sorted(result.path.glob("processes/*/latency-b1.npy"))]
    queries = np.concatenate(samples).sum(axis=1)
    assert result.rows[0].latency[0].n == len(queries)
    assert result.rows[0].latency[0].p50_us == float(np.median(queries)) / 1000


def test_bundles_of_no_run_are_measured_into_the_project(folder: Path) -> None:
    """Named after the first; a second time with a number; as overwritten, if that is asked for."""
    loose = write_onnx_bundle(folder / "loose")
    assert _bench(loose, processes=2).path == Path("runs") / "bench" / "tiny"
    assert _bench(loose).path == Path("runs") / "bench" / "tiny-2"
    again = _bench(loose, exist_ok=True)
    assert again.path == Path("runs") / "bench" / "tiny"
    assert [one.name for one in (again.path / "processes").iterdir()] == ["loose-onnxruntime-1"]
    assert {row.state for row in list_runs()} == {"finished"}


def test_a_report_can_have_a_name(run: Path) -> None:
    """And is overwritten only where that is asked for."""
    paths = [
        _bench(run, name="idle", exist_ok=exist_ok).path.name for exist_ok in (False, False, True)
    ]
    assert paths == ["idle", "idle-2", "idle"]


def test_a_bundle_that_is_named_twice_is_measured_once(run: Path) -> None:
    """By its run and by itself."""
    assert len(_bench(run, run / "bundles" / "onnx-fp32").rows) == 1


def test_accuracy_is_measured_on_the_runs_own_test_pictures_and_logged(
    run: Path, shapes: list[dict[str, Any]]
) -> None:
    """Once a configuration, and the look is in the run's log."""
    result = _bench(run, processes=2)
    accuracy = result.rows[0].accuracy
    assert accuracy is not None
    assert (accuracy.correct, accuracy.n) == (40, 40)
    assert accuracy.digest == _dataset().test.digest
    assert count_test_looks(run) == 1
    assert (shapes[0]["name"], shapes[0]["split_seed"]) == ("shapes", 5)
    assert (shapes[0]["image_size"], shapes[0]["mode"]) == ((6, 5), "L")
    assert len(list(result.path.glob("processes/*/logits.npy"))) == 1


def test_a_bundle_that_left_its_run_still_knows_its_data_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export records it among the options."""
    monkeypatch.setattr(edgenet.data, "load", lambda *a, **k: _dataset())
    loose = write_onnx_bundle(folder / "loose")
    edit_manifest(loose, lambda manifest: manifest["options"].update(data="shapes"))
    assert _bench(loose).rows[0].accuracy is not None


@pytest.mark.parametrize("data", [None, "shapes"])
def test_a_bundle_that_left_its_run_still_knows_its_splits(
    folder: Path, shapes: list[dict[str, Any]], data: str | None
) -> None:
    """Another seed would test on pictures of the training; only who asks for one gets it."""
    loose = write_onnx_bundle(folder / "loose")
    recorded = {"data": "shapes", "split_seed": 3}
    edit_manifest(loose, lambda manifest: manifest["options"].update(recorded))
    _bench(loose, data=data)
    _bench(loose, data="shapes", split_seed=4)
    assert [call["split_seed"] for call in shapes] == [3, 4]


def test_without_a_known_data_set_the_golden_inputs_are_timed(run: Path) -> None:
    """The reason stands where the accuracy would."""
    row = _bench(run).rows[0]
    assert row.accuracy is None
    assert row.accuracy_reason is not None
    assert "--data" in row.accuracy_reason
    assert row.latency


def test_data_that_changed_since_the_export_give_no_accuracy(
    run: Path, shapes: list[dict[str, Any]]
) -> None:
    """Latency needs no particular pictures; an accuracy does."""
    at_export = {"correct": 1, "n": 40, "digest": "0" * 64}
    edit_manifest(
        run / "bundles" / "onnx-fp32", lambda manifest: manifest["accuracy"].update(test=at_export)
    )
    row = _bench(run).rows[0]
    assert row.accuracy is None
    assert row.accuracy_reason is not None
    assert "have changed" in row.accuracy_reason
    assert _bench(run, data="shapes").rows[0].accuracy is not None


def test_data_that_were_asked_for_must_fit(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for is never replaced by something else."""
    monkeypatch.setattr(edgenet.data, "load", lambda *a, **k: _dataset(("a", "b", "c")))
    with pytest.raises(UsageError, match="classes"):
        _bench(run, data="letters")

    def absent(*arguments: Any, **options: Any) -> Dataset:
        raise DataUnavailable("not here")

    monkeypatch.setattr(edgenet.data, "load", absent)
    with pytest.raises(DataUnavailable):
        _bench(run, data="letters")
    assert not (run / "reports").exists()


def test_a_configuration_that_fails_is_a_row_and_the_others_are_measured(run: Path) -> None:
    """A bundle that asks for an opset of the future beside a sound one."""
    from tests.bundles import edit_onnx

    bad = write_onnx_bundle(run / "bundles" / "onnx-fp16")
    edit_onnx(bad, lambda model: setattr(model.opset_import[0], "version", 999))
    failed, sound = _bench(run, processes=2).rows
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.processes) == ("not-possible", 2)
    assert sound.failure is None
    assert sound.latency


def test_an_interpreter_that_crashes_is_a_reason(run: Path) -> None:
    """Whatever it is that crashes."""
    script = Path("python").absolute()
    script.write_text("#!/bin/sh\nkill -SEGV $$\n")
    script.chmod(0o755)
    result = _bench(run, interpreter=script)
    assert result.rows[0].failure is not None
    assert result.rows[0].failure.reason == "it crashed: SIGSEGV"
    assert (result.complete, result.measured) == (True, False)


def test_an_interpreter_is_named_from_the_current_folder(run: Path) -> None:
    """Not from the folder that its process gets."""
    script = Path("bin") / "python"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    assert _bench(run, interpreter="bin/python").rows[0].failure is None


@pytest.mark.parametrize("batch", [1, 7])
def test_a_bundle_of_a_fixed_batch_is_measured_at_that(folder: Path, batch: int) -> None:
    """A table without figures would help nobody; what was asked for and cannot be is told."""
    row = _bench(write_onnx_bundle(folder / "fixed", batch=batch)).rows[0]
    assert [(latency.batch, latency.n >= 221) for latency in row.latency] == [(batch, True)]
    assert row.peak_mib is not None
    assert len(row.skipped) == (3 if batch == 1 else 4)


def test_ctrl_c_leaves_what_was_measured(run: Path, shapes: list[dict[str, Any]]) -> None:
    """The file is whole and says that it is not complete; the look at the test set is logged."""
    steps = []

    def interrupt(step: Step) -> None:
        steps.append(step)
        if step.final:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(BenchArguments(sources=(run,), **{**SHORT, "processes": 2}), progress=interrupt)
    saved = json.loads((run / "reports" / "bench-1" / "result.json").read_text())
    assert saved["complete"] is False
    assert len(saved["processes"]) == 1
    assert saved["rows"][0]["latency"][0]["n"] >= 221
    assert count_test_looks(run) == 1
    assert steps[-1].figures["p50_us"] == saved["rows"][0]["latency"][0]["p50_us"]


def test_progress_counts_processes(run: Path) -> None:
    """From the first to the last, and the parts of each as they are done."""
    steps: list[Step] = []
    bench(BenchArguments(sources=(run,), **{**SHORT, "processes": 2}), progress=steps.append)
    whole = [(step.done, step.total, step.final) for step in steps if step.done == int(step.done)]
    assert list(dict.fromkeys(whole)) == [
        *((0, 2, False), (1, 2, True), (1, 2, False), (2, 2, True)),
    ]
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert len(set(done)) > 10
    assert "64" in [step.figures.get("batch") for step in steps]


def test_a_damaged_bundle_stops_everything_before_it_begins(run: Path) -> None:
    """Exit code 6, and the file's name."""
    (run / "bundles" / "onnx-fp32" / "model.onnx").write_bytes(b"x")
    with pytest.raises(CorruptFile, match=r"model\.onnx"):
        _bench(run)
    assert not (run / "reports").exists()


def test_a_run_without_bundles_says_how_to_make_one(run: Path) -> None:
    """The next command is in the hint."""
    (run / "bundles" / "onnx-fp32" / "manifest.json").unlink()
    with pytest.raises(UsageError) as caught:
        _bench(run)
    assert caught.value.hint == f"make one first: edgenet export {run}"


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_gpu_is_not_possible_and_not_replaced_by_the_cpu(
    run: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """Exit code 5, and nothing is written."""
    monkeypatch.setattr(plan, "probe", lambda: "no driver")
    with pytest.raises(NotPossible, match=f"on {device}: no driver"):
        _bench(run, device=device)
    assert not (run / "reports").exists()


def test_a_bundle_of_a_run_that_nothing_here_runs_does_not_stop_the_others(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine is a row with its reason; what is no engine yet, or no runtime takes, is noted."""
    monkeypatch.setattr(plan, "probe", lambda: "no driver")
    for format in ("engine", "rtx"):
        bundle = write_onnx_bundle(run / "bundles" / f"{format}-fp32")
        edit_manifest(bundle, partial(dict.update, format=format))
    plan_only = write_onnx_bundle(run / "bundles" / "engine-fp32-jetson-nano")
    edit_manifest(plan_only, lambda manifest: manifest["options"].update(engine={"built": False}))
    engine, onnx = _bench(run, runtimes=()).rows
    assert (engine.runtime, engine.device, onnx.runtime) == ("tensorrt", "cuda", "onnxruntime")
    assert engine.failure is not None
    assert engine.failure.code == "not-possible"
    assert onnx.failure is None
    assert "rtx-fp32 is left out: no runtime" in caplog.text
    assert "engine-fp32-jetson-nano is left out: its engine is yet to be built" in caplog.text
    with pytest.raises(NotPossible, match="no runtime takes the format 'rtx'"):
        _bench(run / "bundles" / "rtx-fp32")


def test_an_onnx_bundle_is_measured_with_torch_blocked_from_import(run: Path) -> None:
    """Neither the workflow nor the measuring process needs it."""
    code = (
        "import sys; sys.modules['torch'] = None;"
        f"from edgenet.workflows._bench import bench, BenchArguments; SHORT = {SHORT!r};"
        f"result = bench(BenchArguments(sources=({str(run)!r},), **SHORT));"
        "sys.exit(not result.measured)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(edgenet.data.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_that_cannot_be_written_is_an_error_with_its_name(run: Path) -> None:
    """Before anything is measured."""
    from edgenet.errors import EdgenetError

    run.chmod(0o555)
    try:
        with pytest.raises(EdgenetError, match="cannot write"):
            _bench(run)
    finally:
        run.chmod(0o755)


def _failing(job: Job, job_file: Path, **options: Any) -> Outcome:
    """Stand in for a process that does nothing, at once."""
    return Outcome(ending=Ending.ERROR, reason="it cannot", code="failed")


def _unmeasured(*sources: Path, launch: Launch = _failing, **options: Any) -> BenchResult:
    keep = options.pop("keep", None)
    arguments = BenchArguments(sources=sources, **{**SHORT, **options})
    return bench(arguments, launch=launch, keep=keep)


def test_nothing_of_an_earlier_measurement_stays_beside_a_new_one(run: Path) -> None:
    """A page of the old figures beside the new ones would be taken for theirs."""
    first = _unmeasured(run, name="idle", report=True)
    assert first.page is not None
    assert first.page.is_file()
    _unmeasured(run, name="idle", exist_ok=True)
    assert {file.name for file in first.path.iterdir()} == {"result.json", "processes"}


def test_an_interrupted_measurement_is_not_called_finished_since_an_earlier_one_was(
    folder: Path,
) -> None:
    """Written into the same folder."""

    def interrupt(job: Job, job_file: Path, **options: Any) -> Outcome:
        raise KeyboardInterrupt

    loose = write_onnx_bundle(folder / "loose")
    _unmeasured(loose)
    assert [row.state for row in list_runs()] == ["finished"]
    with pytest.raises(KeyboardInterrupt):
        _unmeasured(loose, exist_ok=True, launch=interrupt)
    assert [row.state for row in list_runs()] == ["interrupted"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_baseline_is_not_written_over(run: Path, inside: bool) -> None:
    """Compared with itself no measurement is ever slower."""
    source = run if inside else write_onnx_bundle(Path("loose"))
    first = _unmeasured(source, name="base")
    before = (first.path / "result.json").read_bytes()
    with pytest.raises(UsageError, match="is the baseline"):
        _unmeasured(source, name="base", exist_ok=True, keep=first.path.resolve())
    assert (first.path / "result.json").read_bytes() == before
    assert _unmeasured(source, name="base", keep=first.path).path.name == "base-2"


def test_a_split_seed_that_is_asked_for_is_taken_of_the_recorded_data_too(
    folder: Path, shapes: list[dict[str, Any]]
) -> None:
    """Whether or not the data set is named again."""
    loose = write_onnx_bundle(folder / "loose")
    recorded = {"data": "shapes", "split_seed": 3}
    edit_manifest(loose, lambda manifest: manifest["options"].update(recorded))
    _unmeasured(loose, split_seed=4)
    _unmeasured(loose)
    assert [call["split_seed"] for call in shapes] == [4, 3]


def test_a_bundle_that_the_runtimes_wanted_do_not_take_is_told(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One row fewer than there are bundles is not left to be noticed."""
    other = write_onnx_bundle(run / "bundles" / "torchscript-fp32")
    edit_manifest(other, lambda manifest: manifest.update(format="torchscript"))
    assert len(_unmeasured(run, runtimes=("onnxruntime",)).rows) == 1
    assert "torchscript-fp32 is left out: torchscript files are not for onnxruntime" in caplog.text
