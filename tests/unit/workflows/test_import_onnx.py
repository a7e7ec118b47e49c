"""Making a bundle of an ONNX classifier that somebody else trained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile, EdgenetError, NotPossible, UsageError
from edgenet.runner.bundle import open_bundle
from edgenet.workflows._import_onnx import ImportArguments, ImportResult, import_onnx
from edgenet.workflows._verify import VerifyArguments, verify

LABELS = ("a", "b", "c")
MEAN, STD = (0.5,), (0.25,)
Size = int | str


def foreign(
    path: Path,
    *,
    shape: tuple[Size, ...] = ("batch", 1, 4, 5),
    outputs: tuple[Size, ...] = ("batch", 3),
    softmax: bool = False,
    reshape: list[int] | None = None,
    names: tuple[str, str] = ("x", "y"),
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """Write a linear classifier as another tool would; return its path."""
    features = int(np.prod([size for size in shape[1:] if isinstance(size, int)]))
    draw = np.random.Generator(np.random.PCG64(0))
    weight = draw.normal(size=(features, 3)).astype(np.float32)
    source, result = names
    tensors = [numpy_helper.from_array(weight, "weight")]
    if reshape is None:
        nodes = [helper.make_node("Flatten", [source], ["flat"])]
    else:
        tensors.append(numpy_helper.from_array(np.array(reshape, np.int64), "sizes"))
        nodes = [helper.make_node("Reshape", [source, "sizes"], ["flat"])]
    last = "logit" if softmax else result
    nodes.append(helper.make_node("MatMul", ["flat", "weight"], [last]))
    if softmax:
        nodes.append(helper.make_node("Softmax", [last], [result]))
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(source, dtype, shape)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, outputs)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def imported(file: Path, **options: Any) -> ImportResult:
    """Import ``file`` into runs beside it."""
    arguments = {"labels": LABELS, "mean": MEAN, "std": STD, "project": file.parent / "runs"}
    return import_onnx(ImportArguments(file=file, **{**arguments, **options}))


def answers(result: ImportResult) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return golden inputs and the bundle's own answers to them."""
    assert result.path is not None
    golden = open_bundle(result.path).golden()
    return golden["inputs"], golden["logits"]


def test_a_foreign_classifier_becomes_a_bundle_that_verifies(tmp_path: Path) -> None:
    """Raw pixels in; the same answers as the file gives for normalised ones."""
    result = imported(foreign(tmp_path / "net.onnx"))
    assert result.passed
    assert result.path == tmp_path / "runs" / "import" / "net" / "bundles" / "onnx-fp32"
    manifest = open_bundle(result.path).manifest
    assert manifest.parent is None
    assert manifest.input.shape == ("N", 1, 4, 5)
    assert (result.batch, result.opset, result.probability) == (None, 17, "softmax")
    assert verify(VerifyArguments(bundle=result.path)).passed
    inputs, logits = answers(result)
    weight = numpy_helper.to_array(onnx.load(tmp_path / "net.onnx").graph.initializer[0])
    pixels = (inputs / 255 - MEAN[0]) / STD[0]
    np.testing.assert_allclose(logits, pixels.reshape(len(inputs), -1) @ weight, atol=1e-4)
    json.dumps(result.to_json())


def test_colour_padding_and_a_free_size_are_declared(tmp_path: Path) -> None:
    """What the file leaves open, the arguments close."""
    file = foreign(tmp_path / "net.onnx", shape=("n", 3, 8, 8))
    result = imported(file, mean=(0.5,) * 3, std=(0.2,) * 3, pad=1)
    assert result.path is not None
    manifest = open_bundle(result.path).manifest
    assert manifest.input.shape == ("N", 3, 6, 6)
    assert (manifest.preprocessing.mode, manifest.preprocessing.pad) == ("RGB", 1)


def test_a_batch_that_is_only_declared_fixed_is_made_free(tmp_path: Path) -> None:
    """Most exporters write 1 and mean any."""
    result = imported(foreign(tmp_path / "net.onnx", shape=(1, 1, 4, 5), outputs=(1, 3)))
    assert result.batch is None
    assert result.passed


def test_a_batch_that_the_graph_fixes_stays_fixed(tmp_path: Path) -> None:
    """A Reshape to [2, 20] takes nothing but 2 pictures."""
    file = foreign(tmp_path / "net.onnx", shape=(2, 1, 4, 5), outputs=(2, 3), reshape=[2, 20])
    result = imported(file)
    assert result.batch == 2
    assert result.path is not None
    assert open_bundle(result.path).manifest.fixed_batch == 2
    assert verify(VerifyArguments(bundle=result.path)).passed


def test_probabilities_are_recognised_and_stay_what_they_are(tmp_path: Path) -> None:
    """A softmax of a softmax would be nonsense."""
    result = imported(foreign(tmp_path / "net.onnx", softmax=True))
    assert result.probability == "identity"
    np.testing.assert_allclose(answers(result)[1].sum(axis=1), 1, rtol=1e-5)
    assert imported(foreign(tmp_path / "n.onnx"), output="probabilities").probability == "identity"


