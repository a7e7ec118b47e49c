"""``export --half``: what is kept, what is rejected and why. One untrained network for all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from edgenet.cli.bundle_views import exported as view
from edgenet.cli.console import Output
from edgenet.errors import NotPossible, UsageError
from edgenet.export import onnx_half
from edgenet.runner.bundle import open_bundle
from edgenet.training import checkpoint as checkpoints
from edgenet.workflows import export_half
from edgenet.workflows._export import ExportArguments, ExportResult, export
from edgenet.workflows._verify import VerifyArguments, verify
from edgenet.workflows.export_half import HalfResult
from tests.checkpoints import write_checkpoint, write_random_data

MAX_DROP = 0.25


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures, 25 of them for validation."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx", train=300)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Return the checkpoint of an untrained lenet5, whose activation is tanh, exported in FP16."""
    folder = tmp_path_factory.mktemp("pristine")
    checkpoint = write_checkpoint(folder / "lenet.safetensors", data, model="lenet5")
    assert _half(_export(checkpoint)).parent_made
    return checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path, pristine: Path) -> Path:
    """Return that checkpoint with its FP32 bundle alone."""
    shutil.copytree(pristine.parent, tmp_path / "net")
    shutil.rmtree(tmp_path / "net" / "bundles" / "onnx-fp16")
    return tmp_path / "net" / pristine.name


def _scale(path: Path, name: str, factor: float) -> None:
    """Make a weight of a checkpoint as often as large; its FP32 bundle is then another one's."""
    shutil.rmtree(path.parent / "bundles")
    loaded = checkpoints.load(path)
    weights: dict[str, torch.Tensor] = {
        key: value * factor if key == name else value for key, value in loaded.weights.items()
    }
    checkpoints.save(replace(loaded, weights=weights), path)


def _export(source: Path, **options: Any) -> ExportResult:
    given = {"half": True, "max_drop": MAX_DROP, "measure": False, **options}
    return export(ExportArguments(source=source, **given))


def _half(result: ExportResult) -> HalfResult:
    (exported,) = result.bundles
    assert exported.half is not None
    return exported.half


def test_an_fp16_bundle_lies_beside_the_fp32_one_that_it_was_made_of(
    checkpoint: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its gate, its bound and its parent in the manifest; it verifies, and can be shown."""
    result = _export(checkpoint)
    half = _half(result)
    home = checkpoint.parent / "bundles"
    assert (half.passed, half.parent_made, half.bundle.path) == (True, False, home / "onnx-fp16")
    assert {path.name for path in home.iterdir()} == {"onnx-fp16", "onnx-fp32"}
    recorded = open_bundle(home / "onnx-fp16").manifest.options["quantization"]
    parent = open_bundle(home / "onnx-fp32").manifest
    assert recorded["method"] == "fp16"
    assert recorded["weights_bits"] == 16
    assert recorded["parent_bundle"] == {"model_sha256": parent.files["model.onnx"].sha256}
    assert recorded["gate"]["verdict"] == "passed"
    checked = verify(VerifyArguments(bundle=half.bundle.path, data=str(data)))
    rows = {check.name: check.status for check in checked.verification.checks}
    assert rows["golden"] == rows["gate at export"] == rows["agreement (test)"] == "ok"
    json.dumps(result.to_json())
    with Output() as out:
        out.result(result, view)
    shown = capsys.readouterr().out
    assert "those of all 5 layers are the checkpoint's, rounded to nearest" in shown
    assert "does FP16 pay here?" not in shown


def test_a_bundle_that_is_there_is_not_replaced_unless_asked(checkpoint: Path) -> None:
    """The FP32 one is found, and stays as it is."""
    _export(checkpoint)
    fp32 = checkpoint.parent / "bundles" / "onnx-fp32" / "manifest.json"
    before = fp32.stat().st_mtime_ns
    with pytest.raises(UsageError, match="already exists"):
        _export(checkpoint)
    again = _half(_export(checkpoint, exist_ok=True))
    assert (again.passed, again.parent_made) == (True, False)
    assert fp32.stat().st_mtime_ns == before


def test_whether_it_pays_is_measured_unless_that_is_not_wanted(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parent and child, with the gate that the child has passed."""
    calls: list[tuple[str, str, str]] = []

    def measure(parent: Any, child: Any, *, gate: Any, **options: Any) -> None:
        calls.append((parent.path.name, child.path.name, gate.verdict))

    monkeypatch.setattr(export_half, "measure_pair", measure)
    _export(checkpoint, measure=True)
    assert calls == [("onnx-fp32", "onnx-fp16", "passed")]


def test_a_value_beyond_fp16_rejects_the_file_and_names_the_layer(checkpoint: Path) -> None:
    """Although a tanh behind it hides it from the logits, and every decision is equal."""
    _scale(checkpoint, "classifier.linear1.weight", 1e6)
    result = _export(checkpoint)
    half = _half(result)
    assert not result.passed
    (failed,) = half.bundle.verification.failures
    assert failed.name == "range"
    assert failed.detail.startswith("classifier.linear1/Gemm reaches ")
    rejected = checkpoint.parent / "rejected" / "onnx-fp16"
    assert half.bundle.path == rejected
    report = json.loads((rejected / "report.json").read_text())
    assert report["passed"] is False
    assert [path.name for path in (checkpoint.parent / "bundles").iterdir()] == ["onnx-fp32"]


def test_a_weight_beyond_fp16_is_not_possible(checkpoint: Path) -> None:
    """Exit code 5, with the weight's name; nothing of FP16 is written."""
    _scale(checkpoint, "classifier.output.weight", 1e7)
    with pytest.raises(NotPossible, match=r"classifier\.output\.weight holds .* 65,504"):
        _export(checkpoint)
    assert not (checkpoint.parent / "bundles" / "onnx-fp16").exists()


def test_a_file_with_another_weight_is_rejected(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off by one unit in the last place: no logit tells."""
    real = onnx_half.to_half

    def nudge(model: onnx.ModelProto) -> onnx.ModelProto:
        half = real(model)
        (tensor,) = (t for t in half.graph.initializer if t.name == "features.conv2.weight")
        values = numpy_helper.to_array(tensor).copy()
        values.flat[7] = np.nextafter(values.flat[7], np.float16(9))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return half

    monkeypatch.setattr(export_half, "to_half", nudge)
    half = _half(_export(checkpoint))
    (failed,) = half.bundle.verification.failures
    assert failed.name == "weights"
    assert failed.detail.startswith("features.conv2.weight: 1 of ")


def test_a_fixed_batch_and_an_opset_are_those_of_both_files(checkpoint: Path) -> None:
    """The FP32 one that is there is of another batch, and is replaced only where that is asked."""
    with pytest.raises(UsageError, match="takes a batch of any size"):
        _export(checkpoint, batch=7)
    half = _half(_export(checkpoint, batch=7, opset=17, exist_ok=True))
    bundle = open_bundle(half.bundle.path)
    assert bundle.manifest.fixed_batch == 7
    assert bundle.manifest.options["opset"] == 17
