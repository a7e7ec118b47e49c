"""Export: what is kept, what is refused, and that nothing is left behind.

All of them share one trained network and its first export, so they are one long file.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import edgenet.export
from edgenet.errors import DataUnavailable, NotPossible, UsageError
from edgenet.export import load_format
from edgenet.export.format import Written
from edgenet.export.graph import DeployedNetwork
from edgenet.progress import Step
from edgenet.runner.bundle import open_bundle
from edgenet.weights import NetworkWeights
from edgenet.workflows._export import ExportArguments, ExportResult, export
from edgenet.workflows._verify import VerifyArguments, verify
from edgenet.workflows.looks import count_test_looks
from tests.checkpoints import write_checkpoint, write_random_data

CONV = "features.conv2.weight"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture
def checkpoint(tmp_path: Path, data: Path) -> Path:
    """Return an untrained lenet5-relu."""
    return write_checkpoint(tmp_path / "lenet.safetensors", data)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Return the ONNX file of that checkpoint, exported once."""
    folder = tmp_path_factory.mktemp("pristine")
    checkpoint = write_checkpoint(folder / "lenet.safetensors", data)
    (bundle,) = export(ExportArguments(source=checkpoint)).bundles
    assert bundle.path is not None
    return bundle.path / "model.onnx"


def test_an_export_is_verified_in_every_way_and_kept(checkpoint: Path) -> None:
    """The rows of the verification, the figures of the manifest, the progress."""
    steps: list[Step] = []
    result = export(
        ExportArguments(source=checkpoint, formats=("onnx", "ts"), name="mine"),
        progress=steps.append,
    )
    assert result.passed
    for exported in result.bundles:
        assert exported.path == checkpoint.parent / "bundles" / f"{exported.format}-fp32"
        assert exported.verification is not None
        assert {check.name: check.status for check in exported.verification.checks} == {
            "hashes": "ok",
            "metadata": "ok",
            "weights": "ok",
            "golden": "ok",
            "agreement (validation)": "ok",
            "agreement (test)": "ok",
        }
        manifest = open_bundle(exported.path).manifest
        assert manifest.name == "mine"
        assert manifest.parent is not None
        assert manifest.accuracy["test"] is not None
        assert manifest.accuracy["test"].n == 40
        assert manifest.options["split_seed"] == 0
    assert steps[-1].final
    json.dumps(result.to_json())


def test_golden_vectors_are_real_pictures_with_the_parents_answers(checkpoint: Path) -> None:
    """Inputs from validation; decisions for both splits under their digests."""
    (bundle,) = export(ExportArguments(source=checkpoint, formats=("ts",))).bundles
    assert bundle.path is not None
    opened = open_bundle(bundle.path)
    golden = opened.golden()
    assert len(golden["inputs"]) == len(golden["parent_logits"]) == len(golden["logits"]) <= 256
    digests = {figures.digest for figures in opened.manifest.accuracy.values() if figures}
    assert {f"predictions_{digest}" for digest in digests} < set(golden)


def test_an_exported_bundle_verifies_later_with_its_data(checkpoint: Path, data: Path) -> None:
    """Full agreement again, from the decisions in the bundle alone."""
    (bundle,) = export(ExportArguments(source=checkpoint, formats=("ts",))).bundles
    assert bundle.path is not None
    result = verify(VerifyArguments(bundle=bundle.path, data=str(data)))
    statuses = {check.name: check.status for check in result.verification.checks}
    assert {"golden", "agreement (validation)", "agreement (test)"} < set(statuses)
    assert set(statuses.values()) == {"ok"}
    with pytest.raises(UsageError, match="no decisions"):
        verify(VerifyArguments(bundle=bundle.path, data="mnist"))


def test_a_fixed_batch_is_exported_and_verified(checkpoint: Path) -> None:
    """The splits are no multiples of it."""
    result = export(ExportArguments(source=checkpoint, formats=("ts", "onnx"), batch=7))
    assert result.passed
    for bundle in result.bundles:
        assert bundle.path is not None
        assert open_bundle(bundle.path).manifest.fixed_batch == 7


def test_a_bundle_that_is_there_is_not_replaced_unless_asked(checkpoint: Path) -> None:
    """Refused before the data are even loaded."""
    arguments = ExportArguments(source=checkpoint, formats=("ts",))
    export(arguments)
    with pytest.raises(UsageError, match="already exists") as error:
        export(arguments)
    assert error.value.hint == "replace it with --exist-ok"
    assert export(ExportArguments(source=checkpoint, formats=("ts",), exist_ok=True)).passed


