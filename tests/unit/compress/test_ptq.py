"""Quantizing a network after training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantize, quantize_observed
from edgenet.compress.qdq import Steps, quantized_weight, weight_scales
from edgenet.compress.ranges import observe
from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.compress.sensitivity import sqnr_db
from edgenet.errors import NotPossible, UsageError
from edgenet.export.onnx_weights import weights_of
from edgenet.verify.qdq import quantized_layers, violations, weight_violations
from tests.unit.compress.graphs import LAYERS, classifier, content, pictures, sqnr_floor_db

MODEL = content()
CALIBRATION = pictures(60)
OTHERS = pictures(200, seed=1)
INT8 = quantize(MODEL, CALIBRATION, Scheme())


def exact_logits(model: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Compute logits operator by operator as the ONNX standard defines them, with NumPy."""
    (logits,) = ReferenceEvaluator(onnx.load_model_from_string(model)).run(None, {"input": OTHERS})
    return np.asarray(logits)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_keeps_what_8_bits_can_keep(name: str) -> None:
    """By the standard's own arithmetic, on pictures that were not calibrated with."""
    observed = observe(MODEL, CALIBRATION)
    candidate = quantize_observed(MODEL, observed, SCHEMES[name])
    assert sqnr_db(logits_of(MODEL, OTHERS), exact_logits(candidate)) > sqnr_floor_db(len(LAYERS))


def test_onnxruntime_computes_what_the_standard_says() -> None:
    """A symmetric INT8 file has the same decisions in both."""
    exact, computed = exact_logits(INT8), logits_of(INT8, OTHERS)
    assert sqnr_db(exact, computed) > sqnr_floor_db(len(LAYERS))
    assert (exact.argmax(axis=1) == computed.argmax(axis=1)).mean() > 0.99


def test_two_runs_give_the_same_bits() -> None:
    """Of the file, and of what onnxruntime computes with it."""
    assert quantize(MODEL, CALIBRATION, Scheme()) == INT8
    assert logits_of(INT8, OTHERS).tobytes() == logits_of(INT8, OTHERS).tobytes()


@pytest.mark.parametrize("stored", ["int8", "fp32"])
@pytest.mark.parametrize("name", SCHEMES)
def test_the_file_is_in_the_form(name: str, stored: str) -> None:
    """Every layer quantized, and nothing for the lint to name."""
    scheme = SCHEMES[name]
    file = quantize(MODEL, CALIBRATION, scheme, stored=stored)  # type: ignore[arg-type] # two words
    model = onnx.load_model_from_string(file)
    assert violations(model, activations=scheme.activations) == ()
    assert tuple(layer.name for layer in quantized_layers(model)) == LAYERS


def test_fp32_weights_with_q_before_dq_compute_the_same() -> None:
    """TensorRT 8 wants them so; the numbers are those of the default form."""
    as_fp32 = quantize(MODEL, CALIBRATION, Scheme(), stored="fp32")
    assert logits_of(as_fp32, OTHERS).tobytes() == logits_of(INT8, OTHERS).tobytes()
    assert len(as_fp32) > len(MODEL)
    pairs = zip(*(quantized_layers(onnx.load_model_from_string(f)) for f in (as_fp32, INT8)))  # noqa: B905
    for left, right in pairs:
        np.testing.assert_array_equal(left.weight, right.weight)


def test_weights_are_stored_as_int8_alone() -> None:
    """Once each; what is float32 is biases, scales and the pixel arithmetic."""
    tensors = onnx.load_model_from_string(INT8).graph.initializer
    types = {tensor.name: tensor.data_type for tensor in tensors}
    assert {types[f"{name}.weight"] for name in LAYERS} == {TensorProto.INT8}
    assert {types[name] for name in ("conv.bias", "hidden.bias")} == {TensorProto.FLOAT}
    assert len(INT8) < len(MODEL)


def test_names_metadata_opset_and_tensors_stay() -> None:
    """The file is the same network's, and its input is still raw pixels."""
    before, after = (onnx.load_model_from_string(each) for each in (MODEL, INT8))
    assert after.metadata_props == before.metadata_props
    assert after.opset_import == before.opset_import
    assert after.ir_version == before.ir_version
    assert after.graph.input == before.graph.input
    assert after.graph.output == before.graph.output
    assert {node.name for node in before.graph.node} <= {node.name for node in after.graph.node}


def test_every_layer_has_a_pair_of_its_own() -> None:
    """Two convolutions that read one value do not share its Q and DQ."""
    graph = onnx.load_model_from_string(INT8).graph
    assert [node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"] == [
        *("unit", "r", "r", "f", "h", "g")
    ]


def test_an_excluded_layer_stays_in_fp32() -> None:
    """Bit for bit, its input too."""
    file = quantize(MODEL, CALIBRATION, Scheme(exclude=("left", "output")))
    model = onnx.load_model_from_string(file)
    kept = [layer.name for layer in quantized_layers(model)]
    assert kept == ["conv", "right", "hidden", "plain"]
    tensors = {each.name: each for each in model.graph.initializer}
    originals = {each.name: each for each in classifier().graph.initializer}
    assert tensors["left.weight"] == originals["left.weight"]


