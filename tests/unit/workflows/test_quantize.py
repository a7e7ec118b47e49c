"""Quantization: what is kept, what is rejected, what is refused, and that nothing is left behind.

All of them share one untrained network and its FP32 export, which takes longer than any test: so
they are one file of more than 300 lines.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgenet.errors import DataUnavailable, NotPossible, UsageError
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.verify.decisions import decisions
from edgenet.workflows._export import ExportArguments, export
from edgenet.workflows._quantize import QuantizeArguments, QuantizeResult, quantize
from edgenet.workflows._verify import VerifyArguments, verify
from edgenet.workflows.looks import LOG_NAME, count_test_looks
from tests.bundles import edit_manifest
from tests.checkpoints import write_checkpoint, write_random_data, write_random_pictures

LOOSE = 0.5
"""What may be lost where the gate is not the point: the few random pictures can decide on it."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Return a run with an untrained lenet5-relu and its FP32 ONNX bundle; never changed."""
    run = tmp_path_factory.mktemp("exported") / "run"
    write_checkpoint(run / "weights" / "best.safetensors", data)
    (run / "args.toml").write_text(f'data = "{data}"\nsplit_seed = 0\n')
    assert export(ExportArguments(source=run)).passed
    return run


@pytest.fixture
def run(exported: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "run"))


def quantized(
    source: Path, *, progress: ProgressCallback = ignore, **options: Any
) -> QuantizeResult:
    """Quantize by one scheme without timing anything."""
    chosen = {"scheme": "s8s8-minmax", "max_drop": LOOSE, "measure": False, **options}
    return quantize(QuantizeArguments(source=source, **chosen), progress=progress)


def test_a_child_that_passes_lies_beside_its_parent_and_verifies(run: Path, data: Path) -> None:
    """Every row of the verification, now and later with all data."""
    steps: list[Step] = []
    result = quantized(run, scheme="auto", sensitivity=True, progress=steps.append)
    assert result.passed
    assert result.bundle.path == run / "bundles" / "onnx-int8"
    assert not result.parent_made
    assert [check.name for check in result.bundle.verification.checks][:4] == [
        *("hashes", "metadata"),
        *("Q/DQ form", "weights"),
    ]
    assert result.sensitivity is not None
    assert len(result.trials) == 3
    tasks = {"calibrate", "schemes", "sensitivity"}
    tasks |= {f"verify {name} on {split}" for name in ("fp32", "int8") for split in ("test",)}
    assert tasks <= {step.task for step in steps}
    found = verify(VerifyArguments(bundle=result.bundle.path, data=str(data)))
    assert found.passed
    rows = {check.name: check.detail for check in found.verification.checks}
    assert "bit for bit" in rows["golden"]
    assert rows["agreement (test)"].startswith("all are those at export")
    assert result.report == run / "reports" / "quantize-1.json"
    assert json.loads(result.report.read_text()) == result.to_json()


def test_who_tries_again_has_seen_more_candidates(run: Path) -> None:
    """Counted over the calls, from the reports of the run: luck is not to pass for merit."""
    assert quantized(run).bundle.gate.candidates == 1
    again = quantized(run, scheme="auto", calib_seed=1, exist_ok=True)
    assert again.bundle.gate.candidates == 1 + 3
    assert again.bundle.quantization["candidates"] == 4
    (run / "reports" / "quantize-2.json").write_text("{}")
    assert quantized(run, exist_ok=True).bundle.gate.candidates == 2


def test_the_manifest_says_how_the_file_was_made_and_what_it_is_worth(run: Path) -> None:
    """Its claims of sizes are the bytes on the disk, its accuracy is the child's own."""
    result = quantized(run, calib_samples=50, calib_seed=3)
    bundle = open_bundle(result.bundle.path)
    manifest = bundle.manifest
    parent = open_bundle(run / "bundles" / "onnx-fp32")
    assert manifest.precision == "int8"
    assert manifest.parent == parent.manifest.parent
    for name, info in manifest.files.items():
        assert info.size_bytes == (bundle.path / name).stat().st_size
    assert result.bundle.model_bytes == bundle.model_bytes < 85_000
    recorded = manifest.options["quantization"]
    assert recorded["method"] == "ptq"
    assert recorded["scheme"]["name"] == "s8s8-minmax"
    assert recorded["weights_bits"] == 8
    assert recorded["candidates"] == 1
    assert recorded["rolled_back"] == []
    assert recorded["calibration"] == {**result.calibration, "n": 50, "seed": 3}
    assert recorded["parent_bundle"] == {"model_sha256": parent.manifest.files["model.onnx"].sha256}
    assert recorded["gate"]["verdict"] == "passed"
    gate = result.bundle.gate
    assert gate.test is not None
    for name, pairs in (("validation", gate.validation), ("test", gate.test)):
        figures = manifest.accuracy[name]
        assert figures is not None
        assert (figures.correct, figures.n) == (pairs.child_correct, pairs.n)


