"""What is demanded of a quantized bundle: to repeat itself, and not its parent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.data.split import Split
from edgenet.errors import CorruptFile
from edgenet.export.onnx import stored_weights
from edgenet.files import sha256_of
from edgenet.runner.bundle import GOLDEN_NAME, open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.manifest import MANIFEST_NAME, seal_of
from edgenet.verify import quantized
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Check
from edgenet.verify.decisions import decisions
from tests.bundles import LABELS, logits_of, pictures, write_onnx_bundle

MAX_DROP = 0.05
N = 400


@pytest.fixture
def split() -> Split:
    """Return random pictures with the FP32 network's decisions for labels."""
    images = pictures(N, seed=5)
    labels = logits_of(images).argmax(axis=1).astype(np.int64)
    return Split(name="test", images=images, labels=labels, class_names=LABELS)


@pytest.fixture
def bundle(tmp_path: Path, split: Split) -> Path:
    """Return an INT8 bundle as ``quantize`` writes it, with both files' decisions on ``split``."""
    folder = write_onnx_bundle(tmp_path / "bundle")
    model = quantize((folder / "model.onnx").read_bytes(), pictures(60, seed=1), Scheme())
    (folder / "model.onnx").write_bytes(model)
    gate = {"verdict": "passed", "reason": "made up", "max_drop": MAX_DROP}
    record(folder, {"scheme": Scheme().to_json(), "gate": gate})
    with_golden(folder, split)
    return folder


def record(folder: Path, quantization: dict[str, Any]) -> None:
    """Make the manifest agree with the files, and say how the file was quantized."""
    path = folder / MANIFEST_NAME
    values = json.loads(path.read_text())
    for name, info in values["files"].items():
        info.update(sha256=sha256_of(folder / name), bytes=(folder / name).stat().st_size)
    values["precision"] = "int8"
    values["options"]["quantization"] = quantization or values["options"]["quantization"]
    path.write_text(json.dumps({**values, "seal": seal_of(values)}))


def with_golden(folder: Path, split: Split, **others: NDArray[Any]) -> None:
    """Store what both files answer, with ``others`` in the place of some of it."""
    opened = open_bundle(folder)
    inference = open_inference(opened)
    inputs = opened.golden()["inputs"]
    arrays: dict[str, Any] = {
        "inputs": inputs,
        "logits": inference.logits(inputs),
        "parent_logits": logits_of(inputs),
        f"predictions_{split.digest}": split.labels.astype(np.int16),
        f"own_predictions_{split.digest}": decisions(inference.logits(split.images)),
    }
    arrays[f"own_predictions_{split.digest}"] = arrays[f"own_predictions_{split.digest}"].astype(
        np.int16
    )
    np.savez(folder / GOLDEN_NAME, **{**arrays, **others})
    record(folder, {})


