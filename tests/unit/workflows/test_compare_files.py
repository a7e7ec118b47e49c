"""Two results of ``bench`` that are made up: what is compared, what is not, and why.

Every test varies the same pair of results; for its sake they are one long file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.cli import comparing
from edgenet.cli.comparing_views import compared as view
from edgenet.cli.console import Output
from edgenet.errors import CorruptFile, UsageError
from edgenet.files import cache_root
from edgenet.runner import host
from edgenet.workflows import (
    Baseline,
    BenchResult,
    CompareArguments,
    CompareResult,
    compare,
)
from tests.bundles import write_evaluation_set, write_onnx_bundle
from tests.results import INVALID, MACHINE, VALID, accuracy, latency, queries, row, write


def _timed(medians_us: Sequence[float], batch: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the entry of processes with these medians."""
    entry = latency(queries(0, 600, 30.0), batch)
    return {**entry, "process_p50_us": list(medians_us), **changes}


def _result(folder: Path, medians_us: Sequence[float] = (100, 101, 102), **changes: Any) -> Path:
    return write(folder, [row("net", latency=[_timed(medians_us)], **changes)])


def _compare(a: Path, b: Path, **options: Any) -> CompareResult:
    return compare(CompareArguments(a=a, b=b, **options))


def _on(machine: str) -> dict[str, Any]:
    host_of = {**MACHINE["host"], "cpu": {"model": machine, "logical_cores": 4}}  # type: ignore[dict-item]
    return {**MACHINE, "host": host_of}


def test_processes_are_what_is_counted(tmp_path: Path) -> None:
    """Three of each, however many queries they have, and they were not neighbours."""
    a = _result(tmp_path / "a")
    b = _result(tmp_path / "b", (110, 111.1, 112.2))
    result = _compare(a, b / "result.json", fail_above=1.05)
    (times,) = result.times
    assert times.p50.value == pytest.approx(1.1)
    assert (times.p50.n_a, times.p50.n_b, times.p50.paired) == (3, 3, False)
    assert result.sentences[0].endswith(
        "95.0 % interval, n 3 and 3 processes, not in turns): slower, beyond the 1.05 that is "
        "allowed"
    )
    assert result.decision == "regression"
    assert any("not measured in turns" in note for note in result.notes)
    assert _compare(b, a, fail_above=1.05).decision == "done"


