"""`verify` compares a bundle with its checkpoint, and says why where it cannot."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgenet.data import load
from edgenet.errors import UsageError
from edgenet.export import onnx as onnx_format
from edgenet.runner.bundle import open_bundle
from edgenet.training import checkpoint as checkpoints
from edgenet.verify.checks import Check
from edgenet.workflows import ExportArguments, VerifyArguments, export, verify
from edgenet.workflows import _verify as verify_module
from edgenet.workflows.runs import ARGUMENTS, Run
from edgenet.workflows.verify_weights import check_against_checkpoint
from tests.bundles import edit_manifest, edit_onnx
from tests.checkpoints import write_checkpoint, write_random_data

NAMES = ("checkpoint", "weights", "arithmetic")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run with an untrained network and its FP32 bundle."""
    folder = tmp_path_factory.mktemp("exported")
    run = Run(folder / "run")
    write_checkpoint(run.best, write_random_data(folder / "data"), model="lenet5-2k")
    (run.path / ARGUMENTS).write_text("")
    (bundle,) = export(ExportArguments(source=run.path)).bundles
    assert bundle.path is not None
    return run


@pytest.fixture
def run(exported: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a copy to change; TensorRT's parser, another check, is not asked."""
    skipped = Check(name="TensorRT-RTX parser", status="not run", detail="not asked here")
    monkeypatch.setattr(verify_module, "check_tensorrt_rtx", lambda _: skipped)
    shutil.copytree(exported.path, tmp_path / "run")
    return Run(tmp_path / "run")


def bundle_of(run: Run) -> Path:
    """Return the folder of its bundle."""
    return run.bundles / "onnx-fp32"


def rows(bundle: Path, checkpoint: Path | None = None) -> dict[str, Check]:
    """Return the rows of `verify`, by name."""
    arguments = VerifyArguments(bundle=bundle, checkpoint=checkpoint)
    return {check.name: check for check in verify(arguments).verification.checks}


def test_a_bundle_in_its_run_is_compared_with_the_runs_weights(run: Run) -> None:
    """Bit for bit, and in float64, without anything being named."""
    found = rows(bundle_of(run))
    assert [found[name].status for name in NAMES] == ["ok"] * 3
    assert "bit for bit" in found["weights"].detail
    assert str(run.best) in found["checkpoint"].detail
    assert found["versions"].status == found["number formats"].status == "ok"


def test_a_bundle_elsewhere_is_compared_with_the_checkpoint_that_is_named(
    run: Run, tmp_path: Path
) -> None:
    """Without a name the row says what to name."""
    bundle = tmp_path / "elsewhere"
    shutil.copytree(bundle_of(run), bundle)
    alone = rows(bundle)
    assert alone["checkpoint"].status == "not run"
    assert "--checkpoint" in alone["checkpoint"].detail
    assert "weights" not in alone
    assert rows(bundle, run.best)["weights"].status == "ok"


def test_another_checkpoint_that_is_named_fails(run: Run) -> None:
    """Who names it wants to know whether the bundle comes from it."""
    other = run.path / "other.safetensors"
    checkpoint = checkpoints.load(run.best)
    checkpoints.save(replace(checkpoint, metrics={"note": 1}), other)
    found = rows(bundle_of(run), other)
    assert found["checkpoint"].status == "failed"
    assert "not what the bundle was exported from" in found["checkpoint"].detail


def test_a_checkpoint_that_is_not_there_is_a_wrong_argument(run: Run) -> None:
    """Its name is in the message."""
    with pytest.raises(UsageError, match=r"absent\.safetensors"):
        rows(bundle_of(run), run.path / "absent.safetensors")


def test_weights_that_were_trained_on_since_are_not_compared(run: Run) -> None:
    """The run has others now, which say nothing of the bundle."""
    checkpoint = checkpoints.load(run.best)
    checkpoints.save(replace(checkpoint, metrics={"note": 1}), run.best)
    found = rows(bundle_of(run))
    assert found["checkpoint"].status == "not run"
    assert "no more" in found["checkpoint"].detail


def test_an_imported_network_has_no_checkpoint(run: Run) -> None:
    """Its manifest names none, and that is said."""
    edit_manifest(bundle_of(run), lambda manifest: manifest.update(parent=None))
    found = rows(bundle_of(run))
    assert found["checkpoint"].status == "not run"
    assert "does not say" in found["checkpoint"].detail


def test_without_torch_the_row_says_so_and_the_rest_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The torch-free promise holds for `verify`, whatever lies beside the bundle."""
    monkeypatch.setitem(sys.modules, "torch", None)
    found = rows(bundle_of(run))
    assert found["checkpoint"].status == "not run"
    assert "PyTorch" in found["checkpoint"].detail
    assert found["golden"].status == "ok"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("labels", [*"0123456798"], "at 8 the manifest has '9', the checkpoint '8'"),
        ("probability", "sigmoid", "'sigmoid' in the manifest, 'softmax' in the checkpoint"),
    ],
)
def test_what_the_manifest_declares_is_what_the_checkpoint_has(
    run: Run, field: str, value: object, said: str
) -> None:
    """No logit changes with a label: only the checkpoint can tell."""
    edit_manifest(bundle_of(run), lambda manifest: manifest.update({field: value}))
    check = rows(bundle_of(run))["checkpoint"]
    assert check.status == "failed"
    assert said in check.detail


def test_a_preprocessing_that_differs_is_named_by_its_field(run: Run) -> None:
    """And the model itself likewise."""
    edit_manifest(bundle_of(run), lambda each: each["preprocessing"].update(mean=[0.286]))
    assert "mean is (0.286,) in the manifest" in rows(bundle_of(run))["checkpoint"].detail
    edit_manifest(bundle_of(run), lambda each: each["preprocessing"].update(mean=[0.1]))
    assert rows(bundle_of(run))["checkpoint"].status == "failed"


def test_a_changed_bit_of_a_weight_fails_the_weights(run: Run) -> None:
    """Though every check that runs the file says that it is well."""

    def change(model: onnx.ModelProto) -> None:
        tensor = next(each for each in model.graph.initializer if each.name.endswith("conv1.bias"))
        values = np.array(numpy_helper.to_array(tensor))
        values[0] = np.nextafter(values[0], np.float32(9))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    edit_onnx(bundle_of(run), change)
    found = rows(bundle_of(run))
    assert found["golden"].status == "ok"
    assert found["weights"].status == "failed"
    assert "features.conv1.bias: 1 of" in found["weights"].detail


def test_a_changed_attribute_that_no_weight_shows_fails_the_arithmetic(run: Run) -> None:
    """A leak of a millionth stays below what float32 can tell."""

    def change(model: onnx.ModelProto) -> None:
        node = next(each for each in model.graph.node if each.op_type == "Relu")
        node.op_type = "LeakyRelu"
        node.attribute.append(onnx.helper.make_attribute("alpha", 1e-6))

    edit_onnx(bundle_of(run), change)
    found = rows(bundle_of(run))
    assert found["golden"].status == found["weights"].status == "ok"
    assert found["arithmetic"].status == "failed"


def test_weights_of_a_network_trained_in_int8_are_not_the_checkpoints(run: Run) -> None:
    """They were trained on; what can be told is that the structure is still the network's."""
    edit_manifest(
        bundle_of(run),
        lambda each: each.update(precision="int8", options={"quantization": {"method": "qat"}}),
    )
    checks = check_against_checkpoint(open_bundle(bundle_of(run)), run, None).checks
    assert [check.status for check in checks] == ["ok", "not run", "ok"]


def test_a_torchscript_file_has_its_weights_compared_too(run: Run) -> None:
    """Its graph is not ONNX, so there is no row of its arithmetic."""
    (made,) = export(ExportArguments(source=run.path, formats=("torchscript",))).bundles
    assert made.path is not None
    found = rows(made.path)
    assert found["weights"].status == "ok"
    assert "arithmetic" not in found


def test_classes_are_compared_with_those_of_the_data(run: Run) -> None:
    """In their order: the decisions alone have no names."""
    data = checkpoints.load(run.best).data["name"]
    edit_manifest(bundle_of(run), lambda each: each.update(labels=[*"1023456789"]))
    arguments = VerifyArguments(bundle=bundle_of(run), data=data)
    found = {check.name: check for check in verify(arguments).verification.checks}
    assert found["labels"].status == "failed"
    assert "class 0 is '1' in the manifest, '0' in the data" in found["labels"].detail
    assert load(data).test.class_names[0] == "0"
    assert onnx_format.FILE_NAME in {file.name for file in bundle_of(run).iterdir()}


def test_the_checkpoint_beside_the_bundles_is_found_without_a_run(run: Run, tmp_path: Path) -> None:
    """It is where `export CHECKPOINT` puts them."""
    home = tmp_path / "home"
    shutil.copytree(bundle_of(run), home / "bundles" / "onnx-fp32")
    shutil.copyfile(run.best, home / "mine.safetensors")
    assert "mine.safetensors" in rows(home / "bundles" / "onnx-fp32")["checkpoint"].detail
