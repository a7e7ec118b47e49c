"""Two bundles in turns, by processes whose times and whose machine are made up.

Every test varies the one launcher that makes them up; for its sake they are one long file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.cli import comparing
from edgenet.cli.comparing_views import compared as view
from edgenet.cli.console import Output
from edgenet.errors import CorruptFile, EdgenetError, NotPossible, UsageError
from edgenet.launch.outcome import Ending, Outcome
from edgenet.progress import Step
from edgenet.runner.job import Job
from edgenet.statistics import paired_interval
from edgenet.workflows import CompareArguments, CompareResult, compare
from edgenet.workflows.compare_arguments import ROUNDS
from tests.bundles import LABELS, edit_manifest, write_evaluation_set, write_onnx_bundle

QUIET = {"at_ns": 0, "cpu_ticks": {"user": 0, "idle": 0}, "ticks_per_s": 100}
OWN = {"user_s": 0.0, "system_s": 0.0}


class Launcher:
    """Answers every job at once, with the next made-up median of its bundle.

    Args:
        times_us: By the bundle's folder, one after the other; a query of batch N takes N times it.
        loud: Jobs by number, from 0, during which another program keeps a core busy.
        failing: What becomes of the last job, with the code of its error.
    """

    def __init__(
        self,
        times_us: Mapping[str, Sequence[float]],
        loud: Sequence[int] = (),
        failing: str | None = None,
    ) -> None:
        self.jobs: list[Job] = []
        self._times = {name: iter(values) for name, values in times_us.items()}
        self._loud = loud
        self._failing = failing

    def __call__(self, job: Job, job_file: Path, **options: Any) -> Outcome:
        """Answer as `edgenet.launch.local.run_job` does."""
        assert job_file.parent.is_dir()
        number = len(self.jobs)
        self.jobs.append(job)
        if self._failing:
            return Outcome(ending=Ending.ERROR, reason="it cannot", code=self._failing)
        median_ns = round(next(self._times[job.bundle.name]) * 1000)
        memory = {"peak_bytes": (50 + len(job.bundle.name)) << 20}
        events: list[Mapping[str, Any]] = [
            {"event": "imported", "ms": 1, "versions": {"ort": "1.31"}, "memory": memory},
            {"event": "loaded", "ms": 1, "options": {}},
            {"event": "first-inference", "ms": 1, "since_launch_ms": 1, "observing_ms": 0},
        ]
        for scenario in job.latency:
            name = f"b{scenario.batch}.npy"
            query = [0, median_ns * scenario.batch, 0]
            np.save(job.output / name, np.array([query] * 100, np.int64))
            busy = 80 if number in self._loud else 0
            after = {**QUIET, "at_ns": 10**9, "cpu_ticks": {"user": busy, "idle": 200 - busy}}
            events += [
                {"event": "settled", "batch": scenario.batch, "memory": memory},
                {
                    "event": "latency",
                    "batch": scenario.batch,
                    "samples": name,
                    "steady": True,
                    "host_before": {**QUIET, "own": OWN},
                    "host_after": {**after, "own": OWN},
                },
            ]
        if job.evaluate:
            events.append(_answers(job))
        return Outcome(ending=Ending.FINISHED, events=tuple(events))


def _answers(job: Job) -> Mapping[str, Any]:
    """Get 10 pictures wrong, or 13 in a folder called ``after``."""
    assert job.evaluation_set is not None
    labels = np.load(job.evaluation_set / "labels.npy")
    logits = np.eye(len(LABELS), dtype=np.float32)[labels]
    wrong = 13 if job.bundle.name == "after" else 10
    logits[:wrong] = np.roll(logits[:wrong], 1, axis=1)
    np.save(job.output / "logits.npy", logits)
    digest = json.loads((job.evaluation_set / "meta.json").read_text())["digest"]
    counts = {"correct": len(labels) - wrong, "n": len(labels), "not_finite": 0}
    return {"event": "accuracy", "digest": digest, "logits": "logits.npy", **counts}


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Test pictures that every data set is taken to have."""
    written = write_evaluation_set(tmp_path / "pictures")
    monkeypatch.setattr("edgenet.data.evaluation.write_evaluation_set", lambda split: written)
    monkeypatch.setattr(
        "edgenet.workflows.bench_data.PictureSource._load", lambda *_: _split(written)
    )
    return written


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles of the same network."""
    return write_onnx_bundle(tmp_path / "before"), write_onnx_bundle(tmp_path / "after")


def _compare(
    pair: tuple[Path, Path],
    after_us: Sequence[float],
    *,
    loud: Sequence[int] = (),
    **options: Any,
) -> CompareResult:
    """Compare with an A of 100 µs in every round."""
    rounds = len(after_us)
    launcher = Launcher({"before": [100] * rounds, "after": after_us}, loud)
    arguments = {"accuracy": False, "rounds": rounds, **options}
    return compare(CompareArguments(a=pair[0], b=pair[1], **arguments), launch=launcher)


def test_a_slower_bundle_is_found_and_is_one_sentence(pair: tuple[Path, Path]) -> None:
    """What a person reads first, and beyond the limit the code for programs."""
    result = _compare(pair, [102, 101.5, 103, 104] * 3, fail_above=1.05)
    (sentence,) = result.sentences
    assert sentence == (
        "B takes 1.025 times as long as A (1.015 to 1.040, 96.1 % interval, n 12 rounds): "
        "slower, within the 1.05 that is allowed"
    )
    (sentence,) = _compare(pair, [102, 101, 103, 104] * 3).sentences
    assert sentence == (
        "B takes 1.025 times as long as A (1.010 to 1.040, 96.1 % interval, n 12 rounds): "
        "not told apart by more than 1 %; about 14 rounds would tell"
    )
    assert result.decision == "done"
    beyond = _compare(pair, [107, 106, 108, 107] * 3, fail_above=1.05)
    assert beyond.sentences[0].endswith("slower, beyond the 1.05 that is allowed")
    assert beyond.decision == "regression"
    assert _compare(pair, [107, 106, 108, 107] * 3).decision == "done"


def test_a_ratio_that_cannot_be_told_from_the_limit_is_no_failure(pair: tuple[Path, Path]) -> None:
    """It is said, with how many rounds would tell."""
    result = _compare(pair, [103, 104, 108, 102, 106, 104] * 2, fail_above=1.05)
    assert result.decision == "done"
    assert (
        "whether that keeps to the 1.05 that is allowed cannot be told (about"
        in (result.sentences[0])
    )
    few = _compare(pair, [110] * 4, fail_above=1.05)
    assert few.decision == "done"
    assert few.sentences == (
        "B takes 1.100 times as long as A, which 4 rounds cannot tell from chance: it takes 6",
    )


def test_both_take_turns_pinned_and_the_one_that_begins_changes(pair: tuple[Path, Path]) -> None:
    """By default 12 rounds of batch 1, without a look at any picture."""
    launcher = Launcher({"before": [100] * ROUNDS, "after": [100] * ROUNDS})
    steps: list[Step] = []
    arguments = CompareArguments(a=pair[0], b=pair[1], accuracy=False, threads=2)
    result = compare(arguments, launch=launcher, progress=steps.append)
    names = [job.bundle.name for job in launcher.jobs]
    assert names[:6] == ["before", "after", "after", "before", "before", "after"]
    assert len(names) == 2 * ROUNDS == len(steps)
    assert {(job.threads, job.pin, job.evaluate) for job in launcher.jobs} == {(2, True, False)}
    assert [scenario.batch for scenario in launcher.jobs[0].latency] == [1]
    assert result.comparisons[0].a.threads == 2


def test_two_disturbed_rounds_are_told_and_three_are_invalid(pair: tuple[Path, Path]) -> None:
    """Two of 12 cannot carry an end of the interval with them; a third can."""
    fine = _compare(pair, [110] * 12, loud=[0, 1, 2], fail_above=1.05)
    assert fine.decision == "regression"
    assert [remark.partition(":")[0] for remark in fine.times[0].remarks] == ["other-load"] * 2
    loud = _compare(pair, [110] * 12, loud=[0, 2, 4], fail_above=1.05)
    assert loud.decision == "invalid"
    assert loud.sentences[0].startswith("INVALID: B takes 1.100 times as long")
    (reason,) = loud.times[0].invalid
    assert reason.startswith("3 of 12 rounds were disturbed, at most 2 may be: other-load: ")
    allowed = _compare(pair, [110] * 12, loud=[0, 2, 4], fail_above=1.05, allow_invalid=True)
    assert allowed.decision == "regression"
    assert allowed.to_json()["verdict"] == "INVALID"


def test_every_batch_size_is_decided_on_and_all_of_it_holds_with_95(
    pair: tuple[Path, Path],
) -> None:
    """Two findings take 97.5 % each; each sentence says of what it is."""
    result = _compare(pair, [110] * 12, batches=(64, 1), fail_above=1.05)
    assert [times.batch for times in result.times] == [1, 64]
    assert all(times.p50.confidence >= 0.975 for times in result.times)
    assert result.sentences[1].startswith("tiny fp32 on onnxruntime, batch 64: B takes 1.100")


@pytest.mark.usefixtures("pictures")
def test_sizes_memory_and_answers_stand_beside_the_times(
    pair: tuple[Path, Path],
) -> None:
    """Both are run over the same pictures, once, and counted in pairs."""
    launcher = Launcher({"before": [100] * 6, "after": [100] * 6})
    arguments = CompareArguments(a=pair[0], b=pair[1], rounds=6, data="made-up")
    (one,) = compare(arguments, launch=launcher).comparisons
    assert [job.evaluate for job in launcher.jobs] == [False] * 10 + [True] * 2
    assert one.answers is not None
    assert (one.answers.change, one.answers.interval) == (-0.03, paired_interval(0, 3, 100))
    assert (one.a.accuracy, one.b.accuracy) == (0.9, 0.87)
    assert (one.size_ratio, one.peak_mib_change) == (1.0, -1.0)
    shown = one.to_json()["accuracy"]
    assert (shown["only_a_right"], shown["only_b_right"], shown["n"]) == (3, 0, 100)


def _split(folder: Path) -> Any:
    from edgenet.data import Split

    return Split(
        name="test",
        images=np.load(folder / "images.npy"),
        labels=np.load(folder / "labels.npy"),
        class_names=LABELS,
    )


def test_what_is_kept_goes_into_a_new_folder(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The result and every raw sample; nothing old is written over."""
    kept = tmp_path / "kept"
    result = _compare(pair, [110] * 6, output=kept)
    assert json.loads((kept / "result.json").read_text()) == result.to_json()
    assert len(list(kept.glob("processes/*/b1.npy"))) == 12
    with pytest.raises(UsageError, match="is not empty"):
        _compare(pair, [110] * 6, output=kept)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("failed", EdgenetError), ("not-possible", NotPossible), ("corrupt-file", CorruptFile)],
)
def test_a_process_that_fails_ends_it_with_its_own_error(
    pair: tuple[Path, Path], code: str, kind: type[EdgenetError]
) -> None:
    """Without one of the two there is nothing to compare."""
    launcher = Launcher({}, failing=code)
    with pytest.raises(kind, match="before failed: it cannot") as caught:
        compare(CompareArguments(a=pair[0], b=pair[1], accuracy=False), launch=launcher)
    assert type(caught.value) is kind
    assert len(launcher.jobs) == 1


