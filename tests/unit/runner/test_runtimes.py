"""The runtimes, on the tiny bundle whose logits NumPy computes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner import runtimes
from edgenet.runner.bundle import open_bundle
from tests.bundles import (
    LABELS,
    SHAPE,
    edit_manifest,
    edit_onnx,
    logits_of,
    pictures,
    replace_file,
    write_onnx_bundle,
    write_pt2_bundle,
    write_torchscript_bundle,
)

WRITERS = {
    "onnxruntime": write_onnx_bundle,
    "torchscript": write_torchscript_bundle,
    "pt2": write_pt2_bundle,
}
# One rounding for each of 30 products and sums, and for the four steps before them.
TOLERANCE = 34 * float(np.finfo(np.float32).eps)


def _session(runtime: str, path: Path, **options: Any) -> Any:
    opened = open_bundle(path)
    return runtimes.load_runtime(runtime).open_session(opened, **{"threads": 1, **options})


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_a_runtime_gives_the_logits_that_numpy_gives(tmp_path: Path, runtime: str) -> None:
    """At batch sizes that change in between, so that no buffer of another size is left over."""
    session = _session(runtime, WRITERS[runtime](tmp_path / "bundle"), device="cpu")
    for n in (1, 5, 64, 5, 1):
        images = pictures(n, seed=n)
        expected = logits_of(images)
        logits = session.run(images)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE * np.abs(expected).max() * 10)
    session.close()


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_the_result_of_run_is_the_callers_to_keep(tmp_path: Path, runtime: str) -> None:
    """The session's own buffer is overwritten by the next query."""
    session = _session(runtime, WRITERS[runtime](tmp_path / "bundle"), device="cpu")
    first = session.run(pictures(2, seed=1))
    kept = first.copy()
    session.run(pictures(2, seed=2))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_the_three_steps_are_the_same_as_run(tmp_path: Path, runtime: str) -> None:
    """What is timed is what is evaluated."""
    session = _session(runtime, WRITERS[runtime](tmp_path / "bundle"), device="cpu")
    images = pictures(3)
    session.bind(images)
    session.execute()
    assert np.array_equal(session.fetch(), session.run(images))


@pytest.mark.parametrize("runtime", list(WRITERS))
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_another_device_is_refused_and_never_replaced(
    tmp_path: Path, runtime: str, device: str
) -> None:
    """A figure of the CPU under the name of a GPU is worse than none."""
    with pytest.raises(NotPossible, match=device):
        _session(runtime, WRITERS[runtime](tmp_path / "bundle"), device=device)


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_a_runtime_names_its_versions_and_is_available_here(runtime: str) -> None:
    """Both are dependencies of edgenet."""
    assert runtimes.unavailable(runtime) is None
    assert all(runtimes.load_runtime(runtime).versions().values())


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_a_runtime_that_is_not_installed_says_so_without_loading_it(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is one that the user can act on."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    reason = runtimes.unavailable(runtime)
    assert reason is not None
    assert "is not installed" in reason


def test_every_runtime_of_the_cpu_is_tested_here() -> None:
    """Those of GPUs alone have tests of their own, with fakes; so have rivals."""
    rows = runtimes.TABLE.items()
    assert set(WRITERS) == {name for name, row in rows if "cpu" in row.devices and not row.rival}


def _quantized(model: onnx.ModelProto) -> None:
    """Multiply the pixels, uint8, by weights of 127, int8: one sum exceeds what 16 bits hold."""
    pixels, classes = int(np.prod(SHAPE)), len(LABELS)
    del model.graph.node[:], model.graph.initializer[:]
    stored = {
        "one": np.float32(1),
        "step": np.float32(2**15),
        "u8": np.uint8(0),
        "s8": np.int8(0),
        "weight": np.full((pixels, classes), 127, np.int8),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()
    )
    for operator, inputs, output in (
        ("Flatten", ["input"], "flat"),
        ("DequantizeLinear", ["flat", "one", "u8"], "pixels"),
        ("DequantizeLinear", ["weight", "one", "s8"], "weights"),
        ("MatMul", ["pixels", "weights"], "sums"),
        ("QuantizeLinear", ["sums", "step", "u8"], "rounded"),
        ("DequantizeLinear", ["rounded", "step", "u8"], "logits"),
    ):
        model.graph.node.append(helper.make_node(operator, inputs, [output]))


def test_an_int8_bundle_is_computed_exactly_whatever_the_processor(tmp_path: Path) -> None:
    """White pictures: 30 · 255 · 127 = 971,550. Without VNNI its pairs saturate to 30 · 2¹⁴."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_onnx(bundle, _quantized)
    edit_manifest(bundle, lambda manifest: manifest.update(precision="int8"))
    session = _session("onnxruntime", bundle, device="cpu")
    assert session.options == {"session.x64quantprecision": "1"}
    white = np.full((2, *SHAPE), 255, np.uint8)
    exact = round(int(np.prod(SHAPE)) * 255 * 127 / 2**15) * 2**15
    assert (session.run(white) == exact).all()


@pytest.mark.parametrize("runtime", list(WRITERS))
def test_a_float_bundle_is_run_without_any_option(tmp_path: Path, runtime: str) -> None:
    """What is recorded beside a figure is what decided it."""
    session = _session(runtime, WRITERS[runtime](tmp_path / "bundle"), device="cpu")
    assert session.options == {}


def test_a_runtime_that_does_not_know_its_exact_mode_does_not_claim_it() -> None:
    """Version 1.10, the last one for Python 3.6, takes any entry and says nothing."""
    from edgenet.runner.runtimes.onnxruntime_loading import arithmetic

    (old,), (new,) = (arithmetic("int8", version).values() for version in ("1.12.1", "1.13.0"))
    assert old == "unknown to onnxruntime 1.12.1"
    assert new == "1"


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[3]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights.bin")


def test_an_onnx_bundle_with_external_data_is_refused(tmp_path: Path) -> None:
    """Even where its hashes are right."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_onnx(bundle, _external)
    with pytest.raises(CorruptFile, match="another file"):
        _session("onnxruntime", bundle, device="cpu")


def _rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "x"
    model.graph.node[0].input[0] = "x"


def _float_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 7


@pytest.mark.parametrize("change", [_rename_input, _float_input, _fixed_batch])
def test_an_onnx_file_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, change: Any
) -> None:
    """Name, type and shape of the input, each."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    edit_onnx(bundle, change)
    with pytest.raises((CorruptFile, NotPossible), match=r"model\.onnx"):
        _session("onnxruntime", bundle, device="cpu")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    """It parses as protobuf but not as ONNX."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    replace_file(bundle, "model.onnx", b"\x08\x07")
    with pytest.raises((CorruptFile, NotPossible), match=r"model\.onnx"):
        _session("onnxruntime", bundle, device="cpu")


