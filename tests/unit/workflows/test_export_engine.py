"""``export --format engine`` and ``--format rtx``: what is kept, what is refused and why.

TensorRT's builder is a stand-in; the real one is asked in tests/contract/test_engine_export.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.launch.engines import Engine
from edgenet.runner import cuda
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.library import CLASSIC, RTX
from edgenet.runner.tensorrt.log import Multiplication
from edgenet.runner.tensorrt.plan import Machine
from edgenet.targets import load_target
from edgenet.verify.lint import lint
from edgenet.workflows import engine_source, export_engine
from edgenet.workflows._export import ExportArguments, ExportResult, export
from edgenet.workflows.export_result import ExportedBundle
from tests.checkpoints import write_checkpoint, write_random_data
from tests.unit.runner.tensorrt.test_plan import plan_bytes

VERSIONS = {CLASSIC: "10.3.0.26", RTX: "1.7.1.116"}
PLANS = {CLASSIC: plan_bytes(b"ftrt", 10, 3, 0, 26), RTX: plan_bytes(b"vtrt", 1, 7, 1, 116)}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of an untrained lenet5 with its FP32 ONNX bundle beside it."""
    folder = tmp_path_factory.mktemp("pristine")
    data = write_random_data(folder / "idx", train=200)
    checkpoint = write_checkpoint(folder / "net" / "lenet.safetensors", data)
    assert export(ExportArguments(source=checkpoint)).passed
    return checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path, pristine: Path) -> Path:
    """Return a copy of that."""
    return Path(shutil.copytree(pristine.parent, tmp_path / "net")) / pristine.name


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both libraries be here, and no GPU."""
    monkeypatch.setattr(export_engine, "unavailable", lambda name: None)
    monkeypatch.setattr(cuda, "probe", lambda: "no driver")


def answering(monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """Let the builder answer so."""

    def build(
        library: str, files: Sequence[Path], *, plans: Path, time_limit_s: float
    ) -> tuple[Engine, ...]:
        assert [path.name for path in files] == ["model.onnx"]
        (plans / "0.plan").write_bytes(PLANS[library])
        found = (Multiplication("features.conv1/Conv", "FP32"),)
        engine = Engine(
            name=library,
            version=VERSIONS[library],
            errors=(),
            engine_bytes=len(PLANS[library]),
            multiplications=found,
            layers={"gemm": 1},
        )
        return (replace(engine, **given),)

    monkeypatch.setattr(export_engine, "build_engines", build)


def with_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], factor: float = 1
) -> None:
    """Let there be a GPU, on which an engine answers as its ONNX file times a factor."""

    class Cuda:
        def compute_capability(self) -> tuple[int, int]:
            return capability

    machine = Machine(CLASSIC, VERSIONS[CLASSIC], "8.7", "12.6")
    monkeypatch.setattr(cuda, "probe", lambda: None)
    monkeypatch.setattr(cuda, "Cuda", Cuda)
    monkeypatch.setattr(export_engine, "machine_of", lambda library: machine)

    def answer(bundle: Bundle) -> np.ndarray[Any, Any]:
        logits: np.ndarray[Any, Any] = bundle.golden()["logits"] * np.float32(factor)
        return logits

    monkeypatch.setattr(export_engine, "_answer", lambda library: answer)


def exported(source: Path, format: str, **options: Any) -> ExportResult:
    """Export in one format."""
    return export(ExportArguments(source=source, formats=(format,), **options))


def rows(bundle: ExportedBundle) -> dict[str, str]:
    """Return the status of its checks by name."""
    assert bundle.verification is not None
    return {check.name: check.status for check in bundle.verification.checks}


def test_an_rtx_engine_is_built_from_the_onnx_bundle_that_is_there(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which stays as it is; what cannot be run here is said to be so."""
    answering(monkeypatch)
    home = checkpoint.parent / "bundles"
    before = (home / "onnx-fp32" / "manifest.json").stat().st_mtime_ns
    result = exported(checkpoint, "rtx")
    (bundle,) = result.bundles
    assert (result.passed, bundle.path, bundle.format) == (True, home / "rtx-fp32", "rtx")
    found = rows(bundle)
    assert found["build"] == found["engine"] == found["golden (model.onnx)"] == "ok"
    assert found["cuda: operators"] == "ok"
    assert found["golden"] == "not run"
    option = open_bundle(home / "rtx-fp32").manifest.options["engine"]
    assert option["key"] == {
        "library": RTX,
        "version": VERSIONS[RTX],
        "compute_capability": None,
        "driver": None,
    }
    assert (option["built"], option["batches"]) == (True, [1, 8, 64])
    assert option["precisions"] == {"FP32": 1}
    assert (home / "onnx-fp32" / "manifest.json").stat().st_mtime_ns == before
    json.dumps(result.to_json())
    with pytest.raises(UsageError, match="rtx-fp32 already exists"):
        exported(checkpoint, "rtx")
    assert exported(checkpoint, "rtx", exist_ok=True).passed


