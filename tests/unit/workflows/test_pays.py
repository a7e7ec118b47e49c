"""Whether a compressed bundle pays: every answer, by processes whose times are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.cli.console import Output
from edgenet.cli.pays_view import pays as view
from edgenet.errors import UsageError
from edgenet.launch.outcome import Ending, Outcome
from edgenet.progress import Step
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.job import Job
from edgenet.verify.gate import Gate, PairedComparison
from edgenet.workflows.pays import ROUNDS, Pays, measure_pair
from tests.bundles import edit_manifest, write_onnx_bundle


class Launcher:
    """Answers every job at once, with the next made-up median of its bundle.

    Args:
        medians_us: By precision, one after the other.
        failing: Jobs by number, from 0, that crash.
        steady: What every warm-up came to.
    """

    def __init__(
        self,
        medians_us: Mapping[str, Sequence[float]],
        failing: int | None = None,
        steady: bool = True,
    ) -> None:
        self.jobs: list[Job] = []
        self._medians = {name: iter(values) for name, values in medians_us.items()}
        self._failing = failing
        self._steady = steady

    def __call__(self, job: Job, job_file: Path, **options: Any) -> Outcome:
        """Answer as `edgenet.launch.local.run_job` does."""
        assert job_file.parent.is_dir()
        self.jobs.append(job)
        if len(self.jobs) - 1 == self._failing:
            return Outcome(ending=Ending.CRASH, reason="it crashed: SIGSEGV", code="failed")
        median_ns = round(next(self._medians[open_bundle(job.bundle).manifest.precision]) * 1000)
        np.save(job.output / "b.npy", np.array([[0, median_ns, 0]] * 3, np.int64))
        (scenario,) = job.latency
        memory = {"peak_bytes": 1 << 20}
        events: tuple[dict[str, Any], ...] = (
            {"event": "imported", "ms": 1, "versions": {"ort": "1.31"}, "memory": memory},
            {"event": "loaded", "ms": 1, "options": {"exact": "1"}},
            {"event": "first-inference", "ms": 1, "since_launch_ms": 1, "observing_ms": 0},
            {
                "event": "latency",
                "batch": scenario.batch,
                "samples": "b.npy",
                "steady": self._steady,
            },
        )
        return Outcome(ending=Ending.FINISHED, events=events)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Bundle, Bundle]:
    """An FP32 bundle, and an INT8 one that is told to have half of its bytes."""
    parent = write_onnx_bundle(tmp_path / "fp32")
    child = write_onnx_bundle(tmp_path / "int8")
    edit_manifest(child, lambda manifest: manifest.update(precision="int8"))
    return open_bundle(parent), _of_half_the_bytes(open_bundle(child))


def _of_half_the_bytes(bundle: Bundle) -> Bundle:
    info = bundle.manifest.files[bundle.manifest.model]
    half = info._replace(size_bytes=info.size_bytes // 2)
    files = {**bundle.manifest.files, bundle.manifest.model: half}
    return bundle._replace(manifest=bundle.manifest._replace(files=files))


def _pays(pair: tuple[Bundle, Bundle], child_us: Sequence[float], **options: Any) -> Pays:
    """Measure with a parent of 100 µs in every round."""
    launcher = Launcher({"fp32": [100] * len(child_us), "int8": child_us})
    return measure_pair(*pair, rounds=len(child_us), launch=launcher, **options)


def _gate(lost: int) -> Gate:
    truth = np.zeros(1000, np.int64)
    child = truth.copy()
    child[:lost] = 1
    compared = PairedComparison.of(truth, truth, child, ("a", "b"))
    return Gate(max_drop=0.01, validation=compared)


def test_a_slower_child_is_kept_for_its_bytes_alone(pair: tuple[Bundle, Bundle]) -> None:
    """The median of the rounds' ratios, and with six rounds their range as the interval."""
    result = _pays(pair, [210, 200, 220, 230, 190, 205])
    assert result.latency_ratio == pytest.approx(2.075)
    assert result.interval == (1.9, 2.3)
    assert (result.n, result.confidence, result.size_ratio) == (6, 0.96875, 0.5)
    assert result.recommendation == (
        "INT8 takes 2.08 times as long as FP32 here (1.90 to 2.30, 97 % interval, n 6) and has "
        "50 % of FP32's bytes: keep FP32 on this machine, take INT8 where bytes count"
    )


