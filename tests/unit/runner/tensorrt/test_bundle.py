"""Engine bundles: written from an ONNX bundle, read back, and refused where they lie."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.errors import CorruptFile, EdgenetError, UsageError
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.bundle import (
    EnginePlan,
    machine_in,
    source_of,
    write_copy,
    write_engine_bundle,
)
from edgenet.runner.tensorrt.library import CLASSIC, RTX
from edgenet.runner.tensorrt.plan import Machine
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.engine import check_engine, check_own_golden
from tests.bundles import edit_manifest, replace_file, write_onnx_bundle
from tests.unit.compress.graphs import content, pictures
from tests.unit.runner.tensorrt.test_plan import NANO, plan_bytes

RTX_PLAN = plan_bytes(b"vtrt", 1, 7, 1, 116)
OLD_PLAN = plan_bytes(b"ptrt", 0, 0, 0, 0)
RTX_MACHINE = Machine(RTX, "1.7.1.116")


@pytest.fixture
def source(tmp_path: Path) -> Bundle:
    """Return an ONNX bundle."""
    return open_bundle(write_onnx_bundle(tmp_path / "onnx"))


def built(plan: bytes = RTX_PLAN, machine: Machine = RTX_MACHINE) -> EnginePlan:
    """Return what a build left."""
    return EnginePlan(plan, machine, (1, 8, 64), {"flags": ["FP16"]})


def rows(bundle: Bundle) -> dict[str, str]:
    """Return the status of every check of a bundle."""
    return {check.name: check.status for check in verify_bundle(bundle.path).checks}


def test_an_engine_bundle_has_the_engine_its_source_and_its_key(
    source: Bundle, tmp_path: Path
) -> None:
    """Everything else it says is the ONNX bundle's."""
    bundle = write_engine_bundle(source, built(), tmp_path / "rtx", target="cuda")
    manifest = bundle.manifest
    assert (manifest.format, manifest.model, manifest.target) == ("rtx", "model.rtx", "cuda")
    assert manifest.options["engine"] == {
        "flags": ["FP16"],
        "built": True,
        "was_run": False,
        "key": {**RTX_MACHINE.to_json()},
        "batches": [1, 8, 64],
        "source_sha256": source.manifest.files["model.onnx"].sha256,
    }
    assert manifest.tools[RTX] == "1.7.1.116"
    assert machine_in(bundle) == RTX_MACHINE
    assert (manifest.labels, manifest.accuracy) == (
        source.manifest.labels,
        source.manifest.accuracy,
    )
    assert bundle.model_content() == RTX_PLAN
    assert source_of(bundle).model_content() == source.model_content()
    assert source_of(source) == source
    assert np.array_equal(bundle.golden()["logits"], source.golden()["logits"])


def test_an_engine_that_nothing_here_runs_is_verified_but_for_that(
    source: Bundle, tmp_path: Path
) -> None:
    """Its ONNX file is run; that the engine was not is a row of its own."""
    bundle = write_engine_bundle(source, built(), tmp_path / "rtx")
    found = rows(bundle)
    assert found["engine"] == found["golden (model.onnx)"] == "ok"
    assert found["golden"] == "not run"
    check = check_own_golden(source, bundle)
    assert check.status == "not run"
    assert "the engine was not run here" in check.detail
    assert "those of model.onnx in onnxruntime" in check.detail


def test_an_engine_that_was_run_has_its_own_golden_logits(source: Bundle, tmp_path: Path) -> None:
    """Near those of its ONNX file by FP32's bound; others fail."""
    answers: list[Bundle] = []

    def answer(bundle: Bundle) -> np.ndarray[Any, Any]:
        answers.append(bundle)
        near: np.ndarray[Any, Any] = source.golden()["logits"] * np.float32(1 + 1e-7)
        return near

    path = tmp_path / "engine"
    bundle = write_engine_bundle(source, built(OLD_PLAN, NANO), path, answer=answer)
    assert [each.manifest.format for each in answers] == ["engine"]
    assert bundle.manifest.options["engine"]["was_run"] is True
    assert check_own_golden(source, bundle).status == "ok"
    assert [check.status for check in check_engine(bundle)] == ["ok", "not run"]
    wrong = write_engine_bundle(
        source,
        built(OLD_PLAN, NANO),
        path,
        overwrite=True,
        answer=lambda bundle: -source.golden()["logits"],
    )
    assert check_own_golden(source, wrong).status == "failed"


@pytest.mark.parametrize(
    ("precision", "shift", "status"),
    [("fp32", 0.01, "failed"), ("int8", 0.01, "ok"), ("int8", 0.1, "failed")],
)
def test_an_engine_may_differ_by_what_its_precision_rounds(
    source: Bundle, tmp_path: Path, precision: str, shift: float, status: str
) -> None:
    """Six roundings to 1/127 in a row are 5 % of the largest logit; FP32's are 10⁻⁶."""
    edit_manifest(source.path, lambda manifest: manifest.update(precision=precision))
    if precision == "int8":
        replace_file(source.path, "model.onnx", quantize(content(), pictures(), Scheme()))
    source = open_bundle(source.path)

    def answer(bundle: Bundle) -> np.ndarray[Any, Any]:
        logits = source.golden()["logits"]
        moved: np.ndarray[Any, Any] = logits + np.float32(shift) * np.abs(logits).max()
        return moved

    path = tmp_path / "engine"
    bundle = write_engine_bundle(source, built(OLD_PLAN, NANO), path, answer=answer)
    assert check_own_golden(source, bundle).status == status


