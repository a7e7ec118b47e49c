"""Writing FP32 graphs in FP16: what is rounded, what is not, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgenet.compress.execution import run_batches
from edgenet.errors import NotPossible
from edgenet.export.onnx_half import half_values, rounding_results, to_half
from edgenet.weights import rounded_to_half
from tests.unit.compress.graphs import LAYERS, classifier, pictures


def _stored(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _set(model: onnx.ModelProto, name: str, position: int, value: float) -> None:
    """Change one number of a stored tensor."""
    tensor = _stored(model)[name]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[position] = value
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def _insert(model: onnx.ModelProto, after: str, *nodes: onnx.NodeProto) -> None:
    """Put nodes behind the one that makes a value; the first reads it, the last takes its place."""
    position = next(i for i, node in enumerate(model.graph.node) if after in node.output)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == after:
                node.input[index] = nodes[-1].output[0]
    for offset, node in enumerate(nodes, 1):
        model.graph.node.insert(position + offset, node)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def _exactly_rounded(value: float) -> float:
    """Round to FP16 with fractions: to nearest, ties to even."""
    if value == 0:
        return 0.0
    exact = abs(Fraction(float(value)))
    exponent = max(int(np.floor(np.log2(float(exact)))), -14)
    step = Fraction(2) ** (exponent - 10)
    count = round(exact / step)  # Python rounds ties to even
    return float(np.copysign(float(count * step), value))


def test_numbers_are_rounded_to_nearest_with_ties_to_even() -> None:
    """Subnormal numbers, too: no threshold below which they become something else."""
    draw = np.random.Generator(np.random.PCG64(0))
    values = (draw.normal(size=2000) * 10.0 ** draw.integers(-8, 4, 2000)).astype(np.float32)
    ties = np.array([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, 3 * 2**-25, 65504, -(2**-24)], np.float32)
    values = np.concatenate([values, ties])
    expected = [_exactly_rounded(float(value)) for value in values]
    assert rounded_to_half(values).astype(np.float64).tolist() == expected


def test_pixels_are_normalised_in_fp32_and_logits_leave_in_fp32() -> None:
    """Border and pixel arithmetic stay as they are; everything between is FP16."""
    model = classifier()
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    types = _types(half)
    assert (types["input"], types["logits"]) == (TensorProto.UINT8, TensorProto.FLOAT)
    assert types["pixels"] == types["unit"] == TensorProto.FLOAT
    inner = set(half_values(model)) - {"unit", "logits"}
    assert {types[name] for name in inner} == {TensorProto.FLOAT16}
    stored = _stored(half)
    assert stored["pixel_scale"].data_type == TensorProto.FLOAT
    for layer in LAYERS:
        assert stored[f"{layer}.weight"].data_type == TensorProto.FLOAT16
        before = numpy_helper.to_array(_stored(model)[f"{layer}.weight"])
        after = numpy_helper.to_array(stored[f"{layer}.weight"])
        assert after.tobytes() == before.astype(np.float16).tobytes()
    casts = [node for node in half.graph.node if node.op_type == "Cast"]
    assert len(casts) == 3  # uint8 to FP32, FP32 to FP16, FP16 to FP32
    assert model.SerializeToString() == classifier().SerializeToString()


def test_a_weight_beyond_fp16_is_refused_with_its_name() -> None:
    """It would become infinite; 65,519 still rounds to 65,504."""
    model = classifier()
    _set(model, "hidden.weight", 3, 65519.0)
    assert np.isfinite(numpy_helper.to_array(_stored(to_half(model))["hidden.weight"])).all()
    _set(model, "hidden.weight", 3, -65520.0)
    with pytest.raises(NotPossible, match=r"hidden\.weight holds 65,520; .* 65,504"):
        to_half(model)


def test_the_lower_bound_of_a_clip_never_becomes_0() -> None:
    """It keeps what follows from dividing by 0; as the smallest number of FP16 it still does."""
    model = classifier()
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1e-38), "tiny"))
    _insert(model, "r", helper.make_node("Clip", ["r", "tiny"], ["clipped"]))
    assert numpy_helper.to_array(_stored(to_half(model))["tiny"]) == 2.0**-24


def test_a_lower_bound_is_recognised_behind_a_cast() -> None:
    """PyTorch 2.5 writes a Constant and a CastLike."""
    model = classifier()
    tiny = numpy_helper.from_array(np.float32(1e-12))
    _insert(
        model,
        "r",
        helper.make_node("Constant", [], ["tiny"], value=tiny),
        helper.make_node("CastLike", ["tiny", "r"], ["like"]),
        helper.make_node("Clip", ["r", "like"], ["clipped"]),
    )
    assert {"tiny", "like"}.isdisjoint(half_values(model))
    (node,) = (each for each in to_half(model).graph.node if each.op_type == "Constant")
    assert numpy_helper.to_array(node.attribute[0].t) == 2.0**-24


def test_a_constant_that_would_become_0_elsewhere_is_refused() -> None:
    """A factor of 0 says nothing of the network any more."""
    model = classifier()
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1e-9), "factor"))
    _insert(model, "r", helper.make_node("Mul", ["r", "factor"], ["scaled"]))
    with pytest.raises(NotPossible, match="factor is 1e-09, which is 0 in FP16"):
        to_half(model)


def test_a_constant_of_pixels_and_network_is_stored_for_both() -> None:
    """Else the pixels would be normalised by a rounded number."""
    model = classifier()
    _insert(model, "r", helper.make_node("Mul", ["r", "pixel_scale"], ["scaled"]))
    stored = _stored(to_half(model))
    assert stored["pixel_scale"].data_type == TensorProto.FLOAT
    assert stored["pixel_scale/half"].data_type == TensorProto.FLOAT16


def test_types_and_constants_within_nodes_are_changed() -> None:
    """A Cast to FP32 between two layers, a Constant node: other exporters write them."""
    model = classifier()
    one = numpy_helper.from_array(np.float32(1.5))
    _insert(
        model,
        "r",
        helper.make_node("Constant", [], ["one"], value=one),
        helper.make_node("Mul", ["r", "one"], ["more"]),
        helper.make_node("Cast", ["more"], ["again"], to=TensorProto.FLOAT),
    )
    types = _types(to_half(model))
    assert types["one"] == types["again"] == TensorProto.FLOAT16


def test_a_graph_that_edgenet_did_not_write_is_refused() -> None:
    """Without its pixel arithmetic nothing says where FP16 may begin."""
    model = classifier()
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace("pixel_scale", "factor")
    for node in model.graph.node:
        node.input[:] = [name.replace("pixel_scale", "factor") for name in node.input]
    with pytest.raises(NotPossible, match="pixel arithmetic"):
        to_half(model)


def test_an_operator_that_takes_no_fp16_is_refused() -> None:
    """Found by its types, before any runtime has to."""
    model = classifier()
    _insert(model, "r", helper.make_node("QuantizeLinear", ["r", "s", "z"], ["q"]))
    for name, value in (("s", np.float32(1)), ("z", np.int8(0))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    with pytest.raises(NotPossible, match="cannot be written in FP16"):
        to_half(model)


def test_rounding_results_is_fp16_arithmetic_with_sums_in_fp32() -> None:
    """Every value between is a number of FP16; computed by hand up to the second layer."""
    model = classifier()
    half = to_half(model)
    rounding = rounding_results(half)
    onnx.checker.check_model(rounding, full_check=True)
    watched = [name for name in half_values(model)[1:] if name != "logits"]
    for name in (*watched, "unit/half"):
        rounding.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    names = [*watched, "unit/half"]
    (found,) = run_batches(rounding.SerializeToString(), pictures(8), names)
    values = dict(zip(names, found, strict=True))
    for name, value in values.items():
        assert (value == rounded_to_half(value).astype(np.float32)).all(), name
    unit = pictures(8).astype(np.float32) * np.float32(1 / 255)
    assert (values["unit/half"] == rounded_to_half(unit)).all()
    kernel, bias = (
        numpy_helper.to_array(_stored(half)[name]).astype(np.float64)
        for name in ("conv.weight", "conv.bias")
    )
    windows = np.lib.stride_tricks.sliding_window_view(values["unit/half"][:, 0], (3, 3), (1, 2))
    sums = np.einsum("nhwij,cij->nchw", windows.astype(np.float64), kernel[:, 0])
    exact = sums + bias[:, None, None]
    assert np.abs(values["c"] - exact).max() <= 1.01 * 2**-11 * np.abs(exact).max()