def test_a_faster_and_smaller_child_is_taken(pair: tuple[Bundle, Bundle]) -> None:
    """The plain good case."""
    result = _pays(pair, [50, 52, 48, 51, 49, 50])
    assert result.recommendation.startswith("INT8 takes 0.50 times as long as FP32 here")
    assert result.recommendation.endswith(": take INT8")


def test_an_interval_that_contains_1_shows_no_difference(pair: tuple[Bundle, Bundle]) -> None:
    """One round the other way round is enough for six not to tell."""
    result = _pays(pair, [110, 112, 98, 111, 109, 110])
    assert result.recommendation.startswith(
        "no difference in time between INT8 and FP32 could be shown here "
        "(ratio 1.10, 0.98 to 1.12, 97 % interval, n 6)"
    )
    assert result.recommendation.endswith("take INT8 where bytes count")


@pytest.mark.parametrize(("rounds", "shown"), [(1, False), (4, False), (5, True), (6, True)])
def test_few_rounds_prove_nothing(pair: tuple[Bundle, Bundle], rounds: int, shown: bool) -> None:
    """Four equal coins fall alike in one case of eight, whatever the ratio is."""
    result = _pays(pair, [300] * rounds)
    assert ("no difference" not in result.recommendation) is shown


def test_a_child_that_failed_its_gate_is_not_recommended(pair: tuple[Bundle, Bundle]) -> None:
    """However fast it is; its change of accuracy is the gate's own."""
    result = _pays(pair, [50] * 6, gate=_gate(lost=100))
    assert result.recommendation.endswith("keep FP32, since INT8 has not passed its accuracy gate")
    assert result.accuracy_change == pytest.approx(-0.1)
    assert result.accuracy_interval == _gate(100).validation.interval
    assert _pays(pair, [50] * 6, gate=_gate(lost=0)).recommendation.endswith("take INT8")


def test_a_child_that_is_larger_needs_another_reason(pair: tuple[Bundle, Bundle]) -> None:
    """Faster or not, bytes are then what speaks against it."""
    parent, child = pair
    swapped = (_of_half_the_bytes(_of_half_the_bytes(parent)), child)
    assert _pays(swapped, [50] * 6).recommendation.endswith("take INT8, and FP32 where bytes count")
    assert _pays(swapped, [200] * 6).recommendation.endswith(": keep FP32 on this machine")
    assert _pays(swapped, [90, 110] * 3).recommendation.endswith(": keep FP32")


def test_both_take_turns_and_the_one_that_begins_changes(pair: tuple[Bundle, Bundle]) -> None:
    """Else whatever follows a process would count for one of them alone."""
    launcher = Launcher({"fp32": [1] * 3, "int8": [1] * 3})
    measure_pair(*pair, rounds=3, threads=2, launch=launcher)
    names = [job.bundle.name for job in launcher.jobs]
    assert names == ["fp32", "int8", "int8", "fp32", "fp32", "int8"]
    assert {(job.threads, job.latency[0].batch, job.evaluate) for job in launcher.jobs} == {
        (2, 1, False)
    }


