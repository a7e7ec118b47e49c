"""Whether scales fit the values that a network's layers are given."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.verify.activation_ranges import (
    TOLERATED_BEYOND,
    TOLERATED_SATURATION,
    TOLERATED_WIDTH,
    RangeFit,
    check_ranges,
    range_fits,
)
from tests.unit.compress.graphs import LAYERS, classifier, content, pictures
from tests.unit.verify.test_qdq import change


def quantized(scheme: Scheme) -> onnx.ModelProto:
    """Return the small classifier, calibrated on its pictures."""
    return onnx.load_model_from_string(quantize(content(), pictures(), scheme))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: str(scheme.name))
def test_the_pictures_of_the_calibration_fit_by_every_scheme(scheme: Scheme) -> None:
    """All layers are looked at, with room to what is tolerated.

    What is seen is not quite what was calibrated on: these weights are rounded.
    """
    fits = range_fits(quantized(scheme), pictures())
    assert [fit.layer for fit in fits] == list(LAYERS)
    for fit in fits:
        assert fit.fits
        assert fit.saturated < TOLERATED_SATURATION / 5
        if scheme.percentile == 100:
            assert fit.covers == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("factor", [0.05, 20])
def test_a_wrong_scale_changes_the_row_of_its_layer_alone(layer: str, factor: float) -> None:
    """The values are not those that the wrong scales before them make."""
    model = quantized(Scheme())
    before = {fit.layer: fit for fit in range_fits(model, pictures())}
    change(model.graph, f"{layer}.input_scale", lambda scale: scale * np.float32(factor))
    after = {fit.layer: fit for fit in range_fits(model, pictures())}
    assert {name for name, fit in after.items() if fit != before[name]} == {layer}
    assert not after[layer].fits
    assert after[layer].covers == pytest.approx(factor * before[layer].covers, rel=1e-5)


def test_a_zero_point_at_the_wrong_end_saturates() -> None:
    """The width of the steps is right; it is their place that is not."""
    model = quantized(Scheme(activations="uint8"))
    for tensor in model.graph.initializer:
        if tensor.name.startswith("zero_point"):
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(255, np.uint8), tensor.name))
    fits = {fit.layer: fit for fit in range_fits(model, pictures())}
    assert fits["left"].covers == pytest.approx(1, rel=0.02)
    assert fits["left"].saturated > 0.3
    assert not fits["left"].fits


def test_a_fixed_batch_is_filled_up() -> None:
    """The pictures that fill it are some of the same, and change nothing."""
    parent = classifier()
    for value in (*parent.graph.input, *parent.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 7
    file = quantize(parent.SerializeToString(), pictures(), Scheme())
    fixed = range_fits(onnx.load_model_from_string(file), pictures())
    free = range_fits(quantized(Scheme()), pictures())
    assert [fit.covers for fit in fixed] == pytest.approx([fit.covers for fit in free], rel=1e-5)


def test_values_that_are_all_zero_fit_any_scale() -> None:
    """A dead layer has no range to be measured by."""
    fits = range_fits(quantized(Scheme()), np.zeros((3, *pictures().shape[1:]), np.uint8))
    assert math.isinf(fits[0].covers)
    assert fits[0].fits


@pytest.mark.parametrize(
    ("covers", "saturated", "beyond", "fits"),
    [
        (TOLERATED_WIDTH, TOLERATED_SATURATION, 2.0, True),
        (1.01 * TOLERATED_WIDTH, 0.0, 0.0, False),
        (0.6, 1.01 * TOLERATED_SATURATION, TOLERATED_BEYOND, True),
        (0.6, 1.01 * TOLERATED_SATURATION, 1.01 * TOLERATED_BEYOND, False),
        (0.4, 0.001, 1.5, True),
    ],
)
def test_the_limits_are_the_widest_and_the_most_that_is_tolerated(
    covers: float, saturated: float, beyond: float, fits: bool
) -> None:
    """Narrow steps are judged by what they cut off: a percentile is meant to be narrow."""
    fit = RangeFit(layer="a", covers=covers, saturated=saturated, beyond=beyond)
    assert fit.fits is fits


def test_the_row_names_every_layer_that_does_not_fit(tmp_path: Path) -> None:
    """In the order of the graph, with both figures."""
    model = quantized(Scheme())
    change(model.graph, "left.input_scale", lambda scale: scale * np.float32(0.01))
    change(model.graph, "output.input_scale", lambda scale: scale * np.float32(100))
    onnx.save(model, tmp_path / "model.onnx")
    check = check_ranges(tmp_path / "model.onnx", pictures())
    assert check.status == "failed"
    first, second = check.detail.split("; ")
    assert first.startswith("layer 'left': the input's scale covers 0.01 times its range, ")
    assert first.endswith(" % of it saturate")
    assert second == "layer 'output': the input's scale covers 1e+02 times its range"


def test_a_file_without_quantized_activations_has_nothing_to_fit(tmp_path: Path) -> None:
    """Not run, and so neither right nor wrong."""
    (tmp_path / "model.onnx").write_bytes(content())
    assert check_ranges(tmp_path / "model.onnx", pictures()).status == "not run"


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_steps_that_are_no_positive_number_fit_nothing(scale: float) -> None:
    """A file from anywhere may have them: a row that says so, and no error."""
    model = quantized(Scheme())
    change(model.graph, "left.input_scale", lambda old: np.full_like(old, scale))
    fits = {fit.layer: fit for fit in range_fits(model, pictures())}
    assert not fits["left"].fits
    assert fits["output"].fits


def test_values_that_are_no_number_fit_no_steps() -> None:
    """A weight that is NaN makes them so from its layer on."""
    model = quantized(Scheme())
    change(model.graph, "left.weight_scale", lambda old: np.full_like(old, np.nan))
    assert not all(fit.fits for fit in range_fits(model, pictures()))