def test_one_process_of_each_cannot_tell(tmp_path: Path) -> None:
    """The ratio is shown, and decides nothing."""
    result = _compare(_result(tmp_path / "a", [100]), _result(tmp_path / "b", [200]), fail_above=1)
    assert result.sentences[0].startswith("B takes 2.000 times as long as A, which 1 and 1 process")
    assert result.sentences[0].endswith("cannot tell from chance: it takes 2")
    assert result.decision == "done"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "torchscript"},
        {"precision": "int8"},
        {"runtime": "openvino"},
        {"threads": 2},
        {"device": "cuda"},
    ],
)
def test_rows_that_were_made_otherwise_are_not_compared(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """With nothing in common the command fails; beside a common row they are named."""
    a, b = _result(tmp_path / "a"), _result(tmp_path / "b", **change)
    with pytest.raises(UsageError, match="no row that was made alike"):
        _compare(a, b)
    both = [row("net", latency=[_timed([100])]), row("other", latency=[_timed([100])], **change)]
    result = _compare(a, write(tmp_path / "c", both))
    assert [one.b.source.rpartition(": ")[2] for one in result.comparisons] == ["net"]
    (left,) = result.unmatched
    assert left.startswith("B: other (")


def test_another_clock_is_never_compared_with_ours(tmp_path: Path) -> None:
    """Even where all else is alike."""
    theirs = _timed([100], timed_by="trtexec")
    b = write(tmp_path / "b", [row("net", timed_by="trtexec", external=[theirs])])
    with pytest.raises(UsageError, match="made alike"):
        _compare(_result(tmp_path / "a"), b)


def test_rows_that_are_alike_are_told_apart_by_model_and_then_by_name(tmp_path: Path) -> None:
    """Two students beside each other; what stays ambiguous is left over."""
    names = [("x", "one"), ("y", "one"), ("z", "two")]
    rows = [row(name, model=model, latency=[_timed([100])]) for name, model in names]
    a = write(tmp_path / "a", rows)
    b = write(tmp_path / "b", [rows[2], rows[1], row("w", model="one", latency=[_timed([100])])])
    result = _compare(a, b)
    paired = [
        tuple(side.source.rpartition(": ")[2] for side in (one.a, one.b))
        for one in result.comparisons
    ]
    assert paired == [("y", "y"), ("z", "z")]
    assert [left.partition(" (")[0] for left in result.unmatched] == ["A: x", "B: w"]


def test_batch_sizes_that_only_one_has_are_named(tmp_path: Path) -> None:
    """And every one that both have needs its share of the certainty."""
    sizes = {"a": (1, 8, 64), "b": (1, 64, 32)}
    a, b = (
        write(tmp_path / name, [row("net", latency=[_timed([100, 101, 102], n) for n in batches])])
        for name, batches in sizes.items()
    )
    result = _compare(a, b)
    assert [times.batch for times in result.times] == [1, 64]
    assert all(times.p50.confidence == pytest.approx(0.975) for times in result.times)
    assert result.unmatched == ("A: net at batch 8", "B: net at batch 32")


def test_times_without_a_common_batch_pass_no_check(tmp_path: Path) -> None:
    """A regression check that compared nothing must not say that all is well."""
    a = write(tmp_path / "a", [row("net", latency=[_timed([100], 1)])])
    b = write(tmp_path / "b", [row("net", latency=[_timed([100], 8)])])
    assert "no row was timed" in str(_compare(a, b).times_reason)
    with pytest.raises(UsageError, match="no times can be judged"):
        _compare(a, b, fail_above=1.05)


def test_times_of_two_machines_are_refused_and_sizes_are_not(tmp_path: Path) -> None:
    """Unless that is asked for; the machines are named either way."""
    a = _result(tmp_path / "a")
    b = write(
        tmp_path / "b",
        [row("net", size_bytes=501_142, latency=[_timed([200, 201, 202])])],
        environment=_on("Another CPU"),
    )
    result = _compare(a, b)
    assert (result.times, result.comparisons[0].size_ratio) == ((), 2.0)
    assert result.to_json()["verdict"] is None
    assert "A was measured on Example CPU, 4 cores, B on Another CPU, 4 cores" in str(
        result.times_reason
    )
    with pytest.raises(UsageError, match="Another CPU") as caught:
        _compare(a, b, fail_above=1.05)
    assert "--across-machines" in str(caught.value.hint)
    across = _compare(a, b, fail_above=1.05, across_machines=True)
    assert across.decision == "regression"
    assert across.notes[0] == "A was measured on Example CPU, 4 cores, B on Another CPU, 4 cores"


def test_what_differs_is_told(tmp_path: Path) -> None:
    """Versions, the kernel, an interrupted measurement, a process that failed."""
    crash = {"ending": "crash", "reason": "SIGSEGV", "hint": None, "processes": 1}
    newer = {**MACHINE, "edgenet": "0.2.0", "host": {**MACHINE["host"], "kernel": "6.2"}}  # type: ignore[dict-item]
    timed = [_timed([100, 101])]
    b = write(
        tmp_path / "b",
        [row("net", latency=timed, versions={"onnxruntime": "1.21.0"}, failure=crash)],
        environment=newer,
        complete=False,
    )
    notes = _compare(_result(tmp_path / "a"), b).notes
    for told in (
        "B was interrupted: processes are missing",
        "B: 1 of net failed: SIGSEGV",
        "kernel: 6.1 in A, 6.2 in B",
        "edgenet: 0.1.0 in A, 0.2.0 in B",
        "onnxruntime: 1.20.0 in A, 1.21.0 in B",
    ):
        assert told in notes


def test_rows_that_are_called_alike_are_told_apart_in_every_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two INT8 files of one network, of which one became slower."""
    a, b = (
        write(
            tmp_path / name,
            [
                row("ptq", precision="int8", latency=[_timed([100, 101, 102])]),
                row("qat", precision="int8", latency=[_timed(times, verdict=verdict)]),
            ],
        )
        for name, times, verdict in (
            ("a", [100, 101, 102], VALID),
            ("b", [200, 202, 204], INVALID),
        )
    )
    result = _compare(a, b)
    assert [sentence.partition(" takes")[0] for sentence in result.sentences] == [
        "net int8 on onnxruntime (ptq), batch 1: B",
        "INVALID: net int8 on onnxruntime (qat), batch 1: B",
    ]
    with Output() as out:
        out.result(result, view)
    assert "INVALID at batch 1 (qat): B: other-load" in capsys.readouterr().err


CRASH = {"ending": "crash", "reason": "SIGSEGV", "hint": None, "processes": 1}


def test_a_configuration_that_failed_passes_no_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of some of its processes: INVALID, as `bench` says, too. Of all: nothing can be judged."""
    net, other = (
        row(precision, precision=precision, latency=[_timed([100, 101, 102])])
        for precision in ("fp32", "int8")
    )
    a = write(tmp_path / "a", [net, other])
    result = _compare(a, write(tmp_path / "b", [net, {**other, "failure": CRASH}]))
    assert [times.invalid for times in result.times] == [
        (),
        ("B: failed-process: 1 of its processes did not finish",),
    ]
    assert (result.decision, result.to_json()["verdict"]) == ("invalid", "INVALID")
    gone = write(tmp_path / "c", [net, {**other, "latency": [], "failure": CRASH}])
    assert _compare(a, gone).decision == "done"
    judged = _compare(a, gone, fail_above=1.05)
    assert (judged.decision, judged.untimed) == ("failed", ("int8: SIGSEGV",))
    assert len(judged.times) == 1
    only = write(tmp_path / "d", [{**other, "latency": [], "failure": CRASH}])
    assert _compare(write(tmp_path / "e", [other]), only, fail_above=1.05).decision == "failed"
    with Output() as out:
        assert out.result(judged, view, comparing.exit_code(judged.decision)) == 1
    assert "warning: B has no times of int8: SIGSEGV" in capsys.readouterr().err


def test_times_of_two_graphics_cards_are_refused(tmp_path: Path) -> None:
    """Where one of them ran the network; the processor beside it may be the same."""
    for device, compared in (("cuda", 0), ("cpu", 1)):
        a, b = (
            write(
                tmp_path / f"{device}-{card}",
                [row("net", device=device, latency=[_timed([100, 101])])],
                environment=_with(gpus=[card]),
            )
            for card in ("Tesla T4", "NVIDIA L4")
        )
        result = _compare(a, b)
        assert len(result.times) == compared
        assert ("4 cores, NVIDIA L4" in str(result.times_reason)) is not bool(compared)
        assert _compare(a, b, across_machines=True).times
    with pytest.raises(UsageError, match="no times can be judged: A was measured on"):
        _compare(tmp_path / "cuda-Tesla T4", tmp_path / "cuda-NVIDIA L4", fail_above=1.05)


def test_machines_that_are_not_told_are_not_the_same(tmp_path: Path) -> None:
    """Two results without a word on it may be of any."""
    a, b = (
        write(tmp_path / name, [row("net", latency=[_timed([100])])], environment={})
        for name in ("a", "b")
    )
    assert "B on an unknown machine" in str(_compare(a, b).times_reason)


def test_what_the_runtime_and_the_board_were_set_to_is_told_where_it_differs(
    tmp_path: Path,
) -> None:
    """Half the power or another arithmetic is no property of the network."""
    a, b = (
        write(
            tmp_path / mode,
            [row("net", latency=[_timed([100, 101])], options=options, cores=cores)],
            environment=_with(jetson={"power_mode_name": mode, "l4t": "32.7.1"}),
        )
        for mode, options, cores in (("MAXN", {"exact": "1"}, [1]), ("5W", {}, None))
    )
    assert set(_compare(a, b).notes) >= {
        "power_mode_name: MAXN in A, 5W in B",
        "exact: 1 in A, None in B",
        "pinned to a processor: True in A, False in B",
    }


def test_how_to_measure_is_refused_for_results_that_have_been(tmp_path: Path) -> None:
    """What was asked for is never left out in silence."""
    a = _result(tmp_path / "a")
    with pytest.raises(UsageError, match="as they are, without --threads, --no-accuracy"):
        _compare(a, a, threads=2, accuracy=False)
    bundle = write_onnx_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match="--across-machines is about two results"):
        _compare(bundle, bundle, across_machines=True)