def test_bundles_of_different_batches_have_no_common_query(tmp_path: Path) -> None:
    """The only batch of one is taken; two of them contradict each other."""
    free, four, five = (
        write_onnx_bundle(tmp_path / f"b{batch}", batch=batch) for batch in (None, 4, 5)
    )
    launcher = Launcher({"bNone": [1] * 6, "b4": [1] * 6})
    asked = CompareArguments(a=free, b=four, accuracy=False, rounds=6)
    result = compare(asked, launch=launcher)
    assert [times.batch for times in result.times] == [4]
    with pytest.raises(UsageError, match="different batches"):
        compare(CompareArguments(a=four, b=five, accuracy=False), launch=launcher)


def test_a_batch_size_that_one_does_not_take_is_refused(pair: tuple[Path, Path]) -> None:
    """It was asked for; a comparison without it, or without any, would look like a whole one."""
    launcher = Launcher({"before": [1] * 6, "after": [1] * 6})
    left_out = {"event": "skipped", "what": "latency", "batch": 8, "reason": "it takes 1"}

    def launch(job: Job, job_file: Path, **options: Any) -> Outcome:
        answer = launcher(job, job_file, **options)
        return replace(answer, events=(*answer.events, left_out))

    asked = CompareArguments(a=pair[0], b=pair[1], accuracy=False, batches=(1, 8))
    with pytest.raises(UsageError, match="before cannot be compared at batch 8: it takes 1"):
        compare(asked, launch=launch)
    assert len(launcher.jobs) == 1