@pytest.mark.parametrize(("precision", "status"), [("fp32", "failed"), ("int8", "ok")])
def test_two_logits_within_the_bound_may_change_places_but_not_in_fp32(
    source: Bundle, tmp_path: Path, precision: str, status: str
) -> None:
    """Both are right; which one is larger is chance."""
    edit_manifest(source.path, lambda manifest: manifest.update(precision=precision))
    if precision == "int8":
        replace_file(source.path, "model.onnx", quantize(content(), pictures(), Scheme()))
    near = np.full((8, 3), [1, 1 - 1e-7, 0], np.float32)
    replace_file(source.path, "golden.npz", _with_logits(source, near))
    source = open_bundle(source.path)
    path = tmp_path / "engine"
    bundle = write_engine_bundle(
        source, built(OLD_PLAN, NANO), path, answer=lambda staged: near[:, [1, 0, 2]]
    )
    check = check_own_golden(source, bundle)
    assert check.status == status
    assert "0 of 8 decisions equal" in check.detail


def _with_logits(bundle: Bundle, logits: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, inputs=bundle.golden()["inputs"], logits=logits)
    return file.getvalue()


def test_an_engine_that_cannot_be_run_leaves_nothing(source: Bundle, tmp_path: Path) -> None:
    """The bundle that was there before is still there."""

    def answer(bundle: Bundle) -> np.ndarray[Any, Any]:
        raise EdgenetError("out of memory")

    path = tmp_path / "engine"
    write_engine_bundle(source, built(), path)
    with pytest.raises(EdgenetError, match="out of memory"):
        write_engine_bundle(source, built(OLD_PLAN, NANO), path, overwrite=True, answer=answer)
    assert open_bundle(path).manifest.format == "rtx"
    with pytest.raises(UsageError, match="already exists"):
        write_engine_bundle(source, built(), path)


@pytest.mark.parametrize(
    ("plan", "machine"),
    [(b"no plan at all", RTX_MACHINE), (RTX_PLAN, Machine(CLASSIC, "10.3.0.26", "8.7", "12.6"))],
)
def test_what_is_no_engine_of_its_key_makes_no_bundle(
    source: Bundle, tmp_path: Path, plan: bytes, machine: Machine
) -> None:
    """It would be refused by whoever loads it."""
    with pytest.raises(CorruptFile):
        write_engine_bundle(source, built(plan, machine), tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_only_an_onnx_bundle_becomes_an_engine(source: Bundle, tmp_path: Path) -> None:
    """Not an engine again."""
    bundle = write_engine_bundle(source, built(), tmp_path / "rtx")
    with pytest.raises(UsageError, match="an engine is built from ONNX"):
        write_engine_bundle(bundle, built(), tmp_path / "again")


@pytest.mark.parametrize(
    "change",
    [
        lambda options: options.pop("engine"),
        lambda options: options.update(engine=3),
        lambda options: options["engine"].pop("key"),
        lambda options: options["engine"]["key"].update(version="../../etc"),
        lambda options: options["engine"]["key"].update(library=CLASSIC),
    ],
)
def test_a_key_that_is_missing_or_odd_is_a_corrupt_file(
    source: Bundle, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Before anything is loaded."""
    path = write_engine_bundle(source, built(), tmp_path / "rtx").path
    edit_manifest(path, lambda manifest: change(manifest["options"]))
    with pytest.raises(CorruptFile, match=r"manifest\.json: options"):
        verify_bundle(path)


def test_an_engine_that_was_swapped_is_found_by_its_header(source: Bundle, tmp_path: Path) -> None:
    """Also where hash and length were made to fit."""
    path = write_engine_bundle(source, built(), tmp_path / "rtx").path
    replace_file(path, "model.rtx", plan_bytes(b"vtrt", 1, 8, 0, 1))
    with pytest.raises(CorruptFile, match=r"written by TensorRT for RTX 1\.8\.0, and not"):
        verify_bundle(path)


def test_an_engine_without_its_onnx_file_cannot_be_verified(source: Bundle, tmp_path: Path) -> None:
    """It is said at once, and where; nearly all checks are of that file."""
    path = write_engine_bundle(source, built(), tmp_path / "rtx").path
    (path / "model.onnx").unlink()
    edit_manifest(path, lambda manifest: manifest["files"].pop("model.onnx"))
    with pytest.raises(CorruptFile, match=r"rtx has no model\.onnx"):
        verify_bundle(path)


def test_an_engine_beside_another_onnx_file_fails(source: Bundle, tmp_path: Path) -> None:
    """Which would be built from, on another machine."""
    path = write_engine_bundle(source, built(), tmp_path / "rtx").path
    other = open_bundle(write_onnx_bundle(tmp_path / "other", seed=5)).model_content()
    replace_file(path, "model.onnx", other)
    assert rows(open_bundle(path))["engine"] == "failed"


def test_what_only_builds_an_engine_is_verified_as_that(source: Bundle, tmp_path: Path) -> None:
    """Its ONNX file is; that there is no engine yet is a row of its own."""
    options = {**source.manifest.options, "engine": {"built": False}}
    manifest = source.manifest._replace(target="jetson-nano", options=options, files={})
    found = rows(write_copy(source, manifest, {}, tmp_path / "copy"))
    assert (found["engine"], found["golden"]) == ("not run", "ok")


def test_a_copy_has_more_files_and_another_manifest(source: Bundle, tmp_path: Path) -> None:
    """All of them hashed."""
    manifest = source.manifest._replace(target="jetson-nano", files={})
    copy = write_copy(source, manifest, {"build.sh": b"exit\n"}, tmp_path / "copy")
    assert copy.manifest.target == "jetson-nano"
    assert set(copy.manifest.files) == {"build.sh", "golden.npz", "model.onnx"}
    (copy.path / "build.sh").write_bytes(b"rm -r\n")
    with pytest.raises(CorruptFile, match=r"build\.sh"):
        open_bundle(copy.path)