def _with(**facts: Any) -> dict[str, Any]:
    return {**MACHINE, "host": {**MACHINE["host"], **facts}}  # type: ignore[dict-item]


def test_an_invalid_side_makes_the_comparison_invalid(tmp_path: Path) -> None:
    """Unless the verdict is only to be told; a result without one is told, too."""
    a = _result(tmp_path / "a")
    b = write(tmp_path / "b", [row("net", latency=[_timed([120, 121, 122], verdict=INVALID)])])
    result = _compare(a, b, fail_above=1.05)
    assert result.decision == "invalid"
    assert result.times[0].invalid == ("B: other-load: other programs kept 0.87 cores busy",)
    assert _compare(a, b, fail_above=1.05, allow_invalid=True).decision == "regression"
    old = write(tmp_path / "c", [row("net", latency=[_timed([100, 101], verdict=None)])])
    unjudged = _compare(old, a)
    assert "A was not judged" in unjudged.times[0].remarks[0]
    told = unjudged.to_json()
    assert (told["verdict"], told["comparisons"][0]["times"][0]["verdict"]) == (None, None)
    assert _compare(a, a).to_json()["verdict"] == "VALID"


def test_answers_are_paired_from_what_lies_beside_the_results(tmp_path: Path) -> None:
    """Logits of both, labels from the cache; without them it is said what is missing."""
    pictures = write_evaluation_set(tmp_path / "pictures")
    digest = json.loads((pictures / "meta.json").read_text())["digest"]
    labels = np.load(pictures / "labels.npy")
    folders = []
    for name, wrong in (("a", 10), ("b", 13)):
        process = tmp_path / name / "processes" / "net-1"
        process.mkdir(parents=True)
        logits = np.eye(3, dtype=np.float32)[labels]
        logits[:wrong] = np.roll(logits[:wrong], 1, axis=1)
        np.save(process / "logits.npy", logits)
        np.save(process / "b1.npy", queries(0, 600, 30.0))
        counts = {"correct": 100 - wrong, "n": 100, "digest": digest}
        events = [
            {"event": "accuracy", "logits": "logits.npy", **counts},
            {"event": "latency", "batch": 1, "samples": "b1.npy"},
        ]
        kept = {"configuration": "net", "folder": "processes/net-1", "ending": "finished"}
        found = accuracy(None, None, accuracy=1 - wrong / 100, **counts)
        rows = [row("net", latency=[_timed([100])], accuracy=found, accuracy_reason=None)]
        folders.append(write(tmp_path / name, rows, processes=[{**kept, "events": events}]))
    (one,) = _compare(*folders).comparisons
    assert one.answers is None
    assert "cannot be read" in str(one.answers_reason)
    cached = cache_root() / "evaluation" / digest
    cached.parent.mkdir(parents=True, exist_ok=True)
    pictures.rename(cached)
    (one,) = _compare(*folders).comparisons
    assert one.answers is not None
    assert (one.answers.only_parent_right, one.answers.only_child_right) == (3, 0)
    p90 = one.times[0].p90
    assert p90 is not None
    assert (p90.value, p90.interval) == (1.0, None)