@pytest.mark.usefixtures("pictures")
def test_both_are_timed_on_the_same_kind_of_pictures(
    pair: tuple[Path, Path],
) -> None:
    """Where the test pictures of one are not known, both run on golden inputs."""
    edit_manifest(pair[0], lambda manifest: manifest["options"].update(data="shapes"))
    launcher = Launcher({"before": [100] * 6, "after": [100] * 6})
    asked = CompareArguments(a=pair[0], b=pair[1], rounds=6)
    (one,) = compare(asked, launch=launcher).comparisons
    assert {job.evaluation_set for job in launcher.jobs} == {None}
    assert "data set is not known" in str(one.answers_reason)


def test_a_run_stands_for_its_only_bundle(tmp_path: Path) -> None:
    """With several, they are named."""
    run = tmp_path / "runs" / "train" / "net"
    bundle = write_onnx_bundle(run / "bundles" / "before")
    (run / "args.toml").write_text("")
    other = write_onnx_bundle(tmp_path / "after")
    assert _compare((run, other), [100] * 6).comparisons[0].a.source == str(bundle)
    write_onnx_bundle(run / "bundles" / "second")
    with pytest.raises(UsageError, match="has 2 bundles") as caught:
        _compare((run, other), [100] * 6)
    assert str(bundle) in str(caught.value.hint)


