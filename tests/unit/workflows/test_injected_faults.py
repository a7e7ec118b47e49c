"""Faults of quantization, put into a trained network one by one: each is caught, and named.

What has the right form and the right integers can still be wrong in its numbers; here the whole way
is taken, from a candidate to the gate, and back through `verify`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgenet.compress.calibration import CalibrationSet, draw_calibration_set
from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.data import Split
from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import ignore
from edgenet.runner.bundle import Bundle
from edgenet.runner.inference import Inference
from edgenet.verify.activation_ranges import range_fits
from edgenet.verify.checks import Check
from edgenet.workflows import VerifyArguments, verify
from edgenet.workflows.quantize_parent import Fp32Parent, open_parent
from edgenet.workflows.quantized_bundle import Candidate, GatedBundle, write_gated
from tests.trained import train_on_mnist_part

MAX_DROP = 0.01  # 500 validation pictures can show it: it takes 381
LAYER = "features.conv2"
Fault = Callable[[onnx.GraphProto], None]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Fp32Parent:
    """Return a LeNet-5 that gets most pictures right, exported."""
    run = train_on_mnist_part(tmp_path_factory.mktemp("trained"))
    return open_parent(run, data=None, threads=1, exist_ok=False, progress=ignore)


@pytest.fixture(scope="module")
def calibration(parent: Fp32Parent) -> CalibrationSet:
    """Return the pictures that a quantization of it is calibrated on."""
    return draw_calibration_set(parent.dataset.train, tuple(parent.splits.values()), count=200)


@pytest.fixture(scope="module")
def good(parent: Fp32Parent, calibration: CalibrationSet) -> bytes:
    """Return it as it should be quantized."""
    return quantize(parent.content, calibration.images, Scheme())


@dataclass(frozen=True)
class Judge:
    """Takes a file through the gate, into a folder of its own."""

    parent: Fp32Parent
    calibration: CalibrationSet
    folder: Path

    def judge(self, content: bytes, *, details: dict[str, object] | None = None) -> GatedBundle:
        """Return what becomes of a candidate."""
        home = replace(self.parent, path=self.folder / "bundles" / "parent", root=self.folder)
        candidate = Candidate(
            content=content,
            method="ptq",
            scheme=Scheme(),
            weights=self.parent.weights,
            details={"calibration": self.calibration.to_json()} if details is None else details,
        )
        return write_gated(replace(home, run=None, origin=None), candidate, max_drop=MAX_DROP)

    def verified(self, bundle: GatedBundle) -> dict[str, str]:
        """Return what `verify` with the data finds wrong with a bundle, by the check's name."""
        found = verify(VerifyArguments(bundle=bundle.path, data=self.parent.data))
        return {check.name: check.detail for check in found.verification.failures}


@pytest.fixture
def court(parent: Fp32Parent, calibration: CalibrationSet, tmp_path: Path) -> Judge:
    """Return the way through the gate, into a folder of this test."""
    return Judge(parent, calibration, tmp_path)


def golden(parent: Fp32Parent) -> NDArray[np.uint8]:
    """Return the pictures of the parent's golden vectors."""
    pictures: NDArray[np.uint8] = parent.bundle.golden(["inputs"])["inputs"]
    return pictures


def with_fault(file: bytes, fault: Fault) -> bytes:
    """Return a file with its graph changed."""
    model = onnx.load_model_from_string(file)
    fault(model.graph)
    changed: bytes = model.SerializeToString()
    return changed


def scaled(factor: float) -> Fault:
    """Multiply the scale of one layer's input."""

    def fault(graph: onnx.GraphProto) -> None:
        (tensor,) = [each for each in graph.initializer if each.name == f"{LAYER}.input_scale"]
        scale = numpy_helper.to_array(tensor) * np.float32(factor)
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(scale, np.float32), tensor.name))

    return fault


def swapped_axis(graph: onnx.GraphProto) -> None:
    """Put the scales of a weight on its input channels."""
    (tensor,) = [each for each in graph.initializer if each.name == f"{LAYER}.weight"]
    inputs = tensor.dims[1]
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == tensor.name:
            node.attribute[0].i = 1
    for suffix in ("scale", "zero_point"):
        (steps,) = [each for each in graph.initializer if each.name == f"{LAYER}.weight_{suffix}"]
        values = numpy_helper.to_array(steps)[:inputs].copy()
        steps.CopyFrom(numpy_helper.from_array(values, steps.name))


