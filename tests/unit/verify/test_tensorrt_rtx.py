"""Asking TensorRT for RTX in another process: what is read from its answer, and when it gives none.

The library itself is asked in tests/contract/test_tensorrt_rtx.py; here a stand-in crashes, cannot
be loaded, or says what it is told to.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.errors import NotPossible
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.log import multiplications
from edgenet.verify import tensorrt_rtx
from edgenet.verify.tensorrt_rtx import (
    Engine,
    Multiplication,
    build,
    build_all,
    check_tensorrt_rtx,
)
from edgenet.workflows import VerifyArguments, verify
from tests.bundles import replace_file, write_onnx_bundle
from tests.unit.compress.graphs import content, pictures

_DESCRIBED = (
    "Name: {name}, LayerType: {kind}, Inputs: [ {{ Name: x, Dimensions: [-1,84], "
    "Datatype: {type}, Format: (Linear) Row major linear format }}], Constants: [ {{ Name: w, "
    "Datatype: Float }}], Outputs: [ {{ Name: y, Datatype: Half }}], TacticName: t, StreamId: 0, "
    "Metadata: {nodes}"
)
DESCRIPTION = "\n".join(
    [
        "Layers:",
        "Name: s, LayerType: signal, Inputs: [], Constants: [], StreamId: 0, EventId: 1, Metadata:",
        *(
            _DESCRIBED.format(
                name=f"__myl_{kind}_0",
                kind=kind,
                type=type_,
                nodes="".join(f"[ONNX Layer: {node}]" for node in nodes),
            )
            for kind, type_, nodes in (
                ("kgen", "UInt8", ["pixels/Cast", "conv/Conv"]),
                ("correlation", "Int8", ["conv/DequantizeLinear", "conv/Conv"]),
                ("maxpool", "Int8", ["pool/MaxPool"]),
                ("runtime_fusion", "Int8", ["fc/DequantizeLinear", "fc/Gemm", "fc/Relu"]),
                ("gemm", "FP8", ["output/Gemm"]),
                ("kgen", "Half", ["expand/Conv", "gate/Sigmoid"]),
            )
        ),
    ]
)

CRASHES_AT_X = """
import os
__version__ = "9.9"
class ILogger:
    ERROR, INTERNAL_ERROR, WARNING = 1, 2, 3
class Builder:
    def __init__(self, log): pass
    def create_network(self, flags): return None