def test_golden_vectors_hold_what_both_files_answer(run: Path) -> None:
    """Logits and decisions of the child under names of their own."""
    bundle = open_bundle(quantized(run).bundle.path)
    golden = bundle.golden()
    before = open_bundle(run / "bundles" / "onnx-fp32").golden()
    assert (golden["inputs"] == before["inputs"]).all()
    assert (golden["parent_logits"] == before["logits"]).all()
    assert (golden["logits"] != golden["parent_logits"]).any()
    for figures in bundle.manifest.accuracy.values():
        assert figures is not None
        own = golden[f"own_predictions_{figures.digest}"]
        assert len(own) == len(golden[f"predictions_{figures.digest}"]) == figures.n
    validation = bundle.manifest.accuracy["validation"]
    assert validation is not None
    own = golden[f"own_predictions_{validation.digest}"]
    assert (decisions(golden["logits"]) == own[: len(golden["logits"])]).all()


def test_the_same_request_gives_the_same_bytes(run: Path) -> None:
    """Nothing in the file depends on time or place."""
    first = quantized(run).bundle.path.joinpath("model.onnx").read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        quantized(run)
    again = quantized(run, exist_ok=True).bundle.path
    assert again.joinpath("model.onnx").read_bytes() == first


def test_a_child_that_does_not_pass_is_kept_apart_with_its_report(run: Path) -> None:
    """Whole, so that it can be looked at; a second one gets a number."""
    for place in ("onnx-int8", "onnx-int8-2"):
        result = quantized(run, max_drop=0.001)
        assert not result.passed
        assert result.bundle.gate.verdict == "too few pictures"
        assert result.bundle.path == run / "rejected" / place
        report = json.loads((result.bundle.path / "report.json").read_text())
        assert report["gate"]["verdict"] == "too few pictures"
        assert report["gate"]["decidable_drop"] == result.bundle.gate.decidable_drop
    assert not (run / "bundles" / "onnx-int8").exists()
    found = verify(VerifyArguments(bundle=result.bundle.path))
    assert [check.name for check in found.verification.failures] == ["gate at export"]


def test_what_the_gate_can_decide_with_so_few_pictures_it_does(run: Path) -> None:
    """The smallest drop that is named is one that passes where all decisions are equal."""
    drop = quantized(run, max_drop=0.001).bundle.gate.decidable_drop
    result = quantized(run, max_drop=drop)
    assert result.bundle.gate.verdict != "too few pictures"


def test_every_look_at_the_test_set_is_logged(run: Path) -> None:
    """Kept or not."""
    before = count_test_looks(run)
    quantized(run)
    quantized(run, max_drop=0.001, exist_ok=True)
    assert count_test_looks(run) == before + 2
    with (run / LOG_NAME).open(newline="") as log:
        subjects = [row["subject"] for row in csv.DictReader(log)][-2:]
    assert subjects == ["bundles/onnx-int8", "rejected/onnx-int8"]


def test_a_look_is_logged_in_the_run_though_its_bundles_go_into_a_project(
    run: Path, tmp_path: Path
) -> None:
    """It is the run's test split; so does the FP32 export that is made on the way, hence two."""
    before = count_test_looks(run)
    project = tmp_path / "project"
    result = quantized(run, project=project, name="small")
    assert result.bundle.path == project / "export" / "small" / "bundles" / "onnx-int8"
    assert count_test_looks(run) == before + 2


def test_a_bundle_cannot_be_quantized_into_a_project(run: Path, tmp_path: Path) -> None:
    """Its child lies beside it; nothing is written into the folders around it."""
    alone = tmp_path / "somewhere" / "else" / "fp32"
    shutil.copytree(run / "bundles" / "onnx-fp32", alone)
    with pytest.raises(UsageError, match="--project has no effect on a bundle"):
        quantized(alone, project=tmp_path / "project")
    assert list((tmp_path / "somewhere").iterdir()) == [alone.parent]