def rewrite(folder: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change the model file behind the manifest's back."""
    model = onnx.load(folder / "model.onnx")
    change(model)
    onnx.save(model, folder / "model.onnx")
    record(folder, {})


def replace_tensor(model: onnx.ModelProto, name: str, values: NDArray[Any]) -> None:
    """Give a stored tensor other values."""
    (tensor,) = [each for each in model.graph.initializer if each.name == name]
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def row(folder: Path, name: str, splits: tuple[Split, ...] = ()) -> Check:
    """Return one row of the bundle's verification."""
    (found,) = [check for check in verify_bundle(folder, splits).checks if check.name == name]
    return found


def test_a_decision_is_none_where_a_logit_is_no_number() -> None:
    """Neither NaN nor infinity wins, whatever argmax says."""
    logits = np.array([[0, 2, 1], [0, np.nan, 1], [np.inf, 0, 0]], np.float32)
    assert decisions(logits).tolist() == [1, -1, -1]


def test_a_quantized_bundle_repeats_its_own_logits_bit_for_bit(bundle: Path) -> None:
    """The parent's logits are others, and that is no failure."""
    golden = open_bundle(bundle).golden()
    assert (golden["logits"] != golden["parent_logits"]).any()
    found = row(bundle, "golden")
    assert found.status == "ok"
    assert "8 pictures are those at export, bit for bit" in found.detail
    assert "decisions are the parent's" in found.detail


@pytest.mark.parametrize(("share", "status"), [(0.5, "ok"), (2.0, "failed")])
def test_a_logit_may_be_off_by_as_many_steps_as_there_are_roundings(
    bundle: Path, split: Split, share: float, status: str
) -> None:
    """One layer rounds once, to 1/127 of its range."""
    logits = open_bundle(bundle).golden()["logits"].copy()
    winner = logits[0].argmax()
    logits[0, winner] += np.float32(share / 127 * np.abs(logits).max())
    with_golden(bundle, split, logits=logits)
    found = row(bundle, "golden")
    assert found.status == status
    assert "against the file at export" in found.detail


def test_another_decision_on_a_golden_picture_fails(bundle: Path, split: Split) -> None:
    """However near the logits are."""
    logits = open_bundle(bundle).golden()["logits"].copy()
    logits[0] = 0
    logits[0, (logits_of(pictures(8))[0].argmax() + 1) % 3] = 1e-3
    with_golden(bundle, split, logits=logits)
    assert row(bundle, "golden").status == "failed"


def test_a_zero_point_that_is_not_zero_is_named(bundle: Path) -> None:
    """The rule, the node, and what has to be there."""
    rewrite(bundle, lambda model: replace_tensor(model, "zero_point", np.array(3, np.int8)))
    found = row(bundle, "Q/DQ form")
    assert found.status == "failed"
    assert "zero-point" in found.detail


def test_integers_that_are_not_the_parents_weights_are_named(bundle: Path, tmp_path: Path) -> None:
    """A wrong scale on one channel would leave the form as it should be."""
    parent = stored_weights(write_onnx_bundle(tmp_path / "fp32") / "model.onnx")
    assert quantized.check_integers(bundle / "model.onnx", parent).status == "ok"

    def spoil(model: onnx.ModelProto) -> None:
        (tensor,) = [each for each in model.graph.initializer if each.name == "weight_scale"]
        replace_tensor(
            model, "weight_scale", numpy_helper.to_array(tensor) * np.array([2, 1, 1], np.float32)
        )

    rewrite(bundle, spoil)
    found = quantized.check_integers(bundle / "model.onnx", parent)
    assert found.status == "failed"
    assert "output channel 0" in found.detail


@pytest.mark.parametrize(
    ("quantization", "words"),
    [
        ({"gate": {"verdict": "failed", "reason": "it lost too much"}}, "it lost too much"),
        ({"gate": "passed"}, "none recorded"),
        ({"scheme": 7}, "none recorded"),
    ],
)
def test_a_bundle_without_a_passed_gate_fails(
    bundle: Path, quantization: dict[str, Any], words: str
) -> None:
    """Below ``rejected`` lie whole bundles; nobody shall take one for the child."""
    record(bundle, quantization)
    found = row(bundle, "gate at export")
    assert found.status == "failed"
    assert words in found.detail


def test_decisions_that_are_its_own_pass_though_the_parents_are_others(
    bundle: Path, split: Split
) -> None:
    """The gate has decided about the difference."""
    other = ((split.labels + 1) % len(LABELS)).astype(np.int16)
    with_golden(bundle, split, **{f"predictions_{split.digest}": other})
    found = row(bundle, "agreement (test)", (split,))
    assert found.status == "ok"
    assert found.detail.startswith("all are those at export; ")


@pytest.mark.parametrize(("wrong", "status"), [(3, "ok"), (60, "failed")])
def test_decisions_that_changed_since_must_pass_the_gate_again(
    bundle: Path, split: Split, wrong: int, status: str
) -> None:
    """A few may differ between processors; with many the file here is not as good as its parent."""
    own = open_bundle(bundle).golden()[f"own_predictions_{split.digest}"].copy()
    own[0] = (own[0] + 1) % len(LABELS)
    parent = split.labels.astype(np.int16)
    labels = split.labels.copy()
    moved = (labels[:wrong] + 1) % len(LABELS)
    labels[:wrong] = moved  # the parent is right there, and the file is not
    parent[:wrong] = moved
    judged = Split(name="test", images=split.images, labels=labels, class_names=LABELS)
    with_golden(
        bundle,
        split,
        **{f"predictions_{judged.digest}": parent, f"own_predictions_{judged.digest}": own},
    )
    found = row(bundle, "agreement (test)", (judged,))
    assert found.status == status
    assert f"{N - 1} are those at export" in found.detail
    assert "the gate here" in found.detail


@pytest.mark.parametrize(
    ("decided", "words"),
    [(np.zeros(3, np.int16), "400 pictures, 3 decisions"), (np.full(N, 9, np.int16), "not there")],
)
def test_decisions_of_the_parent_that_cannot_be_fail(
    bundle: Path, split: Split, decided: NDArray[np.int16], words: str
) -> None:
    """A bundle may come from anywhere."""
    with_golden(bundle, split, **{f"predictions_{split.digest}": decided})
    found = row(bundle, "agreement (test)", (split,))
    assert found.status == "failed"
    assert words in found.detail


def test_without_the_parents_decisions_nothing_is_compared(bundle: Path) -> None:
    """Other data than those of the export."""
    other = Split(
        name="test", images=pictures(4, 9), labels=np.zeros(4, np.int64), class_names=LABELS
    )
    assert row(bundle, "agreement (test)", (other,)).status == "not run"


def test_a_file_that_is_no_graph_is_an_error(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "model.onnx").write_bytes(b"\xff\xff no graph")
    with pytest.raises(CorruptFile, match=r"model\.onnx"):
        quantized.load_graph(tmp_path / "model.onnx")


def test_an_fp32_bundle_says_nothing_of_quantization(tmp_path: Path) -> None:
    """The rows are for INT8 alone."""
    folder = write_onnx_bundle(tmp_path / "fp32")
    assert quantized.quantization_of(open_bundle(folder).manifest) is None
    assert "Q/DQ form" not in {check.name for check in verify_bundle(folder).checks}


def test_a_file_without_one_quantized_layer_is_not_in_the_form(tmp_path: Path) -> None:
    """There is nothing wrong in it, and nothing of what its manifest says."""
    folder = write_onnx_bundle(tmp_path / "fp32")
    check = quantized.check_form(folder / "model.onnx")
    assert (check.status, check.detail) == ("failed", "no layer of it is quantized")


@pytest.mark.parametrize("scale", [0.0, np.nan])
def test_integers_of_a_scale_that_cannot_be_are_named(
    bundle: Path, tmp_path: Path, scale: float
) -> None:
    """Without a warning on the way."""
    parent = stored_weights(write_onnx_bundle(tmp_path / "fp32") / "model.onnx")
    scales = np.full(3, scale, np.float32)
    rewrite(bundle, lambda model: replace_tensor(model, "weight_scale", scales))
    assert quantized.check_integers(bundle / "model.onnx", parent).status == "failed"