def asymmetric(graph: onnx.GraphProto) -> None:
    """Shift the activations' zero point, as a quantizer for other targets does."""
    (zero,) = [each for each in graph.initializer if each.name == "zero_point"]
    zero.CopyFrom(numpy_helper.from_array(np.asarray(-128, np.int8), zero.name))


def unfolded(graph: onnx.GraphProto) -> None:
    """Put a batch normalisation behind a layer, as one that was not folded stands there."""
    (conv,) = [node for node in graph.node if node.name == f"{LAYER}/Conv"]
    (weight,) = [each for each in graph.initializer if each.name == f"{LAYER}.weight"]
    channels = weight.dims[0]
    result = conv.output[0]
    conv.output[0] = "before_normalisation"
    names = ["scale", "bias", "mean", "variance"]
    for name, value in zip(names, (1.0, 0.0, 0.0, 1.0), strict=True):
        values = np.full(channels, value, np.float32)
        graph.initializer.append(numpy_helper.from_array(values, f"bn.{name}"))
    inputs = ["before_normalisation", *(f"bn.{name}" for name in names)]
    norm = helper.make_node("BatchNormalization", inputs, [result], name=f"{LAYER}/BatchNorm")
    graph.node.insert(list(graph.node).index(conv) + 1, norm)


def test_the_sound_file_passes_everything(court: Judge, good: bytes) -> None:
    """What is caught below is the fault's doing."""
    bundle = court.judge(good)
    assert bundle.passed, bundle.verification.failures
    assert court.verified(bundle) == {}


@pytest.mark.parametrize("factor", [0.01, 0.1, 30, 1000])
def test_a_wrong_scale_of_one_layer_is_caught_and_that_layer_alone_is_named(
    court: Judge, good: bytes, factor: float
) -> None:
    """The form is right and the integers are the parent's: only the network's values tell."""
    fits = range_fits(onnx.load_model_from_string(good), golden(court.parent))
    covers = next(fit.covers for fit in fits if fit.layer == LAYER)
    bundle = court.judge(with_fault(good, scaled(factor)))
    assert not bundle.passed
    assert bundle.path.parent.name == "rejected"
    (failure,) = [each for each in bundle.verification.failures if each.name == "activation ranges"]
    said = f"layer '{LAYER}': the input's scale covers {factor * covers:.2g} times its range"
    assert failure.detail.startswith(said)
    assert failure.detail.count("layer '") == 1
    assert "activation ranges" in court.verified(bundle)


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (swapped_axis, "Q/DQ form", [f"'{LAYER}.weight/DequantizeLinear'", "on axis 1", "on 0"]),
        (asymmetric, "Q/DQ form", ["'features.conv1/QuantizeLinear'", "a zero point is -128"]),
        (unfolded, "Q/DQ form", [f"'{LAYER}/BatchNorm'", f"not folded into Conv node '{LAYER}"]),
    ],
)
def test_a_fault_of_form_is_caught_and_its_node_and_cause_are_named(
    court: Judge, good: bytes, fault: Fault, check: str, words: list[str]
) -> None:
    """Whether or not it costs accuracy: some target would refuse it or compute it wrongly."""
    bundle = court.judge(with_fault(good, fault))
    assert not bundle.passed
    (failure,) = [each for each in bundle.verification.failures if each.name == check]
    assert all(word in failure.detail for word in words), failure.detail


def test_calibration_on_noise_is_told_by_the_digest_of_its_pictures(
    court: Judge, parent: Fp32Parent
) -> None:
    """Its ranges may even do: what they come from is what the manifest has to say truly."""
    draw = np.random.Generator(np.random.PCG64(0))
    images = draw.integers(0, 256, (200, 1, 28, 28), dtype=np.uint8)
    labels = np.arange(200) % 10
    names = parent.dataset.train.class_names
    noise = Split(name="calibration", images=images, labels=labels, class_names=names)
    record = CalibrationSet(split=noise, seed=0, left_out=0).to_json()
    content = quantize(parent.content, images, Scheme())
    failures = court.verified(court.judge(content, details={"calibration": record}))
    assert "calibrated on 200 pictures of digest" in failures["calibration"]
    assert "seed 0 draws from the training split" in failures["calibration"]


