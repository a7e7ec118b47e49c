"""Which of PyTorch's exporters writes an ONNX bundle, and what a target changes in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
from onnx import TensorProto

import edgenet.export
from edgenet.errors import NotPossible
from edgenet.export import load_format
from edgenet.export.format import Written
from edgenet.export.graph import DeployedNetwork
from edgenet.export.onnx_file import opset_of
from edgenet.runner.bundle import open_bundle
from edgenet.targets import TABLE
from edgenet.workflows._export import ExportArguments, ExportedBundle, export
from edgenet.workflows._quantize import QuantizeArguments, quantize
from tests.checkpoints import write_checkpoint, write_random_data

ONNX = load_format("onnx")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture
def checkpoint(tmp_path: Path, data: Path) -> Path:
    """Return an untrained mlp-small: the cheapest to export."""
    return write_checkpoint(tmp_path / "mlp.safetensors", data, model="mlp-small")


def exported(checkpoint: Path, **options: Any) -> ExportedBundle:
    """Export as ONNX; return the bundle."""
    (bundle,) = export(ExportArguments(source=checkpoint, **options)).bundles
    return bundle


def with_fault(
    monkeypatch: pytest.MonkeyPatch, faults: Mapping[str, Callable[[Path], None]]
) -> list[str]:
    """Let exporters write faulty files; return the list of those that are called."""
    called: list[str] = []

    def write(network: DeployedNetwork, path: Path, *, exporter: str, **options: Any) -> Written:
        called.append(exporter)
        written = ONNX.write(network, path, exporter=exporter, **options)
        if exporter in faults:
            faults[exporter](path)
        return written

    module = ModuleType("faulty")
    for name in ("FILE_NAME", "DEFAULT_OPSET", "exporters", "stored_weights"):
        setattr(module, name, getattr(ONNX, name))
    vars(module)["write"] = write
    monkeypatch.setitem(sys.modules, "faulty", module)
    monkeypatch.setitem(edgenet.export.TABLE, "onnx", "faulty")
    return called


def another_activation(path: Path) -> None:
    """Write a Sigmoid where the network has a ReLU: every weight is right, every answer wrong."""
    model = onnx.load(path)
    node = next(each for each in model.graph.node if each.op_type == "Relu")
    node.op_type = "Sigmoid"
    onnx.save(model, path)


def refused(path: Path) -> None:
    """Do as an exporter that does not know an operator."""
    raise NotPossible("aten::elbow is not known")


def unknown(path: Path) -> None:
    """Do so with another operator."""
    raise NotPossible("aten::knee is not known")


@pytest.mark.parametrize(
    ("opset", "exporter"), [(13, "torchscript"), (17, "torchscript"), (18, "dynamo")]
)
def test_the_exporter_that_writes_an_opset_of_itself_is_taken(
    checkpoint: Path, opset: int, exporter: str
) -> None:
    """The newer one keeps opset 18 whatever it is asked for."""
    bundle = exported(checkpoint, opset=opset)
    assert bundle.options["exporter"] == exporter
    assert bundle.options["opset"] == opset
    assert "exporters_refused" not in bundle.options


def test_another_opset_than_asked_for_is_refused_by_what_is_in_the_file(checkpoint: Path) -> None:
    """The exporter says so in its log alone."""
    with pytest.raises(NotPossible, match="opset 18 where 13 was asked for") as error:
        export(ExportArguments(source=checkpoint, opset=13, exporter="dynamo"))
    assert "--exporter torchscript" in str(error.value.hint)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(another_activation, "agreement (validation)"), (refused, "aten::elbow is not known")],
)
def test_where_one_exporter_fails_the_other_writes_the_file_and_the_result_says_so(
    checkpoint: Path,
    fault: Callable[[Path], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parity decides, not the exporter's own opinion of its work."""
    called = with_fault(monkeypatch, {"dynamo": fault})
    bundle = exported(checkpoint)
    assert called == ["dynamo", "torchscript"]
    assert bundle.path is not None
    assert bundle.verification is not None
    (row,) = (check for check in bundle.verification.checks if check.name == "exporter")
    assert row.status == "ok"
    assert "written by torchscript; not by dynamo" in row.detail
    assert words in row.detail
    recorded = open_bundle(bundle.path).manifest.options
    assert recorded["exporter"] == "torchscript"
    assert words in recorded["exporters_refused"]["dynamo"]


