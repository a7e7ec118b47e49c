"""OpenVINO itself on our files: FP32 and INT8, changing batches, bad files, and nothing sent.

It is not among the packages of the tests, since it takes 180 MB: `pip install 'edgenet[rivals]'`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile, NotPossible
from edgenet.models import TABLE as MODELS
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.runtimes import openvino
from edgenet.verify.parity import compare, relative_bound
from edgenet.workflows import ExportArguments, export
from tests.bundles import (
    LABELS,
    SHAPE,
    edit_manifest,
    edit_onnx,
    logits_of,
    pictures,
    replace_file,
    write_onnx_bundle,
)
from tests.checkpoints import write_checkpoint, write_random_data
from tests.commands import edgenet, measured
from tests.hostile import ATTACKS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)

# One rounding for each of 30 products and sums, and for the four steps before them.
TOLERANCE = 34 * float(np.finfo(np.float32).eps)

OTHERS = [name for name in MODELS if name != "lenet5-relu"]


def _session(path: Path, threads: int = 1) -> Any:
    return openvino.open_session(open_bundle(path), threads, "cpu")


def test_openvino_gives_the_logits_that_numpy_gives(tmp_path: Path) -> None:
    """At more batch sizes than it keeps networks for, and at the first of them again."""
    session = _session(write_onnx_bundle(tmp_path / "bundle"))
    for n in (1, 5, 64, 5, 1, 2, 3, 4, 6, 7, 1):
        images = pictures(n, seed=n)
        expected = logits_of(images)
        logits = session.run(images)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE * np.abs(expected).max() * 10)
    session.close()


def test_the_result_of_run_is_the_callers_and_the_three_steps_give_the_same(
    tmp_path: Path,
) -> None:
    """The session's own buffer is overwritten by the next query."""
    session = _session(write_onnx_bundle(tmp_path / "bundle"))
    first = session.run(pictures(2, seed=1))
    kept = first.copy()
    session.bind(pictures(2, seed=2))
    session.execute()
    assert np.array_equal(session.fetch(), session.run(pictures(2, seed=2)))
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, session.fetch())


def test_what_was_set_is_said(tmp_path: Path) -> None:
    """Read back from the compiled network, too, as far as it tells."""
    session = _session(write_onnx_bundle(tmp_path / "bundle"))
    assert session.options == {**openvino.SETTINGS, "shape": "fixed"}
    compiled = session._bound.request.get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert compiled.get_property("PERFORMANCE_HINT") == "LATENCY"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert not compiled.input(0).get_partial_shape().is_dynamic


