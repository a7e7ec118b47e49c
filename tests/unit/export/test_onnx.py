"""The ONNX format."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgenet.errors import CorruptFile, NotPossible
from edgenet.export import onnx as onnx_format
from edgenet.export import onnx_file
from edgenet.export.graph import DeployedNetwork
from edgenet.export.onnx_weights import weights_of
from edgenet.runner.preprocess import Preprocessing
from tests.checkpoints import seeded

RULE = Preprocessing(
    mode="L", height=6, width=5, resize="stretch", mean=(0.1,), std=(0.2,), pad=1, polarity=None
)


def network() -> DeployedNetwork:
    """Return a small deployed network with batch normalisation."""
    return DeployedNetwork(seeded(_layers), RULE)


def _layers() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(90, 4)
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the small network once; return the file."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    onnx_format.write(network(), path, batch=None, opset=18, metadata={"labels": ["é", "b"]})
    return path


def test_the_file_is_alone_in_its_folder(written: Path) -> None:
    """No external data."""
    assert [each.name for each in written.parent.iterdir()] == ["model.onnx"]


def test_input_and_output_are_the_bundles(written: Path) -> None:
    """uint8 pixels in, float32 logits out, the batch free."""
    graph = onnx.load(written).graph
    shown = [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    ]
    assert shown == [
        ("input", TensorProto.UINT8, ["N", 1, 6, 5]),
        ("logits", TensorProto.FLOAT, ["N", 4]),
    ]


def test_a_fixed_batch_is_in_the_file(tmp_path: Path) -> None:
    """Also a batch of one, which exporters like to freeze by mistake."""
    onnx_format.write(network(), tmp_path / "m.onnx", batch=1, opset=18, metadata={})
    (value,) = onnx.load(tmp_path / "m.onnx").graph.input
    assert [size.dim_value for size in value.type.tensor_type.shape.dim] == [1, 1, 6, 5]


def test_weights_nodes_and_values_are_named_after_the_modules(written: Path) -> None:
    """Names follow from the network, not from the exporter's version."""
    graph = onnx.load(written).graph
    assert {"0.weight", "0.bias", "4.weight", "4.bias", "pixel_offset", "pixel_scale"} <= {
        tensor.name for tensor in graph.initializer
    }
    assert [node.name for node in graph.node] == [
        "pixels/Cast",
        "pixels/Pad",
        "pixels/Sub",
        "pixels/Mul",
        "0/Conv",
        "2/Tanh",
        "3/Reshape",
        "4/Gemm",
    ]


def test_every_value_has_a_shape(written: Path) -> None:
    """Inferred, so that other tools need not."""
    graph = onnx.load(written).graph
    named = {value.name for value in (*graph.value_info, *graph.output)}
    assert {output for node in graph.node for output in node.output} <= named


def test_the_metadata_are_in_the_file(written: Path) -> None:
    """As JSON under one key."""
    (entry,) = onnx.load(written).metadata_props
    assert entry.key == "edgenet"
    assert json.loads(entry.value) == {"labels": ["é", "b"]}


def test_no_path_of_this_machine_is_in_the_file(written: Path) -> None:
    """The exporter notes stack traces, which are dropped."""
    content = written.read_bytes()
    assert b"stack_trace" not in content
    assert b".py" not in content


def test_the_same_network_is_written_as_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """So that a hash means something."""
    again = tmp_path / "model.onnx"
    onnx_format.write(network(), again, batch=None, opset=18, metadata={"labels": ["é", "b"]})
    assert again.read_bytes() == written.read_bytes()


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What a command prints is its result alone."""
    onnx_format.write(network(), tmp_path / "m.onnx", batch=None, opset=18, metadata={})
    assert capfd.readouterr() == ("", "")


def test_the_opset_is_what_was_asked_for_or_an_error(tmp_path: Path) -> None:
    """The exporter leaves 18 where it cannot write 13, and says so in its log alone."""
    path = tmp_path / "m.onnx"
    facts = onnx_format.write(network(), path, batch=None, opset=20, metadata={})
    assert facts.options["opset"] == onnx_file.opset_of(onnx.load(path)) == 20


def test_an_opset_that_was_not_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read back decides, whatever the exporter was asked."""
    export = torch.onnx.export

    def deaf(*args: Any, **options: Any) -> Any:
        return export(*args, **{**options, "opset_version": 18})

    monkeypatch.setattr(torch.onnx, "export", deaf)
    with pytest.raises(NotPossible, match="wrote ONNX opset 18 where 13 was asked for") as error:
        onnx_format.write(network(), tmp_path / "m.onnx", batch=None, opset=13, metadata={})
    assert error.value.hint is not None
    assert "--opset 18" in error.value.hint


