"""The lint of a bundle: which graph of it is looked at, for which target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgenet.cli.app import main
from edgenet.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_USAGE, UsageError
from edgenet.runner.bundle import open_bundle
from edgenet.targets import TABLE
from edgenet.verify.lint_bundle import lint_bundle, lint_recorded
from edgenet.verify.metadata import FIELDS, KEY
from edgenet.workflows import VerifyArguments, verify
from tests.bundles import (
    edit_manifest,
    edit_onnx,
    replace_file,
    write_onnx_bundle,
)


@pytest.fixture(autouse=True)
def _no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave TensorRT's own parser out; it has tests of its own."""
    monkeypatch.setattr("edgenet.verify.tensorrt_rtx.MODULE", "no_such_library")


def made_for(bundle: Path, target: str, **options: Any) -> Path:
    """Say in a bundle's manifest which target it was made for."""
    edit_manifest(bundle, lambda manifest: manifest.update(target=target, options=options))
    return bundle


def test_verify_adds_a_row_for_every_rule_of_the_target_that_is_named(tmp_path: Path) -> None:
    """Beside those of the bundle itself, and in the JSON once more with place and advice apart."""
    bundle = write_onnx_bundle(tmp_path / "tiny")
    result = verify(VerifyArguments(bundle=bundle, target="jetson-nano"))
    rows = {check.name: check for check in result.verification.checks}
    assert {"hashes", "golden", "jetson-nano: opset", "jetson-nano: memory"} <= set(rows)
    assert rows["jetson-nano: opset"].status == "ok"
    assert rows["jetson-nano: input"].status == "failed"
    assert not result.passed
    written = result.to_json()["lint"]
    (row,) = [row for row in written["rows"] if row["status"] == "failed"]
    assert (row["rule"], row["place"]) == ("input", "input 'input'")
    assert row["advice"].startswith("export with --target jetson-nano")


def test_verify_lints_for_the_target_that_the_bundle_was_made_for(tmp_path: Path) -> None:
    """Without one, and without one that is named, there are no such rows."""
    bundle = write_onnx_bundle(tmp_path / "tiny")
    plain = verify(VerifyArguments(bundle=bundle))
    assert plain.lint is None
    assert not any(":" in check.name for check in plain.verification.checks)
    made_for(bundle, "raspberry-pi-4")
    found = verify(VerifyArguments(bundle=bundle)).lint
    assert found is not None
    assert (found.target, found.passed) == ("raspberry-pi-4", True)
    named = verify(VerifyArguments(bundle=bundle, target="jetson-nano")).lint
    assert named is not None
    assert named.target == "jetson-nano"


def test_a_target_that_is_not_known_is_an_error_with_the_nearest_name() -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="jetson-nanno") as caught:
        VerifyArguments(bundle="anywhere", target="jetson-nanno")
    assert caught.value.hint == "did you mean 'jetson-nano'?"


def test_a_target_of_the_manifest_that_is_not_known_is_told_and_not_looked_at(
    tmp_path: Path,
) -> None:
    """The bundle may be of another version of edgenet; that is no fault of its graph."""
    bundle = made_for(write_onnx_bundle(tmp_path / "tiny"), "jetson-nanno")
    report = lint_recorded(open_bundle(bundle))
    assert report is not None
    (check,) = report.checks()
    assert (check.name, check.status) == ("jetson-nanno: target", "not run")
    assert "did you mean 'jetson-nano'?" in check.detail


def test_the_command_shows_the_rules_apart_and_ends_with_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a gate would; a mistyped name ends with 2 and the nearest one."""
    folder = write_onnx_bundle(tmp_path / "tiny")
    declared = open_bundle(folder).manifest.to_json()
    own = json.dumps({name: declared[name] for name in FIELDS})
    edit_onnx(folder, lambda model: onnx.helper.set_model_props(model, {KEY: own}))
    bundle = str(folder)
    assert main(["verify", bundle, "--target", "jetson-nano"]) == EXIT_CHECK_FAILED
    shown = capsys.readouterr().out
    before, _, rules = shown.partition("rules of jetson-nano")
    assert "golden" in before
    assert "memory" not in before
    assert "it is uint8, which TensorRT 8.2 takes nowhere" in rules
    assert main(["verify", bundle, "--target", "raspberry-pi-5"]) == EXIT_DONE
    assert main(["verify", bundle, "--target", "rasberry-pi-5"]) == EXIT_USAGE
    assert "did you mean 'raspberry-pi-5'?" in capsys.readouterr().err
    assert main(["verify", bundle]) == EXIT_DONE
    assert "rules of" not in capsys.readouterr().out


def test_a_precision_that_the_target_does_not_have_is_one_failed_row(tmp_path: Path) -> None:
    """With what to do instead."""
    bundle = made_for(write_onnx_bundle(tmp_path / "tiny"), "jetson-nano", engine={"built": False})
    edit_manifest(bundle, lambda manifest: manifest.update(precision="int8"))
    report = lint_bundle(open_bundle(bundle), TABLE["jetson-nano"])
    (row,) = report.failures
    assert row.rule == "precision"
    assert "--precision fp16 for its GPU" in row.advice


def test_the_graph_that_an_engine_is_built_from_is_for_tensorrt_alone(tmp_path: Path) -> None:
    """It lies beside the engine, and is the same whether the engine is there yet or not."""
    bundle = made_for(write_onnx_bundle(tmp_path / "plan"), "cuda", engine={"built": False})
    report = lint_bundle(open_bundle(bundle), TABLE["cuda"])
    assert "onnxruntime" not in report.rows[0].detail
    graph = (bundle / "model.onnx").read_bytes()
    replace_file(bundle, "model.engine", b"a plan")
    replace_file(bundle, "model.onnx", graph)
    edit_manifest(bundle, lambda manifest: manifest.update(format="engine", model="model.engine"))
    built = lint_bundle(open_bundle(bundle), TABLE["cuda"])
    assert built.rows == report.rows


def test_an_engine_of_tensorrt_for_rtx_is_for_desktop_gpus_alone(tmp_path: Path) -> None:
    """However well a Jetson's own TensorRT would take its graph."""
    bundle = made_for(write_onnx_bundle(tmp_path / "plan"), "cuda", engine={"built": True})
    graph = (bundle / "model.onnx").read_bytes()
    replace_file(bundle, "model.rtx", b"a plan")
    replace_file(bundle, "model.onnx", graph)
    edit_manifest(bundle, lambda manifest: manifest.update(format="rtx", model="model.rtx"))
    opened = open_bundle(bundle)
    (row,) = lint_bundle(opened, TABLE["jetson-thor"]).failures
    assert row.rule == "precision"
    assert "is for desktop GPUs" in row.detail
    assert lint_bundle(opened, TABLE["cuda"]).passed


def test_a_bundle_without_an_onnx_graph_is_asked_for_its_precision_alone(tmp_path: Path) -> None:
    """The other rules are about ONNX."""
    bundle = write_onnx_bundle(tmp_path / "tiny")
    edit_manifest(bundle, lambda manifest: manifest.update(format="torchscript"))
    report = lint_bundle(open_bundle(bundle), TABLE["raspberry-pi-4"])
    assert [(row.rule, row.status) for row in report.rows] == [
        ("precision", "ok"),
        ("graph", "not run"),
    ]