@pytest.mark.parametrize(
    "model", ["lenet5-relu", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_a_network_of_the_table_keeps_fp32_parity_with_onnxruntime(
    tmp_path: Path, model: str
) -> None:
    """Within the bound of FP32 of one runtime against another, with equal decisions."""
    data = write_random_data(tmp_path / "data")
    checkpoint = write_checkpoint(tmp_path / "net.safetensors", data, model=model)
    (exported,) = export(ExportArguments(source=checkpoint, verify=False)).bundles
    assert exported.path is not None
    bundle = open_bundle(exported.path)
    images = bundle.golden()["inputs"]
    ours, theirs = (open_inference(bundle, name) for name in ("onnxruntime", "openvino"))
    bound = relative_bound(bundle.manifest.longest_reduction)
    parity = compare(ours.logits(images), theirs.logits(images), bound=bound)
    assert parity.passed, parity.describe()


def _quantized(model: onnx.ModelProto) -> None:
    """Round the pixels, uint8, and multiply them by INT8 weights of 127, as `quantize` would."""
    pixels, classes = int(np.prod(SHAPE)), len(LABELS)
    del model.graph.node[:], model.graph.initializer[:]
    stored = {
        "one": np.float32(1),
        "zero": np.int8(0),
        "weight": np.full((pixels, classes), 127, np.int8),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()
    )
    model.graph.node.append(helper.make_node("Cast", ["input"], ["pixels"], to=TensorProto.FLOAT))
    for operator, inputs, output in (
        ("Flatten", ["pixels"], "flat"),
        ("QuantizeLinear", ["flat", "one", "zero"], "rounded"),
        ("DequantizeLinear", ["rounded", "one", "zero"], "inputs"),
        ("DequantizeLinear", ["weight", "one", "zero"], "weights"),
        ("MatMul", ["inputs", "weights"], "logits"),
    ):
        model.graph.node.append(helper.make_node(operator, inputs, [output]))


def test_int8_is_computed_exactly_whatever_the_processor(tmp_path: Path) -> None:
    """Pixels of 127: 30 · 127 · 127 = 483,870. Without VNNI its own INT8 kernel gives 3,825."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_onnx(bundle, _quantized)
    edit_manifest(bundle, lambda manifest: manifest.update(precision="int8"))
    session = _session(bundle)
    assert session.options == {
        **openvino.SETTINGS,
        **openvino.int8_settings("int8"),
        "shape": "fixed",
    }
    logits = session.run(np.full((2, *SHAPE), 127, np.uint8))
    assert (logits == int(np.prod(SHAPE)) * 127 * 127).all()


def test_a_bundle_of_one_batch_size_is_compiled_for_it_alone(tmp_path: Path) -> None:
    """Any number of pictures is run in batches of that size."""
    bundle = open_bundle(write_onnx_bundle(tmp_path / "bundle", batch=4))
    images = pictures(6)
    assert open_inference(bundle, "openvino").logits(images).shape == (6, len(LABELS))
    session = openvino.open_session(bundle, 1, "cpu")
    assert session.run(images[:4]).shape == (4, len(LABELS))


def test_more_threads_than_there_are_cores_are_refused(tmp_path: Path) -> None:
    """OpenVINO itself takes fewer and says nothing."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    with pytest.raises(NotPossible, match="threads here, not on 4096"):
        _session(bundle, threads=4096)


def _rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "x"
    model.graph.node[0].input[0] = "x"


def _float_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _other_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 7


def _four_classes(model: onnx.ModelProto) -> None:
    """Leave the shape that is declared, but compute another."""
    for tensor in model.graph.initializer:
        if tensor.name in ("weight", "bias"):
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(
                numpy_helper.from_array(np.repeat(values, 2, axis=-1)[..., :4], tensor.name)
            )


def _fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3


@pytest.mark.parametrize(
    "change", [_rename_input, _float_input, _other_size, _four_classes, _fixed_batch]
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path, change: Any) -> None:
    """Name, type and shape of the input, the number of classes, and the free batch."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_onnx(bundle, change)
    with pytest.raises((CorruptFile, NotPossible), match=r"model\.onnx"):
        _session(bundle)


def test_an_operator_that_openvino_does_not_have_is_named_in_one_line(tmp_path: Path) -> None:
    """Its own message runs over a page."""
    bundle = write_onnx_bundle(tmp_path / "bundle")

    def rename(model: onnx.ModelProto) -> None:
        model.graph.node[-1].op_type = "Unheard"

    edit_onnx(bundle, rename)
    with pytest.raises(NotPossible, match="Unheard") as caught:
        _session(bundle)
    assert "\n" not in caught.value.message
    assert "onnxruntime" in str(caught.value.hint)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    """It parses as protobuf but not as ONNX."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    replace_file(bundle, "model.onnx", b"\x08\x07")
    with pytest.raises(CorruptFile, match=r"model\.onnx is not a valid network"):
        _session(bundle)


@pytest.mark.parametrize(
    "name", [n for n, attack in ATTACKS.items() if "bench" in attack.verbs and "golden" not in n]
)
def test_a_hostile_file_is_refused_before_openvino_sees_it(tmp_path: Path, name: str) -> None:
    """As by onnxruntime's runner; the attacks are those of tests/e2e/test_hostile_bundles.py."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret" * 100)
    ATTACKS[name].make(bundle, outside)
    with pytest.raises(CorruptFile):
        _session(bundle)


def test_running_a_bundle_loads_nothing_that_reports_it(tmp_path: Path) -> None:
    """Importing OpenVINO as it comes would report that over the network."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    code = (
        "import sys; from pathlib import Path;"
        "from edgenet.runner.bundle import open_bundle;"
        "from edgenet.runner.inference import open_inference;"
        f"opened = open_bundle(Path({str(bundle)!r}));"
        "open_inference(opened, 'openvino').logits(opened.golden()['inputs']);"
        "print([name for name in sys.modules if 'telemetry' in name or 'ovc' in name])"
    )
    root = Path(__file__).parents[2]
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert printed == "[]\n"


def test_bench_measures_both_runtimes_in_one_run(folder: Path) -> None:
    """Each with its options, and the accuracy by the same pictures."""
    write_onnx_bundle(folder / "bundle")
    arguments = ("--runtime", "onnxruntime", "--runtime", "openvino", "--processes", "1")
    few = ("--batch", "1", "--duration", "0.05", "--warmup", "0.05", "--json")
    result = edgenet(folder, "bench", "bundle", *arguments, *few)
    measured(result)
    rows = json.loads(result.stdout)["rows"]
    assert [row["runtime"] for row in rows] == ["onnxruntime", "openvino"]
    assert all(row["latency"][0]["n"] > 0 for row in rows)
    assert rows[1]["options"] == {**openvino.SETTINGS, "shape": "fixed"}