def test_a_network_that_both_exporters_get_wrong_is_not_kept(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the rows tell of both."""
    with_fault(monkeypatch, dict.fromkeys(("dynamo", "torchscript"), another_activation))
    bundle = exported(checkpoint)
    assert bundle.path is None
    assert bundle.verification is not None
    assert {"golden", "agreement (test)"} <= {row.name for row in bundle.verification.failures}
    assert any(row.name == "exporter" for row in bundle.verification.checks)


def test_where_no_exporter_can_write_it_the_message_says_why_of_each(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is tried last is not the one whose reason helps; and none is left to try."""
    with_fault(monkeypatch, {"dynamo": refused, "torchscript": unknown})
    with pytest.raises(NotPossible) as error:
        exported(checkpoint)
    assert error.value.message == (
        "aten::knee is not known; dynamo failed before: aten::elbow is not known"
    )
    assert "--exporter" not in str(error.value.hint)


def test_an_exporter_that_was_asked_for_is_not_replaced(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for fails, and nothing else is tried."""
    called = with_fault(monkeypatch, {"dynamo": another_activation})
    assert exported(checkpoint, exporter="dynamo").path is None
    assert called == ["dynamo"]


@pytest.mark.parametrize("name", ["jetson-nano", "jetson-xavier", "raspberry-pi-5"])
def test_a_target_decides_opset_ir_version_and_type_of_input(checkpoint: Path, name: str) -> None:
    """Read back from the written file, which is linted for the target."""
    target = TABLE[name]
    bundle = exported(checkpoint, target=name)
    assert bundle.verification is not None
    (rules,) = (row for row in bundle.verification.checks if row.name == f"rules of {name}")
    assert rules.status == "ok"
    assert bundle.path == checkpoint.parent / "bundles" / f"onnx-fp32-{name}"
    assert bundle.path is not None
    manifest = open_bundle(bundle.path).manifest
    model = onnx.load(bundle.path / "model.onnx")
    kind = model.graph.input[0].type.tensor_type.elem_type
    assert opset_of(model) == min(18, target.opset) == manifest.options["opset"]
    assert model.ir_version <= target.ir_version
    assert (kind == TensorProto.UINT8) is target.uint8_input
    assert (manifest.input.dtype == "uint8") is target.uint8_input
    assert manifest.target == name


def test_an_int8_file_for_tensorrt_8_keeps_its_weights_as_fp32_behind_a_q(
    checkpoint: Path,
) -> None:
    """Its parser wants Q and DQ; the file's parent is for the same target and lies beside it."""
    arguments = ExportArguments(
        source=checkpoint, target="jetson-xavier", int8=True, measure=False, max_drop=0.9
    )
    (bundle,) = export(arguments).bundles
    assert bundle.path is not None
    assert bundle.path.name == "onnx-int8-jetson-xavier"
    assert (bundle.path.parent / "onnx-fp32-jetson-xavier").is_dir()
    model = onnx.load(bundle.path / "model.onnx")
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    quantized = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    weights = [node for node in quantized if node.input[0] in stored]
    assert weights
    assert {stored[node.input[0]] for node in weights} == {TensorProto.FLOAT}
    assert open_bundle(bundle.path).manifest.target == "jetson-xavier"
    again = quantize(
        QuantizeArguments(
            source=bundle.path.parent / "onnx-fp32-jetson-xavier",
            exist_ok=True,
            measure=False,
            max_drop=0.9,
        )
    )
    assert again.bundle.path == bundle.path
    assert onnx.load(bundle.path / "model.onnx").graph == model.graph


def test_a_form_that_the_target_does_not_take_is_rejected(checkpoint: Path) -> None:
    """Asked for or not: `verify` would refuse the bundle, so it is not kept."""
    assert exported(checkpoint, target="jetson-xavier").path is not None
    result = quantize(
        QuantizeArguments(
            source=checkpoint.parent / "bundles" / "onnx-fp32-jetson-xavier",
            stored="int8",
            scheme="s8s8-minmax",
            measure=False,
            max_drop=0.9,
        )
    )
    assert not result.passed
    (row,) = result.bundle.verification.failures
    assert row.name == "rules of jetson-xavier"
    assert "stored as INT8" in row.detail


def test_a_bundle_for_a_target_is_quantized_in_the_form_that_it_prefers() -> None:
    """Unless another is asked for; and a scheme that is named has its own."""
    arguments = QuantizeArguments(source="run")
    settled = {
        name: (found.activations, found.stored)
        for name in ("jetson-xavier", "x86-64-vnni", "cpu")
        for found in [arguments.for_target(TABLE[name])]
    }
    assert settled == {
        "jetson-xavier": ("int8", "fp32"),
        "x86-64-vnni": ("uint8", "int8"),
        "cpu": ("int8", "int8"),
    }
    assert arguments.for_target(None).stored == "int8"
    named = QuantizeArguments(source="run", scheme="s8s8-minmax", stored="int8")
    assert [each.name for each in named.for_target(TABLE["x86-64-vnni"]).schemes] == ["s8s8-minmax"]
    assert named.for_target(TABLE["jetson-xavier"]).stored == "int8"