class OnnxParser:
    num_errors = 0
    def __init__(self, network, log): pass
    def parse(self, content): return os.abort() if content.endswith(b"x") else False
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Put a module in the library's place, for this process and those that it starts."""
    folder.mkdir()
    (folder / f"{tensorrt_rtx.MODULE}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)


def answering(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Let the library answer this."""
    monkeypatch.setattr(tensorrt_rtx, "build", lambda path: engine)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Return a bundle in FP32."""
    return open_bundle(write_onnx_bundle(tmp_path / "bundle"))


def quantized_bundle(folder: Path, activations: str) -> Bundle:
    """Return a bundle whose file has six quantized layers."""
    path = write_onnx_bundle(folder / "int8")
    scheme = Scheme(activations="uint8" if activations == "uint8" else "int8")
    replace_file(path, "model.onnx", quantize(content(), pictures(), scheme))
    return open_bundle(path)


def test_the_layers_that_multiply_are_read_with_the_precision_of_their_input() -> None:
    """Pointwise code that was fused from the same node is none, nor is pooling.

    A fusion that reads integers turns them into floating point before its product. Generated code
    that alone has a node is its product, in the type of the weights.
    """
    nodes = {"conv/Conv", "fc/Gemm", "output/Gemm", "expand/Conv"}
    assert list(multiplications(DESCRIPTION, nodes)) == [
        Multiplication(node="conv/Conv", precision="INT8"),
        Multiplication(node="fc/Gemm", precision="FP16"),
        Multiplication(node="output/Gemm", precision="FP8"),
        Multiplication(node="expand/Conv", precision="FP32"),
    ]


def test_generated_code_is_no_product_where_its_weights_are_integers_or_of_several_types() -> None:
    """What it multiplies in is not said there; so it is never counted as INT8."""
    line = _DESCRIBED.format(name="g", kind="kgen", type="Int8", nodes="[ONNX Layer: a/Conv]")
    for types in ("Datatype: Int8", "Datatype: Float }, { Name: v, Datatype: Half"):
        described = line.replace("Name: w, Datatype: Float", f"Name: w, {types}")
        assert list(multiplications(described, {"a/Conv"})) == []


def test_a_library_that_is_not_installed_is_named_with_its_extra(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row says what to install, and is no failure."""
    monkeypatch.setattr(tensorrt_rtx, "MODULE", "no_such_library")
    check = check_tensorrt_rtx(bundle)
    assert check.status == "not run"
    assert "pip install 'edgenet[trt-rtx-check]'" in check.detail
    assert check in verify(VerifyArguments(bundle=bundle.path)).verification.checks


def test_a_library_that_cannot_be_loaded_is_no_fault_of_the_file(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a wheel for another machine."""
    stand_in(tmp_path / "lib", monkeypatch, "raise ImportError('libfoo.so.1: not there')")
    with pytest.raises(NotPossible, match=r"cannot be loaded: libfoo\.so\.1: not there"):
        build(bundle.model_path)
    assert check_tensorrt_rtx(bundle).status == "not run"


def test_a_crash_of_the_library_ends_its_own_process_and_fails_the_check(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that crashes a parser is not one that it takes. What it printed is no answer."""
    source = "import os\nprint('chatter', flush=True)\nos.abort()\n"
    stand_in(tmp_path / "lib", monkeypatch, source)
    check = check_tensorrt_rtx(bundle)
    assert check.status == "failed"
    assert "SIGABRT" in check.detail


def test_a_file_that_crashes_the_library_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named by its place; what comes behind it gets another process.

    The stand-in takes what ends with an "x" for a crash, and parses nothing else.
    """
    stand_in(tmp_path / "lib", monkeypatch, CRASHES_AT_X)
    paths = [tmp_path / name for name in ("a", "x", "b", "x")]
    for path in paths:
        path.write_text(path.name)
    first, second, third, last = build_all(paths)
    assert first.errors == third.errors == ("it is not parsed",)
    assert first.library == "TensorRT for RTX 9.9"
    assert second.errors == last.errors == ("it crashed: SIGABRT",)


def test_the_first_error_of_a_refusal_is_in_the_row(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the node that the library names, and how many more there are."""
    errors = ("no such operator (node 'a')", "nor this (node 'b')")
    answering(monkeypatch, Engine(version="9.9", errors=errors, engine_bytes=0, multiplications=()))
    check = check_tensorrt_rtx(bundle)
    assert check.status == "failed"
    assert check.detail == (
        "TensorRT for RTX 9.9 does not take it: no such operator (node 'a') (and 1 more)"
    )
    assert json.dumps(check.to_json())


def test_a_quantized_layer_that_multiplies_in_fp32_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is built, and is slower and larger than it claims."""
    found = [Multiplication(node=f"layer{number}", precision="INT8") for number in range(5)]
    odd = Multiplication(node="hidden/Gemm", precision="FP32")
    engine = Engine(version="9.9", errors=(), engine_bytes=1, multiplications=(*found, odd))
    answering(monkeypatch, engine)
    check = check_tensorrt_rtx(quantized_bundle(tmp_path, "int8"))
    assert check.status == "failed"
    assert "INT8 in 5 of 6 quantized layers; in another precision: hidden/Gemm" in check.detail


def test_uint8_activations_are_not_shown_to_tensorrt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are for targets that ask for them; a refusal would say nothing new."""
    monkeypatch.setattr(tensorrt_rtx, "build", None)
    check = check_tensorrt_rtx(quantized_bundle(tmp_path, "uint8"))
    assert check.status == "not run"
    assert "other targets" in check.detail