def test_an_opset_that_the_runtime_does_not_know_is_not_possible_here(tmp_path: Path) -> None:
    """The file is sound; another version of onnxruntime would take it."""
    bundle = write_onnx_bundle(tmp_path / "bundle")

    def raise_opset(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = 999

    edit_onnx(bundle, raise_opset)
    with pytest.raises(NotPossible) as caught:
        _session("onnxruntime", bundle, device="cpu")
    assert "--opset" in str(caught.value.hint)


def test_a_model_file_of_another_suffix_is_refused(tmp_path: Path) -> None:
    """The suffix decides how onnxruntime parses: an .ort file may name other files."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    content = (bundle / "model.onnx").read_bytes()
    replace_file(bundle, "model.ort", content)
    edit_manifest(bundle, lambda manifest: manifest.update(model="model.ort"))
    with pytest.raises(CorruptFile, match=r"\*\.onnx"):
        _session("onnxruntime", bundle, device="cpu")


@pytest.mark.parametrize("content", [b"no archive", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_torchscript_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message of torch itself runs over a page; ours names the file."""
    bundle = write_torchscript_bundle(tmp_path / "bundle")
    replace_file(bundle, "model.pt", content)
    with pytest.raises(CorruptFile, match=r"model\.pt is not TorchScript"):
        _session("torchscript", bundle, device="cpu")


def test_a_torchscript_archive_that_swells_is_refused(tmp_path: Path) -> None:
    """Ten megabytes of zeros from ten kilobytes."""
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/code/x.py", b"\0" * 10_000_000)
    bundle = write_torchscript_bundle(tmp_path / "bundle")
    replace_file(bundle, "model.pt", buffer.getvalue())
    with pytest.raises(CorruptFile, match="unpacks to"):
        _session("torchscript", bundle, device="cpu")


def test_a_torchscript_module_with_another_output_is_refused(tmp_path: Path) -> None:
    """Its file does not tell; the first result does."""
    bundle = write_torchscript_bundle(tmp_path / "bundle")
    labels = ["a", "b", "c", "d"]

    def claim_four(manifest: dict[str, Any]) -> None:
        manifest["labels"] = labels
        manifest["output"]["shape"] = ["N", 4]

    edit_manifest(bundle, claim_four)
    session = _session("torchscript", bundle, device="cpu")
    with pytest.raises(CorruptFile, match="does not give float32"):
        session.run(pictures(1))