def test_ranges_of_noise_do_not_fit_where_they_lie_about_their_origin(
    parent: Fp32Parent, good: bytes
) -> None:
    """Faint noise under the digest of real pictures: the values say that it was not these."""
    draw = np.random.Generator(np.random.PCG64(0))
    images = draw.integers(0, 40, (200, 1, 28, 28), dtype=np.uint8)
    shown = golden(parent)
    fits = range_fits(
        onnx.load_model_from_string(quantize(parent.content, images, Scheme())), shown
    )
    assert any(not fit.fits for fit in fits)
    assert all(fit.fits for fit in range_fits(onnx.load_model_from_string(good), shown))


@pytest.mark.parametrize("details", [{}, {"calibration": {}}, {"calibration": {"n": 200}}])
def test_a_bundle_that_does_not_say_what_it_was_calibrated_on_is_no_verified_one(
    court: Judge, good: bytes, details: dict[str, object]
) -> None:
    """Nobody could repeat it."""
    failures = court.verified(court.judge(good, details=details))
    assert set(failures) == {"calibration"}
    assert "the manifest" in failures["calibration"]


def test_without_calibration_pictures_nothing_is_quantized(parent: Fp32Parent) -> None:
    """An error that says what is missing, at once, and no file with ranges from nowhere."""
    train, held_out = parent.dataset.train, tuple(parent.splits.values())
    with pytest.raises(UsageError, match="no calibration pictures"):
        quantize(parent.content, train.images[:0], Scheme())
    with pytest.raises(UsageError, match="cannot be drawn from"):
        draw_calibration_set(train, held_out, count=len(train) + 1)
    with pytest.raises(UsageError, match="from the test split"):
        draw_calibration_set(parent.dataset.test, ())


def test_calibration_data_that_are_gone_are_missed_by_name(parent: Fp32Parent) -> None:
    """The data are looked for before anything is computed."""
    gone = Path(parent.data).with_name("gone")
    Path(parent.data).rename(gone)
    try:
        with pytest.raises((DataUnavailable, UsageError), match="mnist-part"):
            open_parent(parent.path, data=None, threads=1, exist_ok=True, progress=ignore)
    finally:
        gone.rename(parent.data)


def test_a_rejected_file_lies_there_with_the_reason(court: Judge, good: bytes) -> None:
    """The report has the failed check, for whoever finds it later."""
    bundle = court.judge(with_fault(good, scaled(0.01)))
    report = json.loads((bundle.path / "report.json").read_text())
    assert any(LAYER in check["detail"] for check in report["verification"]["checks"])
    assert report["passed"] is False


def test_a_file_that_fails_after_its_gate_is_rejected_and_the_one_before_it_stays(
    court: Judge, good: bytes
) -> None:
    """What is reported is the file that failed, not the one that lies where it would have."""
    earlier = court.judge(good)
    seal = (earlier.path / "manifest.json").read_bytes()
    parent = replace(court.parent, path=earlier.path, root=court.folder, run=None, origin=None)
    failed = Check(name="golden", status="failed", detail="made up")
    candidate = Candidate(
        content=good, method="ptq", scheme=Scheme(), weights=parent.weights, checked=(failed,)
    )
    for each in (candidate, _Unrepeatable(**vars(replace(candidate, checked=())))):
        later = write_gated(parent, each, max_drop=MAX_DROP, exist_ok=True)
        assert later.gate.passed
        assert not later.passed
        assert later.path.parent == court.folder / "rejected"
        assert (later.path / "report.json").is_file()
    assert (earlier.path / "manifest.json").read_bytes() == seal


class _Unrepeatable(Candidate):
    """A candidate whose complete bundle does not answer as its file did."""

    def check_golden(self, bundle: Bundle, inference: Inference) -> Check:
        return Check(name="golden", status="failed", detail="made up")