def test_names_that_the_graph_uses_already_do_not_collide(tmp_path: Path) -> None:
    """The foreign input may be called logits, and its output input."""
    assert imported(foreign(tmp_path / "net.onnx", names=("logits", "input"))).passed
    assert imported(foreign(tmp_path / "same.onnx", names=("input", "logits"))).passed


def test_the_foreign_metadata_are_replaced_by_the_bundles(tmp_path: Path) -> None:
    """One key, with the labels."""
    result = imported(foreign(tmp_path / "net.onnx"))
    assert result.path is not None
    (entry,) = onnx.load(result.path / "model.onnx").metadata_props
    assert json.loads(entry.value)["labels"] == list(LABELS)


@pytest.mark.parametrize(
    ("graph", "options", "kind", "words"),
    [
        ({}, {"labels": ("a", "b")}, UsageError, "2 labels are named, but the network has 3"),
        ({}, {"mean": (0.1, 0.2)}, UsageError, "--mean has 2 values for 1 channels"),
        ({}, {"std": (0.1,) * 3}, UsageError, "--std has 3 values for 1 channels"),
        ({}, {"mode": "RGB"}, UsageError, "takes 1 channels"),
        ({}, {"image_size": (9, 9)}, UsageError, "do not make"),
        ({}, {"pad": 2}, UsageError, "do not make"),
        ({"shape": ("n", 1, "h", 20)}, {}, UsageError, "leaves the height"),
        ({"dtype": TensorProto.DOUBLE}, {}, NotPossible, r"double \[N, 1, 4, 5\]"),
        ({"shape": ("n", 20)}, {}, NotPossible, "takes float32"),
        ({"shape": ("n", 2, 2, 5)}, {}, UsageError, "takes 2 channels"),
        ({"outputs": ("n", 3, 1)}, {}, (NotPossible, CorruptFile), "output|shape"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path,
    graph: dict[str, Any],
    options: dict[str, Any],
    kind: type[EdgenetError],
    words: str,
) -> None:
    """And no run folder is left behind."""
    file = foreign(tmp_path / "net.onnx", **graph)
    with pytest.raises(kind, match=words):
        imported(file, **options)
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": ("a",)}, "2 labels or more"),
        ({"std": (0.0,)}, "above 0"),
        ({"mean": (float("nan"),)}, "numbers"),
        ({"pad": -1}, "pad"),
        ({"mode": "CMYK"}, "unknown mode"),
        ({"output": "distances"}, "unknown output"),
        ({"image_size": (0, 3)}, "image_size"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_the_file_is_read(
    options: dict[str, Any], words: str
) -> None:
    """Exit code 2."""
    with pytest.raises(UsageError, match=words):
        imported(Path("absent.onnx"), **options)


def test_a_network_with_two_inputs_is_refused(tmp_path: Path) -> None:
    """It is no classifier of pictures."""
    model = onnx.load(foreign(tmp_path / "net.onnx"))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(NotPossible, match="2 inputs and 1 outputs"):
        imported(tmp_path / "net.onnx")


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    """A bundle is one file, and a path in a file is not to be followed."""
    model = onnx.load(foreign(tmp_path / "net.onnx"))
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(CorruptFile, match="another file"):
        imported(tmp_path / "net.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"\xff" * 200])
def test_what_is_not_onnx_is_a_corrupt_file(tmp_path: Path, content: bytes) -> None:
    """Exit code 6, with the file's name."""
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"net\.onnx"):
        imported(tmp_path / "net.onnx")


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2."""
    with pytest.raises(UsageError, match="there is no file"):
        imported(tmp_path / "net.onnx")


def test_outputs_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    """Golden vectors of NaN would verify nothing."""
    model = onnx.load(foreign(tmp_path / "net.onnx"))
    weight = np.full((20, 3), np.nan, np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "weight"))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(NotPossible, match="not finite"):
        imported(tmp_path / "net.onnx")


def test_an_operator_that_the_runtime_does_not_know_is_named(tmp_path: Path) -> None:
    """With onnxruntime's first line."""
    model = onnx.load(foreign(tmp_path / "net.onnx"))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Mystery", "custom"
    model.opset_import.append(helper.make_opsetid("custom", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(NotPossible, match="Mystery"):
        imported(tmp_path / "net.onnx")


def test_a_second_import_of_a_name_gets_a_number(tmp_path: Path) -> None:
    """As every run does."""
    file = foreign(tmp_path / "net.onnx")
    imported(file)
    second = imported(file)
    assert second.path is not None
    assert second.path.parent.parent.name == "net-2"


def test_importing_needs_no_torch(tmp_path: Path) -> None:
    """It may be done where nothing is trained."""
    file = foreign(tmp_path / "net.onnx")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from edgenet.workflows._import_onnx import ImportArguments, import_onnx\n"
        "file = Path(sys.argv[1])\n"
        "print(import_onnx(ImportArguments(file=file, labels=('a', 'b', 'c'), mean=(0.5,), "
        "std=(0.25,), project=file.parent / 'runs')).passed)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