@pytest.mark.parametrize("task", ["calibrate", "schemes", "verify int8 on validation"])
def test_an_interruption_leaves_nothing_behind(run: Path, task: str) -> None:
    """Neither half a bundle nor a folder for it."""

    def interrupt(step: Step) -> None:
        if step.task == task:
            raise KeyboardInterrupt

    before = sorted(run.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        quantized(run, progress=interrupt)
    assert sorted(run.rglob("*")) == before


def test_a_checkpoint_without_an_fp32_bundle_gets_one(tmp_path: Path, data: Path) -> None:
    """And its child lies beside that; outside a run there is no report."""
    checkpoint = write_checkpoint(tmp_path / "net.safetensors", data)
    result = quantized(checkpoint)
    assert result.parent_made
    assert result.parent == tmp_path / "bundles" / "onnx-fp32"
    assert result.bundle.path == tmp_path / "bundles" / "onnx-int8"
    assert result.report is None


def test_an_fp32_bundle_alone_is_enough(exported: Path, tmp_path: Path, data: Path) -> None:
    """Its weights are then the file's; with ``--data`` for other pictures than it records."""
    bundle = Path(shutil.copytree(exported / "bundles" / "onnx-fp32", tmp_path / "net"))
    result = quantized(bundle, data=str(data))
    assert result.passed
    assert result.bundle.path == tmp_path / "onnx-int8"
    rejected = quantized(bundle, data=str(data), max_drop=0.001, exist_ok=True)
    assert rejected.bundle.path == tmp_path / "rejected" / "onnx-int8"


def test_a_bundle_of_other_weights_is_not_taken_for_the_networks(run: Path) -> None:
    """The run was trained again since; ``--exist-ok`` exports anew."""

    def forget(manifest: dict[str, Any]) -> None:
        manifest["parent"]["checkpoint_sha256"] = "0" * 64

    edit_manifest(run / "bundles" / "onnx-fp32", forget)
    with pytest.raises(UsageError, match="was made of other weights"):
        quantized(run)
    assert quantized(run, exist_ok=True).parent_made


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"precision": "int8"}, UsageError, "is in int8 already"),
        ({"precision": "fp16"}, UsageError, "is in fp16 already"),
        ({"format": "torchscript"}, NotPossible, "only ONNX is quantized"),
    ],
)
def test_a_bundle_that_cannot_be_quantized_is_refused_with_what_can(
    run: Path, change: dict[str, str], kind: type[Exception], words: str
) -> None:
    """Before any data are read."""
    other = Path(shutil.copytree(run / "bundles" / "onnx-fp32", run / "bundles" / "other"))
    edit_manifest(other, lambda manifest: manifest.update(change))
    with pytest.raises(kind, match=words) as error:
        quantized(other)
    assert "onnx-fp32" in str(getattr(error.value, "hint", ""))


def test_data_that_changed_since_the_export_are_refused(run: Path, data: Path) -> None:
    """Unless they are named."""

    def forget(manifest: dict[str, Any]) -> None:
        manifest["accuracy"]["validation"]["digest"] = "0" * 64

    edit_manifest(run / "bundles" / "onnx-fp32", forget)
    with pytest.raises(DataUnavailable, match="is not the one that the FP32 bundle"):
        quantized(run)
    assert quantized(run, data=str(data)).passed


def test_data_of_other_pictures_do_not_fit(run: Path, tmp_path: Path) -> None:
    """Of other classes, they say nothing about the network."""
    with pytest.raises(UsageError, match="classes of"):
        quantized(run, data=str(write_random_pictures(tmp_path / "pictures", side=28)))


def test_layers_and_stored_weights_are_as_asked(run: Path) -> None:
    """FP32 weights behind Q and DQ, and one layer untouched."""
    result = quantized(run, stored="fp32", exclude=("features.conv1",))
    model = onnx.load(result.bundle.path / "model.onnx")
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds["features.conv2.weight"] == onnx.TensorProto.FLOAT
    assert "features.conv2.weight_scale" in kinds
    assert "features.conv1.weight_scale" not in kinds
    with pytest.raises(UsageError, match="unknown layer"):
        quantized(run, exclude=("conv9",), exist_ok=True)


def test_an_int8_export_is_the_same_quantization(run: Path) -> None:
    """FP32 bundle, gate and place; the result has what both verbs show."""
    result = export(
        ExportArguments(source=run, int8=True, max_drop=LOOSE, calib_samples=40, measure=False)
    )
    (bundle,) = result.bundles
    assert result.passed
    assert (bundle.format, bundle.precision) == ("onnx", "int8")
    assert bundle.path == run / "bundles" / "onnx-int8"
    assert bundle.quantization is not None
    assert bundle.quantization.calibration["n"] == 40
    assert bundle.model_bytes == (bundle.path / "model.onnx").stat().st_size
    json.dumps(result.to_json())


def test_an_int8_export_that_is_rejected_has_no_path(run: Path) -> None:
    """But the quantization says where it lies."""
    (bundle,) = export(
        ExportArguments(source=run, int8=True, max_drop=0.001, measure=False)
    ).bundles
    assert bundle.path is None
    assert bundle.quantization is not None
    assert bundle.quantization.bundle.path == run / "rejected" / "onnx-int8"


def test_an_int8_export_takes_no_fp32_bundle_of_another_batch(run: Path) -> None:
    """What is asked for is never swapped for what is there."""
    arguments: dict[str, Any] = {
        "source": run,
        "int8": True,
        "max_drop": LOOSE,
        "measure": False,
        "batch": 3,
    }
    with pytest.raises(UsageError, match="takes a batch of any size"):
        export(ExportArguments(**arguments))
    (bundle,) = export(ExportArguments(**arguments, exist_ok=True)).bundles
    assert bundle.path is not None
    assert open_bundle(bundle.path).manifest.fixed_batch == 3


def test_uint8_activations_are_there_for_who_asks(run: Path) -> None:
    """In a form of their own, which the lint is told of."""
    result = quantized(run, scheme="auto", activations="uint8")
    assert result.passed
    model = onnx.load(result.bundle.path / "model.onnx")
    types = {tensor.data_type for tensor in model.graph.initializer if "zero_point" in tensor.name}
    assert onnx.TensorProto.UINT8 in types
    golden = open_bundle(result.bundle.path).golden()
    assert np.isfinite(golden["logits"]).all()
