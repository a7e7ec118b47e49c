"""Verifying a bundle where it is, in rows that say what ran."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgenet.data.split import Split
from edgenet.errors import CorruptFile
from edgenet.runner.bundle import GOLDEN_NAME, open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.manifest import MANIFEST_NAME, seal_of
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Verification
from tests.bundles import LABELS, SHAPE, write_onnx_bundle

BLOCKED = """
import sys
sys.modules["torch"] = None
from edgenet.workflows._verify import VerifyArguments, verify
result = verify(VerifyArguments(bundle=sys.argv[1]))
print([check.status for check in result.verification.checks])
"""


def rehash(folder: Path, **changes: object) -> None:
    """Make the manifest agree with the files as they are now, and with ``changes``."""
    from edgenet.files import sha256_of

    path = folder / MANIFEST_NAME
    values = json.loads(path.read_text())
    for name, info in values["files"].items():
        info["sha256"] = sha256_of(folder / name)
        info["bytes"] = (folder / name).stat().st_size
    values.update(changes)
    path.write_text(json.dumps({**values, "seal": seal_of(values)}))


def embed(folder: Path, **changes: object) -> None:
    """Put the manifest's own words into the model file, with ``changes``."""
    declared = json.loads((folder / MANIFEST_NAME).read_text())
    fields = ("labels", "preprocessing", "probability")
    values = {**{name: declared[name] for name in fields}, **changes}
    model = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(model, {"edgenet": json.dumps(values)})
    onnx.save(model, folder / "model.onnx")
    rehash(folder)


def add_decisions(folder: Path, split: Split, wrong: int = 0) -> None:
    """Store decisions of the parent on ``split``: those of the file, but for the first few."""
    bundle = open_bundle(folder)
    arrays = bundle.golden()
    inference = open_inference(bundle)
    decisions = inference.logits(split.images).argmax(axis=1).astype(np.int16)
    decisions[:wrong] = (decisions[:wrong] + 1) % len(LABELS)
    content: dict[str, Any] = {**arrays, f"predictions_{split.digest}": decisions}
    np.savez(folder / GOLDEN_NAME, **content)
    rehash(folder)


def statuses(verification: Verification) -> dict[str, str]:
    """Return status by name of check."""
    return {check.name: check.status for check in verification.checks}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return the folder of a bundle whose model file carries its metadata."""
    folder = write_onnx_bundle(tmp_path / "bundle")
    embed(folder)
    return folder


@pytest.fixture
def split() -> Split:
    """Return 70 random pictures of the bundle's shape."""
    draw = np.random.Generator(np.random.PCG64(2))
    images = draw.integers(0, 256, (70, *SHAPE), dtype=np.uint8)
    labels = np.arange(70, dtype=np.int64) % len(LABELS)
    return Split(name="test", images=images, labels=labels, class_names=LABELS)


def test_a_whole_bundle_passes_and_says_what_was_not_run(bundle: Path) -> None:
    """Without data there is no full agreement, and that is said."""
    verification = verify_bundle(bundle)
    assert verification.passed
    assert statuses(verification) == {
        "hashes": "ok",
        "metadata": "ok",
        "golden": "ok",
        "agreement": "not run",
    }
    json.dumps(verification.to_json())


def test_every_decision_is_compared_where_data_are_given(bundle: Path, split: Split) -> None:
    """The bundle holds what its parent decided."""
    add_decisions(bundle, split)
    verification = verify_bundle(bundle, (split,))
    assert statuses(verification)["agreement (test)"] == "ok"
    assert verification.checks[-1].detail.startswith("70 of 70 decisions are the parent's")


def test_a_single_other_decision_fails(bundle: Path, split: Split) -> None:
    """One of 70 is enough, and the row counts it."""
    add_decisions(bundle, split, wrong=1)
    verification = verify_bundle(bundle, (split,))
    assert [check.name for check in verification.failures] == ["agreement (test)"]
    assert verification.failures[0].detail.startswith("69 of 70")


def test_data_that_the_bundle_does_not_know_are_not_run(bundle: Path, split: Split) -> None:
    """There is nothing to compare with."""
    assert statuses(verify_bundle(bundle, (split,)))["agreement (test)"] == "not run"


def test_labels_swapped_in_the_model_file_are_found(bundle: Path) -> None:
    """Every logit is right, and every name would be wrong."""
    embed(bundle, labels=list(reversed(LABELS)))
    verification = verify_bundle(bundle)
    assert [check.name for check in verification.failures] == ["metadata"]
    assert "labels" in verification.failures[0].detail


def test_labels_swapped_in_the_manifest_are_found(bundle: Path) -> None:
    """The other way round."""
    rehash(bundle, labels=list(reversed(LABELS)))
    assert [check.name for check in verify_bundle(bundle).failures] == ["metadata"]


def test_a_model_file_without_metadata_is_found(bundle: Path) -> None:
    """It could not be used alone."""
    model = onnx.load(bundle / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, bundle / "model.onnx")
    rehash(bundle)
    assert "carries no metadata" in verify_bundle(bundle).failures[0].detail


def test_weights_that_look_like_the_end_of_an_archive_make_no_archive(bundle: Path) -> None:
    """What a file is, its first bytes say; an archive's directory is at its end."""
    model = onnx.load(bundle / "model.onnx")
    archive = io.BytesIO()
    zipfile.ZipFile(archive, "w").close()
    entry = model.metadata_props.add()
    entry.key, entry.value = "note", archive.getvalue().decode("ascii")
    onnx.save(model, bundle / "model.onnx")
    rehash(bundle)
    assert zipfile.is_zipfile(bundle / "model.onnx")
    assert verify_bundle(bundle).passed


def test_a_weight_changed_by_one_percent_breaks_the_golden_vectors(bundle: Path) -> None:
    """Even where all hashes were made to fit."""
    model = onnx.load(bundle / "model.onnx")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "weight")
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[np.abs(values).argmax()] *= np.float32(1.01)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, "weight"))
    onnx.save(model, bundle / "model.onnx")
    rehash(bundle)
    assert [check.name for check in verify_bundle(bundle).failures] == ["golden"]


def test_one_changed_byte_is_an_error_that_names_the_file(bundle: Path) -> None:
    """A damaged file is not a failed check: nothing more is done with it."""
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[-1] ^= 1
    (bundle / "model.onnx").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"model\.onnx"):
        verify_bundle(bundle)


def test_a_format_that_nothing_here_runs_is_not_called_golden(bundle: Path) -> None:
    """The rows say that the runtime is missing."""
    rehash(bundle, format="tflite")
    verification = verify_bundle(bundle)
    assert statuses(verification)["golden"] == "not run"
    assert "no runtime takes" in verification.checks[2].detail
    assert not verification.was_run


def test_an_onnx_bundle_is_verified_with_torch_blocked(bundle: Path) -> None:
    """The run half's promise."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(bundle)], capture_output=True, text=True, check=True
    )
    # TensorRT's row follows: whether it ran depends on what is installed here.
    assert done.stdout.startswith("['ok', 'ok', 'ok', 'not run', ")


def test_a_check_is_a_row_of_plain_values(bundle: Path) -> None:
    """For --json."""
    row = verify_bundle(bundle).checks[2].to_json()
    assert row["agreement"]["passed"] is True
    assert set(row) == {field.name for field in dataclasses.fields(verify_bundle(bundle).checks[2])}