def test_two_formats_are_each_run_by_what_takes_them(pair: tuple[Path, Path]) -> None:
    """Nothing runs both; that is a comparison, too, and its conditions say so."""
    edit_manifest(pair[1], lambda manifest: manifest.update(format="torchscript"))
    (one,) = _compare(pair, [100] * 6).comparisons
    assert (one.a.runtime, one.b.runtime) == ("onnxruntime", "torchscript")


def test_a_program_that_times_itself_takes_no_turns(pair: tuple[Path, Path]) -> None:
    """Its clock is another one."""
    with pytest.raises(UsageError, match="times itself"):
        _compare(pair, [100] * 6, runtime="trtexec")


def test_the_view_begins_with_the_finding_and_says_of_what_it_is(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the figures, then the conditions; what was disturbed goes to stderr."""
    result = _compare(pair, [110, 111] * 6, loud=[0, 2, 4])
    with Output() as out:
        assert out.result(result, view, comparing.exit_code(result.decision)) == 4
    shown, warned = capsys.readouterr()
    assert shown.startswith("INVALID: B takes 1.105 times as long as A (1.100 to 1.110, 96.1 %")
    assert "× 1.105" in shown
    assert "100.0 µs" in shown
    assert "ort 1.31, cpu, 1 thread" in shown
    assert "warning: INVALID at batch 1 (tiny fp32): 3 of 12 rounds" in warned
    assert "accuracy is not compared: no accuracy was asked for" in warned