def test_what_is_no_pair_of_results_is_refused(tmp_path: Path) -> None:
    """A bundle beside a result, another verb's result, one whose processes have no medians."""
    a = _result(tmp_path / "a")
    with pytest.raises(UsageError, match="is a result, and the other is none"):
        _compare(a, write_onnx_bundle(tmp_path / "bundle"))
    with pytest.raises(UsageError, match="is not empty"):
        _compare(a, a, output=a)  # it would write over the result itself
    with pytest.raises(UsageError, match="no result of edgenet bench"):
        _compare(a, write(tmp_path / "c", [], schema="edgenet.compare/1"))
    for medians in ([], [0.0], [float("1e999")]):
        broken = _result(tmp_path / "d", medians)
        file = broken / "result.json"
        file.write_text(file.read_text().replace("Infinity", "1e999"))
        with pytest.raises(CorruptFile, match="has no medians"):
            _compare(a, broken)
    with pytest.raises(CorruptFile, match="no bytes"):
        _compare(_result(tmp_path / "e", size_bytes=0), a)


def test_a_baseline_is_looked_at_before_anything_is_measured(tmp_path: Path) -> None:
    """Another machine's would be refused after minutes, or compared."""
    with pytest.raises(UsageError, match="this is"):
        Baseline(source=_result(tmp_path / "a"))
    Baseline(source=tmp_path / "a", across_machines=True)
    with pytest.raises(UsageError, match="is no result"):
        Baseline(source=tmp_path)
    with pytest.raises(UsageError, match="none is named"):
        Baseline(source=None, fail_above=1.05)
    with pytest.raises(UsageError, match="--fail-above takes"):
        Baseline(source=tmp_path / "a", fail_above=-1.0)


