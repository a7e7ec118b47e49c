"""From the bytes of a compressed network to a bundle that has passed its gate, or a rejected one.

INT8 after training, INT8 in training and FP16 end here, so that what is measured, decided, written
and checked is the same for all.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

import edgenet
from edgenet.export import onnx_file
from edgenet.export.bundle import BundleWriter, new_bundle
from edgenet.export.format import Written
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import choose_runtime, open_inference
from edgenet.runner.runtimes import load_runtime
from edgenet.verify.checks import Check, Verification, check_hashes, check_metadata
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import DECIDES, Gate, PairedComparison
from edgenet.verify.lint_bundle import lint_summary
from edgenet.verify.quantized import OPTION
from edgenet.workflows.bundle_logits import logits_on
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.quantize_parent import INT8_FOLDER, place_beside
from edgenet.workflows.quantized_record import (
    Candidate,
    GatedCandidate,
    candidates_before,
    golden_vectors,
    own_accuracy,
    recorded_options,
)

__all__ = ["Candidate", "GatedBundle", "write_gated"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.workflows.quantize_parent import Fp32Parent

REPORT_NAME = "report.json"
_MODEL_NAME = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class GatedBundle:
    """What became of a candidate.

    Attributes:
        path: The bundle's folder: beside its parent if it passed, else below ``rejected``.
        passed: The gate passed it, and so did every check of the file.
        gate: Parent and child on the validation split, and on the test split.
        verification: The checks of the file.
        model_bytes: Length of the model file.
        parent_bytes: Length of the parent's.
        quantization: As the manifest has it.
    """

    path: Path
    passed: bool
    gate: Gate
    verification: Verification
    model_bytes: int
    parent_bytes: int
    quantization: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            **vars(self),
            "path": str(self.path),
            "gate": self.gate.to_json(),
            "verification": self.verification.to_json(),
            "quantization": dict(self.quantization),
        }


def write_gated(
    parent: Fp32Parent,
    candidate: GatedCandidate,
    *,
    max_drop: float,
    folder: str = INT8_FOLDER,
    name: str | None = None,
    verb: str = "quantize",
    exist_ok: bool = False,
    progress: ProgressCallback = ignore,
) -> GatedBundle:
    """Let a candidate and its parent decide on the same pictures, and keep it where that says.

    Both files are run as they lie on the disk, by the runtime that `bench` and `predict` use. The
    validation split decides; the test split is reported, and the look at it logged in the run. A
    child that passes becomes ``<folder>`` beside its parent. One that does not lies, whole, in
    ``<root>/rejected/<folder>[-N]`` with ``report.json``; what was at its place before stays.

    Args:
        parent: From :func:`edgenet.workflows.quantize_parent.open_parent`.
        candidate: What to judge.
        max_drop: Share of accuracy that may be lost, such as 0.005.
        folder: Name of the bundle's folder.
        name: What the bundle is called in reports; None takes its parent's name.
        verb: What looked at the test split, for the run's log.
        exist_ok: Replace a bundle that is there.
        progress: Told of pictures.

    Raises:
        UsageError: A bundle is there already, or ``max_drop`` cannot be.
        NotPossible: onnxruntime does not load the file.
        EdgenetError: A folder cannot be written.
    """
    place = place_beside(parent.path, folder, exist_ok=exist_ok)
    draft = parent.bundle.manifest._replace(
        name=name or parent.bundle.manifest.name,
        precision=candidate.precision,
        model=_MODEL_NAME,
        files={},
    )
    with tempfile.TemporaryDirectory(prefix="edgenet-") as staging:
        staged = Bundle(Path(staging), draft)
        _write_model(staged, candidate)
        before, after = (
            logits_on(
                bundle, parent.splits, threads=parent.threads, called=called, progress=progress
            )
            for called, bundle in (("fp32", parent.bundle), (candidate.precision, staged))
        )
        seen = candidate.candidates + candidates_before(parent)
        gate = _gate(parent, before, after, max_drop, seen)
        if not gate.passed:
            place = _free(parent.root / "rejected", folder)
        _note_look(parent, place, gate, verb)
        checks = (
            *candidate.checks(staged, parent, before, after),
            _check_repeated(staged, parent, after),
        )
        options = recorded_options(parent, candidate, gate)
        complete = draft._replace(
            accuracy=own_accuracy(parent, gate),
            options={**draft.options, **options},
            tools={**draft.tools, "edgenet": edgenet.__version__, **_runtime_version(staged)},
        )
        golden = golden_vectors(parent, before, after)
        written = Written(tools={"onnx": onnx.__version__})
        BundleWriter(staged.path, complete).complete(golden, written)
        verification = _verify(open_bundle(staged.path), candidate, checks, parent.threads)
        well = verification.passed and all(check.status == "ok" for check in checks)
        passed = gate.passed and well
        if gate.passed and not well:
            place = _free(parent.root / "rejected", folder)
        result = GatedBundle(
            path=place,
            passed=passed,
            gate=gate,
            verification=verification,
            model_bytes=staged.model_path.stat().st_size,
            parent_bytes=parent.bundle.model_bytes,
            quantization=options[OPTION],
        )
        with new_bundle(place, complete, overwrite=passed and exist_ok) as writer:
            for file in staged.path.iterdir():
                shutil.copyfile(file, writer.folder / file.name)
            if not passed:
                text = json.dumps(result.to_json(), indent=2, allow_nan=False)
                (writer.folder / REPORT_NAME).write_text(text + "\n", encoding="utf-8")
    return result


def _write_model(staged: Bundle, candidate: GatedCandidate) -> None:
    """Write the file as it will be, with what it says of itself."""
    model = onnx.load_model_from_string(candidate.content)
    metadata = BundleWriter(staged.path, staged.manifest).metadata
    onnx_file.write(model, staged.model_path, about=candidate.about, metadata=metadata)


def _gate(
    parent: Fp32Parent,
    before: Mapping[str, NDArray[np.float32]],
    after: Mapping[str, NDArray[np.float32]],
    max_drop: float,
    candidates: int,
) -> Gate:
    pairs = {
        name: PairedComparison.of(
            split.labels, decisions(before[name]), decisions(after[name]), split.class_names
        )
        for name, split in parent.splits.items()
    }
    return Gate(
        max_drop=max_drop,
        validation=pairs[DECIDES],
        test=pairs.get("test"),
        candidates=candidates,
    )


def _note_look(parent: Fp32Parent, place: Path, gate: Gate, verb: str) -> None:
    """Log the look at the run's test split as soon as there was one."""
    if parent.origin is None or gate.test is None:
        return
    note_test_look(
        parent.origin.path,
        verb=verb,
        subject=os.path.relpath(place, parent.origin.path),
        digest=parent.splits["test"].digest,
        correct=gate.test.child_correct,
        n=gate.test.n,
    )