def test_a_process_that_fails_is_a_reason_and_the_last_one(pair: tuple[Bundle, Bundle]) -> None:
    """Compression does not fail since its result could not be timed."""
    launcher = Launcher({"fp32": [1] * 6, "int8": [1] * 6}, failing=1)
    result = measure_pair(*pair, launch=launcher)
    assert len(launcher.jobs) == 2
    assert (result.measured, result.latency_ratio, result.interval) == (False, None, None)
    assert result.reason == "INT8 failed: it crashed: SIGSEGV"
    assert "was not timed here (INT8 failed: it crashed: SIGSEGV)" in result.recommendation
    json.dumps(result.to_json())


def test_a_pair_that_cannot_be_compared_is_a_reason(pair: tuple[Bundle, Bundle]) -> None:
    """Different fixed batches; formats that share no runtime; a folder that is taken."""
    parent, child = pair
    other = child.manifest._replace(format="torchscript")
    launcher = Launcher({})
    result = measure_pair(parent, child._replace(manifest=other), launch=launcher)
    assert result.reason == "no runtime takes both onnx and torchscript"
    fixed = [
        one._replace(
            manifest=one.manifest._replace(
                input=one.manifest.input._replace(shape=(size, *one.manifest.picture_shape))
            )
        )
        for one, size in zip(pair, (1, 2), strict=True)
    ]
    different = measure_pair(*fixed, launch=launcher)
    assert different.reason is not None
    assert "different batches" in different.reason
    assert launcher.jobs == []


def test_samples_are_kept_where_that_is_asked_for(
    pair: tuple[Bundle, Bundle], tmp_path: Path
) -> None:
    """Raw samples of every process, and a second measurement does not write over them."""
    first = _pays(pair, [200] * 2, folder=tmp_path / "pays")
    assert first.measured
    assert len(list((tmp_path / "pays").glob("*/b.npy"))) == 4
    again = _pays(pair, [200] * 2, folder=tmp_path / "pays")
    assert not again.measured


def test_bundles_of_one_precision_are_told_apart(tmp_path: Path) -> None:
    """A student and its teacher are both FP32."""
    paths = (write_onnx_bundle(tmp_path / name, name=name) for name in ("big", "small"))
    big, small = (open_bundle(path) for path in paths)
    result = measure_pair(big, small, launch=Launcher({"fp32": [1] * 12}))
    assert result.recommendation.startswith("no difference in time between small and big")


def test_progress_tells_of_every_process(pair: tuple[Bundle, Bundle]) -> None:
    """And by default there are enough rounds for 95 %."""
    steps: list[Step] = []
    launcher = Launcher({"fp32": [1] * ROUNDS, "int8": [1] * ROUNDS})
    result = measure_pair(*pair, launch=launcher, progress=steps.append)
    assert [step.done for step in steps] == list(range(1, 2 * ROUNDS + 1))
    assert result.confidence is not None
    assert result.confidence >= 0.95
    with pytest.raises(UsageError, match="rounds"):
        measure_pair(*pair, rounds=0, launch=launcher)


def test_the_view_says_of_what_the_figures_are(
    pair: tuple[Bundle, Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    """Processor, runtime with its options, threads and batch; a restless machine is warned of."""
    launcher = Launcher({"fp32": [100] * 6, "int8": [200] * 6}, steady=False)
    result = measure_pair(*pair, launch=launcher, gate=_gate(lost=1))
    with Output() as out:
        out.result(result, view)
    shown, warned = capsys.readouterr()
    assert result.machine in shown
    assert "ort 1.31, exact=1, 1 thread, batch 1" in shown
    assert "200.0 to 200.0 µs against 100.0 to 100.0 µs" in shown
    assert "-0.100 percentage points" in shown
    assert "still getting faster" in warned


def test_two_real_bundles_are_really_timed(pair: tuple[Bundle, Bundle]) -> None:
    """Whatever the figures are: they are there, and they are of this machine."""
    result = measure_pair(*pair, rounds=1)
    assert result.measured, result.reason
    assert result.latency_ratio is not None
    assert result.latency_ratio > 0
    assert set(result.versions) == {"onnxruntime"}
    assert result.options == {"session.x64quantprecision": "1"}