def test_a_measurement_is_compared_with_its_baseline(tmp_path: Path) -> None:
    """Under one object in JSON; what cannot be compared is a reason and never a pass."""
    here = {**MACHINE, "host": host.describe()}
    a, b, c = (
        write(tmp_path / name, [row("net", latency=[_timed(times)])], environment=here)
        for name, times in (("a", [100, 101]), ("b", [180, 181]), ("c", [100, 101]))
    )
    write(c, [row("net", precision="int8", latency=[_timed([100])])], environment=here)
    baseline = Baseline(source=a, fail_above=1.05)
    slower, other = (baseline.compare(_measured(folder)) for folder in (b, c))
    assert slower.decision == "regression"
    assert slower.to_json()["baseline"]["decision"] == "regression"
    assert (other.decision, other.to_json()["baseline"]) == ("failed", None)
    assert "no row that was made alike" in other.to_json()["baseline_reason"]
    itself = baseline.compare(_measured(a))
    assert (itself.decision, itself.reason) == ("failed", "it was written over by this measurement")
    assert (baseline.folder, Baseline(source=None).folder) == (a, None)
    none = Baseline(source=None).compare(_measured(b))
    assert (none.decision, none.to_json()) == ("done", _measured(b).to_json())


def _measured(path: Path) -> BenchResult:
    return BenchResult(rows=(), environment={}, path=path, complete=True)


def test_the_view_tells_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the table stays one."""
    other = row("other", precision="int8", latency=[_timed([100])])
    b = write(tmp_path / "b", [row("net", latency=[_timed([104, 105, 106])]), other])
    with Output() as out:
        out.result(_compare(_result(tmp_path / "a"), b), view)
    shown, told = capsys.readouterr()
    assert shown.startswith("B takes 1.040 times as long as A")
    assert "p50 at batch 1" in shown
    assert "accuracy is not compared: A has no accuracy" in told
    assert "not compared, since only one has it: B: other (onnx, int8" in told