def _check_repeated(
    staged: Bundle, parent: Fp32Parent, after: Mapping[str, NDArray[np.float32]]
) -> Check:
    """Load the file a second time, and see whether it gives the same bits."""
    split = {DECIDES: parent.splits[DECIDES]}
    again = logits_on(staged, split, threads=parent.threads, called="again", progress=ignore)[
        DECIDES
    ]
    n = len(again)
    if again.tobytes() == after[DECIDES].tobytes():
        detail = f"two runs give the same bits on {n:,} pictures"
        return Check(name="repeated", status="ok", detail=detail)
    different = int((again != after[DECIDES]).any(axis=1).sum())
    detail = f"two runs differ on {different:,} of {n:,} pictures"
    return Check(name="repeated", status="failed", detail=detail)


def _free(rejected: Path, folder: str) -> Path:
    """Return a name below ``rejected`` that is not taken."""
    number = 1
    while (place := rejected / (folder if number == 1 else f"{folder}-{number}")).exists():
        number += 1
    return place


def _runtime_version(staged: Bundle) -> dict[str, str]:
    """Return the version of what the golden logits come from."""
    versions: dict[str, str] = load_runtime(choose_runtime(staged)).versions()
    return versions


def _verify(
    bundle: Bundle, candidate: GatedCandidate, checks: tuple[Check, ...], threads: int
) -> Verification:
    """Add to what was checked of the file what can only be checked of the bundle.

    That is the lint of its target, too, where it is made for one.
    """
    with closing(open_inference(bundle, threads=threads)) as inference:
        golden = candidate.check_golden(bundle, inference)
    first = (check_hashes(bundle), check_metadata(bundle))
    return Verification(checks=(*first, *checks, golden, *lint_summary(bundle)))