class Unknown(nn.Module):
    """Uses an operator that ONNX does not have."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return eigenvalues, as a classifier would not."""
        values: torch.Tensor = torch.linalg.eigvals(images[:, 0, :5, :5]).real
        return values


def test_a_network_that_onnx_cannot_express_is_refused(tmp_path: Path) -> None:
    """With the exporter's first line, not its pages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's attempts; what matters is the outcome
        with pytest.raises(NotPossible, match="cannot write this network as ONNX") as error:
            onnx_format.write(
                DeployedNetwork(Unknown(), RULE),
                tmp_path / "m.onnx",
                batch=None,
                opset=18,
                metadata={},
            )
    assert "\n" not in error.value.message


@pytest.mark.parametrize("content", [b"", b"not a protobuf", b"\x08\x0a" * 40])
def test_what_is_not_onnx_is_a_corrupt_file(tmp_path: Path, content: bytes) -> None:
    """Never a traceback of protobuf's."""
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"m\.onnx"):
        onnx_file.read(tmp_path / "m.onnx")


def model_of(nodes: list[onnx.NodeProto], **tensors: np.ndarray[Any, Any]) -> onnx.ModelProto:
    """Return a model with these nodes and initializers."""
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "g", [], [], initializers)
    return helper.make_model(graph)


WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)  # [features_out, features_in]
BIAS = np.array([0.5, -0.5], np.float32)


@pytest.mark.parametrize(
    ("nodes", "weight"),
    [
        ([helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)], WEIGHT),
        ([helper.make_node("Gemm", ["x", "w", "b"], ["y"])], WEIGHT.T),
        (
            [
                helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
                helper.make_node("MatMul", ["x", "t"], ["p"]),
                helper.make_node("Add", ["p", "b"], ["y"]),
            ],
            WEIGHT,
        ),
        (
            [
                helper.make_node("Identity", ["w"], ["i"]),
                helper.make_node("MatMul", ["x", "i"], ["p"]),
                helper.make_node("Add", ["b", "p"], ["y"]),
            ],
            WEIGHT.T,
        ),
    ],
    ids=["Gemm transposed", "Gemm", "MatMul of a Transpose", "MatMul"],
)
def test_a_linear_layer_is_read_in_pytorchs_layout(
    nodes: list[onnx.NodeProto], weight: np.ndarray[Any, Any]
) -> None:
    """However the graph multiplies, the effective weight is what counts."""
    weights = weights_of(model_of(nodes, w=weight, b=BIAS))
    (layer,) = weights.layers
    np.testing.assert_array_equal(layer.weight, WEIGHT)
    assert layer.bias is not None
    np.testing.assert_array_equal(layer.bias, BIAS)
    assert not weights.others


def test_a_flipped_transpose_shows_as_a_transposed_weight() -> None:
    """The stored numbers are right, their use is not."""
    square = np.arange(4, dtype=np.float32).reshape(2, 2)
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=0)
    (layer,) = weights_of(model_of([node], w=square)).layers
    np.testing.assert_array_equal(layer.weight, square.T)


def test_a_scale_within_gemm_is_part_of_the_weight() -> None:
    """Both alpha and beta multiply what is stored."""
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=2.0, beta=0.0)
    (layer,) = weights_of(model_of([node], w=WEIGHT, b=BIAS)).layers
    np.testing.assert_array_equal(layer.weight, 2 * WEIGHT)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_a_stored_weight_that_no_node_reads_is_not_reported() -> None:
    """A dropped bias may still lie in the file."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    (layer,) = weights_of(model_of([node], w=WEIGHT, b=BIAS)).layers
    assert layer.bias is None


def test_the_exporter_is_called_with_arguments_that_torch_2_5_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest supported signature; it ignores the opset, and leaves functions in the graph."""
    known = {
        *("kwargs", "export_params", "verbose", "input_names", "output_names", "opset_version"),
        *("dynamic_axes", "keep_initializers_as_inputs", "dynamo", "external_data"),
        *("dynamic_shapes", "report", "verify", "profile", "dump_exported_program"),
        *("artifacts_dir", "fallback"),
    }
    seen = SimpleNamespace(options={})

    def export(model: Any, args: Any, **options: Any) -> None:
        seen.options = options
        raise torch.onnx.OnnxExporterError("enough")

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(NotPossible):
        onnx_format.write(network(), tmp_path / "m.onnx", batch=None, opset=18, metadata={})
    assert set(seen.options) <= known