def test_an_onnx_bundle_that_is_not_there_is_exported_first(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shown: it is kept, too."""
    answering(monkeypatch)
    shutil.rmtree(checkpoint.parent / "bundles")
    result = exported(checkpoint, "rtx", batch=4)
    assert [bundle.format for bundle in result.bundles] == ["onnx", "rtx"]
    bundle = open_bundle(checkpoint.parent / "bundles" / "rtx-fp32")
    assert bundle.manifest.fixed_batch == 4
    assert bundle.manifest.options["engine"]["batches"] is None


def test_an_onnx_bundle_of_other_options_is_not_taken_in_silence(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of another batch, nor where an option of its export is given."""
    answering(monkeypatch)
    with pytest.raises(UsageError, match="takes a batch of any size"):
        exported(checkpoint, "rtx", batch=4)
    with pytest.raises(UsageError, match="--data would have no effect") as caught:
        exported(checkpoint, "rtx", data="mnist")
    assert "--exist-ok" in str(caught.value.hint)


def test_a_library_that_is_missing_is_told_before_anything_is_computed(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that has it."""
    monkeypatch.setattr(export_engine, "unavailable", lambda name: "it is not installed")
    monkeypatch.setattr(engine_source, "usable", None)
    with pytest.raises(NotPossible, match="is not installed") as caught:
        exported(checkpoint, "rtx")
    assert "edgenet[" in str(caught.value.hint)
    with pytest.raises(NotPossible, match="it is not installed; there is no GPU: no driver"):
        exported(checkpoint, "engine")


@pytest.mark.parametrize("target", [None, "jetson-nano"])
def test_an_engine_without_a_gpu_names_plan_only(checkpoint: Path, target: str | None) -> None:
    """With the target that was asked for."""
    with pytest.raises(NotPossible, match="no TensorRT engine can be built here") as caught:
        exported(checkpoint, "engine", target=target)
    assert f"--plan-only --target {target or 'jetson-orin'}" in str(caught.value.hint)


def test_an_engine_is_built_only_for_the_machine_that_it_is_built_on(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU of another kind is no board."""
    answering(monkeypatch)
    with_gpu(monkeypatch, (8, 9))
    with pytest.raises(NotPossible, match="this machine is no jetson-nano") as caught:
        exported(checkpoint, "engine", target="jetson-nano")
    assert "--plan-only --target jetson-nano" in str(caught.value.hint)


def test_an_engine_that_is_built_and_run_here_is_kept_with_its_own_logits(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is this machine's."""
    answering(monkeypatch)
    with_gpu(monkeypatch, (8, 7))
    (bundle,) = exported(checkpoint, "engine").bundles
    assert bundle.path == checkpoint.parent / "bundles" / "engine-fp32"
    assert rows(bundle)["golden"] == "ok"
    option = open_bundle(bundle.path).manifest.options["engine"]
    assert option["was_run"] is True
    assert option["key"]["compute_capability"] == "8.7"


def test_an_engine_that_answers_otherwise_than_its_file_is_not_kept(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part in a thousand is more than FP32's rounding."""
    answering(monkeypatch)
    with_gpu(monkeypatch, (8, 7), factor=1.001)
    result = exported(checkpoint, "engine")
    assert (result.passed, result.bundles[0].path) == (False, None)
    assert rows(result.bundles[0])["golden"] == "failed"
    assert not (checkpoint.parent / "bundles" / "engine-fp32").exists()


def test_a_file_that_the_builder_refuses_leaves_no_bundle(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first reason is in the row."""
    answering(monkeypatch, errors=("no such operator (node 'a')",))
    result = exported(checkpoint, "rtx")
    assert not result.passed
    assert result.bundles[0].verification is not None
    (failed,) = result.bundles[0].verification.failures
    assert "does not take it: no such operator (node 'a')" in failed.detail
    assert [path.name for path in (checkpoint.parent / "bundles").iterdir()] == ["onnx-fp32"]


def test_a_file_that_the_lint_refuses_is_not_built(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that is said to be what it is not."""
    monkeypatch.setattr(export_engine, "build_engines", None)

    def strict(model: Any, target: Any, *, precision: str, format: str) -> Any:
        return lint(model, target, precision="int8", format=format)

    monkeypatch.setattr(export_engine, "lint", strict)
    result = exported(checkpoint, "rtx")
    assert not result.passed
    assert "failed" in rows(result.bundles[0]).values()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_plan_for_a_board_has_all_that_builds_the_engine_there(
    checkpoint: Path, precision: str
) -> None:
    """The ONNX file in the board's opset, the lint report, the script; nothing is said built."""
    options = {"precision": precision, "target": "jetson-nano", "plan_only": True}
    if precision == "fp16":
        options.update(max_drop=0.4)
    result = exported(checkpoint, "engine", **options)
    *_, bundle = result.bundles
    home = checkpoint.parent / "bundles"
    assert (result.passed, bundle.path) == (True, home / f"engine-{precision}-jetson-nano")
    found = open_bundle(home / f"engine-{precision}-jetson-nano")
    assert set(found.manifest.files) == {"model.onnx", "golden.npz", "lint.json", "build.sh"}
    assert (found.manifest.format, found.manifest.target) == ("onnx", "jetson-nano")
    assert found.manifest.options["opset"] <= load_target("jetson-nano").opset
    option = found.manifest.options["engine"]
    assert (option["built"], option["batches"]) == (False, [1, 8, 64])
    assert ("--fp16" in option["commands"]["trtexec"]) == (precision == "fp16")
    report = json.loads((found.path / "lint.json").read_text())
    assert (report["target"], report["passed"]) == ("jetson-nano", True)
    assert rows(bundle)["engine"] == "not run"


@pytest.mark.parametrize(
    ("format", "precision", "target", "words", "instead"),
    [
        ("trt", "int8", "jetson-nano", "has no INT8", "--format onnx --precision int8"),
        ("engine", "int8", "jetson-tx2", "has no INT8", "--precision fp16 for its GPU"),
        ("rtx", "fp32", "jetson-orin", "is for desktop GPUs", "--format engine"),
    ],
)
def test_what_a_target_cannot_run_is_refused_with_what_to_do(
    format: str, precision: str, target: str, words: str, instead: str
) -> None:
    """Hours before the board would, and more clearly."""
    for plan_only in (False, format != "rtx"):
        with pytest.raises(NotPossible, match=words) as caught:
            ExportArguments(
                source="runs/x",
                formats=(format,),
                precision=precision,
                target=target,
                plan_only=plan_only,
            )
        assert instead in str(caught.value.hint)
