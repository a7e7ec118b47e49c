"""What is measured, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.bench import plan
from edgenet.bench.plan import check_possible, configurations, interleaved
from edgenet.errors import NotPossible, UsageError
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle, open_bundle
from tests.bundles import edit_manifest, write_onnx_bundle


def _bundle(folder: Path, format: str = "onnx") -> Bundle:
    write_onnx_bundle(folder)
    edit_manifest(folder, lambda manifest: manifest.update(format=format))
    return open_bundle(folder)


def test_every_bundle_gets_the_first_runtime_that_takes_its_format(tmp_path: Path) -> None:
    """In the order of the sources."""
    bundles = [_bundle(tmp_path / "b", "torchscript"), _bundle(tmp_path / "a")]
    planned = configurations(bundles)
    assert [one.runtime for one in planned] == ["torchscript", "onnxruntime"]
    assert [one.name for one in planned] == ["b-torchscript", "a-onnxruntime"]


def test_named_runtimes_leave_out_the_bundles_that_they_do_not_take(tmp_path: Path) -> None:
    """The user has chosen."""
    bundles = [_bundle(tmp_path / "a"), _bundle(tmp_path / "b", "torchscript")]
    assert [one.name for one in configurations(bundles, ["onnxruntime"])] == ["a-onnxruntime"]


def test_bundles_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    """Two runs both have an onnx-fp32."""
    bundles = [_bundle(tmp_path / str(run) / "onnx-fp32") for run in range(3)]
    names = [one.name for one in configurations(bundles)]
    assert names == [f"onnx-fp32-onnxruntime{number}" for number in ("", "-2", "-3")]


def test_a_runtime_that_takes_nothing_of_it_is_an_error(tmp_path: Path) -> None:
    """With what it takes and what there is."""
    with pytest.raises(UsageError, match="torchscript takes torchscript; there is only onnx"):
        configurations([_bundle(tmp_path / "a")], ["torchscript"])
    with pytest.raises(UsageError, match="unknown runtime"):
        configurations([_bundle(tmp_path / "b")], ["tensorflow"])


def test_a_format_without_a_runtime_is_an_error(tmp_path: Path) -> None:
    """It names the bundle."""
    with pytest.raises(NotPossible, match="no runtime takes the format 'unheard-of'"):
        configurations([_bundle(tmp_path / "a", "unheard-of")])


def test_the_device_of_a_row_is_the_one_asked_for_or_the_runtimes_own(tmp_path: Path) -> None:
    """The CPU wherever a runtime can; another runtime, never another device, than was named."""
    bundles = [_bundle(tmp_path / "a"), _bundle(tmp_path / "b", "engine")]
    planned = configurations(bundles)
    assert [(one.runtime, one.device) for one in planned] == [
        ("onnxruntime", "cpu"),
        ("tensorrt", "cuda"),
    ]
    asked = configurations(bundles, ["onnxruntime", "trtexec"], "cuda:1")
    assert {one.device for one in asked} == {"cuda:1"}
    assert [one.name for one in asked] == ["a-onnxruntime", "a-trtexec", "b-trtexec"]
    assert [one.times_itself for one in asked] == [False, True, True]


def test_a_device_that_a_runtime_does_not_run_on_is_refused(tmp_path: Path) -> None:
    """Whether the runtime was named or not."""
    bundles = [_bundle(tmp_path / "a", "torchscript")]
    with pytest.raises(NotPossible, match="torchscript does not run on cuda"):
        configurations(bundles, ["torchscript"], "cuda")
    with pytest.raises(NotPossible, match=r"no runtime takes .* on cuda"):
        configurations(bundles, (), "cuda")
    with pytest.raises(NotPossible, match="tensorrt does not run on cpu"):
        configurations([_bundle(tmp_path / "b")], ["tensorrt"], "cpu")


@pytest.mark.parametrize(
    ("no_gpu", "missing", "words"),
    [
        ("no driver", None, "on cuda: no driver"),
        (None, "it is not installed", "on cuda: it is not installed"),
        ("no driver", "it is not installed", "on cuda: it is not installed; no driver"),
        ("no driver", "no library; no driver", "on cuda: no library; no driver"),
    ],
)
def test_what_a_gpu_needs_is_looked_at_before_anything_is_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_gpu: str | None,
    missing: str | None,
    words: str,
) -> None:
    """Everything that is missing is said at once."""
    monkeypatch.setattr(plan, "probe", lambda: no_gpu)
    monkeypatch.setattr(runtimes, "unavailable", lambda name: missing)
    planned = configurations([_bundle(tmp_path / "a")], ["tensorrt"])
    with pytest.raises(NotPossible) as caught:
        check_possible(planned, other_interpreter=False)
    assert caught.value.message.endswith(words)


def test_what_runs_on_the_cpu_or_times_itself_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing for it is a reason in its row; so is what another Python has not."""
    monkeypatch.setattr(plan, "probe", lambda: "no driver")
    monkeypatch.setattr(runtimes, "unavailable", lambda name: "it is not installed")
    bundles = [_bundle(tmp_path / "a")]
    check_possible(configurations(bundles, ["onnxruntime", "trtexec"]), other_interpreter=False)
    monkeypatch.setattr(plan, "probe", lambda: None)
    check_possible(configurations(bundles, ["tensorrt"]), other_interpreter=True)


def test_processes_take_turns_and_every_second_round_goes_backwards(tmp_path: Path) -> None:
    """A machine that slows down slows all of them alike."""
    planned = configurations([_bundle(tmp_path / name) for name in "ABC"])
    order = [turn.name.replace("-onnxruntime-", "") for turn in interleaved(planned, 3)]
    assert order == ["A1", "B1", "C1", "C2", "B2", "A2", "A3", "B3", "C3"]