def test_a_project_takes_the_bundles_and_is_a_run(checkpoint: Path, tmp_path: Path) -> None:
    """For weights that lie where nothing may be written."""
    arguments = ExportArguments(
        source=checkpoint, formats=("ts",), project=tmp_path / "runs", name="net"
    )
    (bundle,) = export(arguments).bundles
    run = tmp_path / "runs" / "export" / "net"
    assert bundle.path == run / "bundles" / "torchscript-fp32"
    assert (run / "args.toml").is_file()


def test_without_verification_that_is_what_the_result_says(checkpoint: Path) -> None:
    """None is not the same as passed checks."""
    (bundle,) = export(ExportArguments(source=checkpoint, formats=("ts",), verify=False)).bundles
    assert bundle.path is not None
    assert bundle.verification is None


def test_a_look_at_the_test_set_is_logged_although_the_export_fails(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accuracy was seen by then."""
    run = tmp_path / "run"
    write_checkpoint(run / "weights" / "best.safetensors", data)
    (run / "args.toml").touch()

    def refuse(*arguments: object, **options: object) -> Written:
        raise NotPossible("an operator is not known")

    monkeypatch.setattr(load_format("ts"), "write", refuse)
    with pytest.raises(NotPossible):
        export(ExportArguments(source=run, formats=("ts",)))
    assert count_test_looks(run) == 1


def test_an_opset_for_a_format_without_opsets_is_refused(checkpoint: Path) -> None:
    """Nothing that is asked for is ignored."""
    with pytest.raises(UsageError, match="--opset has no effect"):
        export(ExportArguments(source=checkpoint, formats=("torchscript",), opset=17))


def test_data_that_have_changed_since_training_are_refused(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    """Unless they are named."""
    moved = shutil.copytree(data, tmp_path / "idx")
    other = write_checkpoint(tmp_path / "other.safetensors", moved)
    labels = moved / "t10k-labels-idx1-ubyte"
    content = bytearray(labels.read_bytes())
    content[-1], content[-2] = content[-2], content[-1]
    labels.write_bytes(content)
    with pytest.raises(DataUnavailable, match="have changed"):
        export(ExportArguments(source=other, formats=("ts",)))
    assert export(ExportArguments(source=other, formats=("ts",), data=str(moved))).passed


# ------------------------------------------------------------------------------------ the faults


def _edit(model: onnx.ModelProto, name: str, change: Callable[[Any], Any]) -> None:
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    values = change(numpy_helper.to_array(tensor).copy())
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))


def _at_largest(values: Any, change: Callable[[Any], Any]) -> Any:
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    values[place] = change(values[place])
    return values


def _weight_1_percent(model: onnx.ModelProto) -> None:
    _edit(model, CONV, lambda w: _at_largest(w, lambda value: value * np.float32(1.01)))


def _weight_1_ulp(model: onnx.ModelProto) -> None:
    _edit(model, CONV, lambda w: _at_largest(w, lambda v: np.nextafter(v, np.float32(0))))


def _bias_dropped(model: onnx.ModelProto) -> None:
    (node,) = (each for each in model.graph.node if "classifier.linear1.bias" in each.input)
    del node.input[2]


def _kernel_transposed(model: onnx.ModelProto) -> None:
    _edit(model, CONV, lambda w: w.transpose(0, 1, 3, 2))


def _wrong_mean(model: onnx.ModelProto) -> None:
    _edit(model, "pixel_offset", lambda offset: offset * np.float32(1.02))


def _labels_swapped(model: onnx.ModelProto) -> None:
    (entry,) = model.metadata_props
    values = json.loads(entry.value)
    values["labels"][0], values["labels"][1] = values["labels"][1], values["labels"][0]
    entry.value = json.dumps(values)


def _pooling_changed(model: onnx.ModelProto) -> None:
    node = next(each for each in model.graph.node if each.op_type == "MaxPool")
    kept = [each for each in node.attribute if each.name in ("kernel_shape", "strides")]
    node.op_type = "AveragePool"
    del node.attribute[:]
    node.attribute.extend(kept)


FAULTS: Mapping[str, tuple[Callable[[onnx.ModelProto], None], set[str]]] = {
    "one weight changed by 1 %": (_weight_1_percent, {"weights"}),
    "one weight changed by 1 ulp": (_weight_1_ulp, {"weights"}),
    "a bias dropped": (_bias_dropped, {"weights", "golden"}),
    "a transposed kernel": (_kernel_transposed, {"weights", "golden", "agreement (test)"}),
    "wrong mean": (_wrong_mean, {"weights", "golden", "agreement (test)"}),
    "labels swapped in the file": (_labels_swapped, {"metadata"}),
    "another pooling": (_pooling_changed, {"golden", "agreement (test)"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_corrupted_onnx_file_fails_and_leaves_nothing(
    fault: str, checkpoint: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with the written file, it is found, and named by at least these rows."""
    corrupt, expected = FAULTS[fault]

    def write(network: DeployedNetwork, path: Path, **options: Any) -> Written:
        model = onnx.load(pristine)
        corrupt(model)
        onnx.save(model, path)
        return Written(options={"opset": 18})

    before = sorted(checkpoint.parent.rglob("*"))
    result = _export_with(write, "onnx", checkpoint, monkeypatch)
    assert expected <= _failed(result)
    assert sorted(checkpoint.parent.rglob("*")) == before


def _scaled_weight(network: DeployedNetwork) -> None:
    weight = network.network.get_parameter(CONV)
    weight[1, 1, 2, 3] *= 1.01


def _nudged_weight(network: DeployedNetwork) -> None:
    weight = network.network.get_parameter(CONV)
    weight[1, 1, 2, 3] = torch.nextafter(weight[1, 1, 2, 3], torch.tensor(9.0))


def _no_bias(network: DeployedNetwork) -> None:
    layer = network.network.get_submodule("classifier.linear1")
    layer.register_parameter("bias", None)


def _turned_kernel(network: DeployedNetwork) -> None:
    weight = network.network.get_parameter(CONV)
    weight.copy_(weight.transpose(2, 3).clone())


def _shifted_mean(network: DeployedNetwork) -> None:
    network.pixel_offset *= 1.02


@pytest.mark.parametrize(
    "corrupt", [_scaled_weight, _nudged_weight, _no_bias, _turned_kernel, _shifted_mean]
)
def test_a_corrupted_torchscript_file_fails_and_leaves_nothing(
    corrupt: Callable[[DeployedNetwork], None], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same faults, made before tracing; the weights name each of them."""
    real = load_format("torchscript")

    def write(network: DeployedNetwork, path: Path, **options: Any) -> Written:
        other = DeployedNetwork(network.network, network.preprocessing)
        with torch.no_grad():
            corrupt(other)
        return real.write(other, path, **options)

    before = sorted(checkpoint.parent.rglob("*"))
    result = _export_with(write, "torchscript", checkpoint, monkeypatch)
    assert "weights" in _failed(result)
    assert sorted(checkpoint.parent.rglob("*")) == before


def test_one_format_that_fails_does_not_take_the_other_with_it(
    checkpoint: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The good bundle is kept, the result says that not all passed."""

    def write(network: DeployedNetwork, path: Path, **options: Any) -> Written:
        model = onnx.load(pristine)
        _bias_dropped(model)
        onnx.save(model, path)
        return Written()

    _substitute(write, "onnx", monkeypatch)
    result = export(ExportArguments(source=checkpoint, formats=("onnx", "torchscript")))
    assert not result.passed
    assert [bundle.path is not None for bundle in result.bundles] == [False, True]
    assert [each.name for each in (checkpoint.parent / "bundles").iterdir()] == ["torchscript-fp32"]


def _export_with(
    write: Callable[..., Written], name: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> ExportResult:
    """Export with another writer in the table of formats."""
    _substitute(write, name, monkeypatch)
    return export(ExportArguments(source=checkpoint, formats=(name,)))


def _substitute(write: Callable[..., Written], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_format(name)

    def stored_weights(path: Path) -> NetworkWeights:
        return real.stored_weights(path)

    module = ModuleType("faulty")
    vars(module).update(
        FILE_NAME=real.FILE_NAME,
        DEFAULT_OPSET=real.DEFAULT_OPSET,
        exporters=real.exporters,
        write=write,
        stored_weights=stored_weights,
    )
    monkeypatch.setitem(sys.modules, "faulty", module)
    monkeypatch.setitem(edgenet.export.TABLE, name, "faulty")


def _failed(result: ExportResult) -> set[str]:
    """Return the names of the checks that failed, having made sure that nothing was kept."""
    assert not result.passed
    (exported,) = result.bundles
    assert exported.path is None
    assert exported.verification is not None
    return {check.name for check in exported.verification.failures}