def test_a_layer_that_is_not_there_cannot_be_excluded() -> None:
    """A typo would otherwise quantize the layer."""
    with pytest.raises(UsageError, match="unknown layer 'hiden'") as error:
        quantize(MODEL, CALIBRATION, Scheme(exclude=("hiden",)))
    assert error.value.hint == "did you mean 'hidden'?"


def test_a_narrow_last_layer_can_stay_in_fp32() -> None:
    """Only the last one, and only where it is narrow: this network's has 4 outputs."""
    file = quantize(MODEL, CALIBRATION, Scheme(fp32_narrow_output=True))
    kept = [layer.name for layer in quantized_layers(onnx.load_model_from_string(file))]
    assert kept == list(LAYERS[:-1])


def test_a_quantized_file_is_not_quantized_again() -> None:
    """Its weights are integers already."""
    with pytest.raises(NotPossible, match="no convolution or linear layer with FP32 weights"):
        quantize(INT8, CALIBRATION, Scheme())


def test_an_opset_without_scales_per_channel_is_refused() -> None:
    """Before 13 a DQ has one scale."""
    model = onnx.load_model_from_string(MODEL)
    model.opset_import[0].version = 12
    with pytest.raises(NotPossible, match="opset 12"):
        quantize(model.SerializeToString(), CALIBRATION, Scheme())


def test_opset_13_stays_opset_13() -> None:
    """What TensorRT 8.2 reads."""
    file = quantize(content(opset=13), CALIBRATION, Scheme())
    assert onnx.load_model_from_string(file).opset_import[0].version == 13
    assert logits_of(file, OTHERS).shape == (len(OTHERS), 4)


def test_a_weight_in_a_constant_node_is_quantized_too() -> None:
    """Some exporters store weights so."""
    model = classifier()
    (tensor,) = [each for each in model.graph.initializer if each.name == "conv.weight"]
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["conv.weight"], value=tensor))
    model.graph.initializer.remove(tensor)
    file = quantize(model.SerializeToString(), CALIBRATION, Scheme())
    assert logits_of(file, OTHERS).tobytes() == logits_of(INT8, OTHERS).tobytes()
    assert "Constant" not in {n.op_type for n in onnx.load_model_from_string(file).graph.node}


def test_a_layer_that_is_called_twice_has_its_weight_twice() -> None:
    """Onnxruntime loads no other file in its exact mode."""
    model = classifier()
    model.graph.node[5].input[1] = "left.weight"
    model.graph.node[5].attribute.append(onnx.helper.make_attribute("pads", [1] * 4))
    file = onnx.load_model_from_string(quantize(model.SerializeToString(), CALIBRATION, Scheme()))
    layers = [layer.name for layer in quantized_layers(file)]
    assert layers == ["conv", "left", "left", "hidden", "plain", "output"]
    assert violations(file) == ()
    assert logits_of(file.SerializeToString(), OTHERS).shape == (len(OTHERS), 4)
    assert weight_violations(file, weights_of(model)) == ()


def test_a_weight_that_something_else_reads_is_kept_for_it() -> None:
    """In float32 under its own name, beside the layer's integers."""
    model = classifier()
    model.graph.node.append(onnx.helper.make_node("Identity", ["left.weight"], ["unused"]))
    file = onnx.load_model_from_string(quantize(model.SerializeToString(), CALIBRATION, Scheme()))
    types = {each.name: each.data_type for each in file.graph.initializer}
    assert types["left.weight"] == TensorProto.FLOAT
    assert types["left.weight_2"] == TensorProto.INT8
    assert weight_violations(file, weights_of(classifier())) == ()


def test_a_dead_channel_and_a_dead_input_have_a_scale_above_zero() -> None:
    """All their values are 0, and stay 0."""
    weight = np.zeros((2, 3), np.float32)
    weight[1] = [1, -2, 0.5]
    scales = weight_scales(weight)
    assert scales[0] == 1
    assert quantized_weight(weight, scales).tolist() == [[0, 0, 0], [64, -127, 32]]
    black = quantize(MODEL, np.zeros_like(CALIBRATION), Scheme())
    assert violations(onnx.load_model_from_string(black)) == ()


@pytest.mark.parametrize("magnitude", [1e-45, 1e-30, 1.0, 3e38])
def test_scales_are_normal_numbers(magnitude: float) -> None:
    """One that is rounded to 0 would divide by it."""
    assert Steps.symmetric(magnitude).scale >= np.finfo(np.float32).tiny
    assert Steps.spanning(0, magnitude).scale >= np.finfo(np.float32).tiny


def test_uint8_steps_hold_the_range_and_make_zero_exact() -> None:
    """Padding is zeros, and a ReLU's result begins there."""
    assert Steps.spanning(0.5, 2.55) == Steps(scale=np.float32(0.01), zero_point=0, dtype="uint8")
    assert Steps.spanning(-3.0, -1.0).zero_point == 255
    assert Steps.spanning(-1.0, 1.55).zero_point == 100


def test_no_file_is_left_and_nothing_is_printed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of it happens in memory."""
    quantize(MODEL, CALIBRATION, Scheme())
    assert list(folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_learned_ranges_cannot_come_from_calibration() -> None:
    """The scheme would name what was not done."""
    with pytest.raises(UsageError, match="s8s8-learned is not for quantization after training"):
        quantize(MODEL, CALIBRATION, Scheme(learned=True))
