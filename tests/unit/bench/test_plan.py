"""What is measured, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenet.bench.plan import configurations, interleaved
from edgenet.errors import UsageError
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
    with pytest.raises(UsageError, match="no runtime takes the format 'engine'"):
        configurations([_bundle(tmp_path / "a", "engine")])


def test_processes_take_turns_and_every_second_round_goes_backwards(tmp_path: Path) -> None:
    """A machine that slows down slows all of them alike."""
    planned = configurations([_bundle(tmp_path / name) for name in "ABC"])
    order = [turn.name.replace("-onnxruntime-", "") for turn in interleaved(planned, 3)]
    assert order == ["A1", "B1", "C1", "C2", "B2", "A2", "A3", "B3", "C3"]
