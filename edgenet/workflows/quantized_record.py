"""What a quantized bundle records: how it was made, what its gate said, what both files answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgenet.compress.scheme import Scheme
from edgenet.export.bundle import golden_rows
from edgenet.runner.manifest import SplitAccuracy
from edgenet.verify.activation_ranges import check_ranges
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import DECIDES, Gate
from edgenet.verify.quantized import INT8, OPTION, check_form, check_own_golden
from edgenet.workflows.int8_weights import check_int8_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference
    from edgenet.verify.checks import Check
    from edgenet.weights import NetworkWeights
    from edgenet.workflows.quantize_parent import Fp32Parent


class GatedCandidate(Protocol):
    """A compressed network before its gate: what is the same for INT8 and FP16."""

    @property
    def content(self) -> bytes:
        """The ONNX file, from ``input`` to ``logits``."""

    @property
    def precision(self) -> str:
        """For the manifest, such as ``int8``."""

    @property
    def about(self) -> str:
        """The file's documentation, a sentence."""

    @property
    def candidates(self) -> int:
        """How many children of the parent were looked at on the validation split, with this one."""

    def record(self) -> Mapping[str, Any]:
        """Return how it was made, for the manifest, as plain JSON values."""

    def checks(
        self,
        staged: Bundle,
        parent: Fp32Parent,
        before: Mapping[str, NDArray[np.float32]],
        after: Mapping[str, NDArray[np.float32]],
    ) -> tuple[Check, ...]:
        """Check the file as it lies on the disk.

        Args:
            staged: The file, about to become a bundle.
            parent: What it was made of.
            before: The parent's logits [N, K] by split.
            after: The file's own.
        """

    def check_golden(self, bundle: Bundle, inference: Inference) -> Check:
        """Make the row ``golden`` of the complete bundle."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A quantized network before its gate.

    Attributes:
        content: The ONNX file, in the form of docs/decisions/0008; from ``input`` to ``logits``.
        method: ``ptq`` or ``qat``.
        scheme: How it is quantized.
        weights: The FP32 weights that its integers are rounded from, with the names of the file.
        candidates: How many children of the parent were looked at on the validation split until
            this one was chosen, itself included.
        weight_bits: Of the stored integers.
        details: More for the manifest, plain JSON values: ``calibration``, ``rolled_back`` ….
        checked: Checks of the content that were made already.
    """

    content: bytes
    method: str
    scheme: Scheme
    weights: NetworkWeights
    candidates: int = 1
    weight_bits: int = 8
    details: Mapping[str, Any] = field(default_factory=dict)
    checked: tuple[Check, ...] = ()

    precision = INT8
    about = "An image classifier quantized by edgenet: raw pixels in, logits out."

    def record(self) -> dict[str, Any]:
        """Return how it was quantized, as plain JSON values."""
        return {
            "method": self.method,
            "scheme": self.scheme.to_json(),
            "weights_bits": self.weight_bits,
            **self.details,
        }

    def checks(
        self,
        staged: Bundle,
        parent: Fp32Parent,
        before: Mapping[str, NDArray[np.float32]],  # noqa: ARG002 - the gate compares them
        after: Mapping[str, NDArray[np.float32]],  # noqa: ARG002 - likewise
    ) -> tuple[Check, ...]:
        """Check form, integers and scales, see :class:`GatedCandidate`."""
        return (
            check_form(staged.model_path, activations=self.scheme.activations),
            check_int8_weights(staged.model_path, self.weights),
            check_ranges(staged.model_path, parent.bundle.golden(["inputs"])["inputs"]),
            *self.checked,
        )

    def check_golden(self, bundle: Bundle, inference: Inference) -> Check:
        """Compare with the file's own logits, see :class:`GatedCandidate`."""
        return check_own_golden(bundle, inference)


def recorded_options(parent: Fp32Parent, candidate: GatedCandidate, gate: Gate) -> dict[str, Any]:
    """Return what the manifest is to say of how the file was made, the gate in short."""
    test = gate.test
    return {
        "data": parent.data,
        "split_seed": parent.split_seed,
        OPTION: {
            **candidate.record(),
            "candidates": gate.candidates,
            "parent_bundle": {
                "model_sha256": _digest(parent),
            },
            "gate": {
                "verdict": gate.verdict,
                "reason": gate.describe(),
                "max_drop": gate.max_drop,
                **{
                    name: {
                        "n": pairs.n,
                        "accuracy_change": pairs.change,
                        "accuracy_change_interval_95": list(pairs.interval),
                        "agreement": pairs.agreement,
                        "mcnemar_p": pairs.p,
                    }
                    for name, pairs in ((DECIDES, gate.validation), ("test", test))
                    if pairs is not None
                },
            },
        },
    }


def own_accuracy(parent: Fp32Parent, gate: Gate) -> dict[str, SplitAccuracy | None]:
    """Return what the child itself gets right."""
    pairs = {DECIDES: gate.validation, "test": gate.test}
    return {
        name: None
        if found is None
        else SplitAccuracy(
            correct=found.child_correct, n=found.n, digest=parent.splits[name].digest
        )
        for name, found in pairs.items()
    }


def golden_vectors(
    parent: Fp32Parent,
    before: Mapping[str, NDArray[np.float32]],
    after: Mapping[str, NDArray[np.float32]],
) -> dict[str, NDArray[Any]]:
    """Return golden vectors: validation pictures with both files' logits, and all decisions."""
    split = parent.splits[DECIDES]
    count = len(parent.bundle.golden(["inputs"])["inputs"])
    rows = golden_rows(len(split), count)
    arrays: dict[str, NDArray[Any]] = {
        "inputs": np.ascontiguousarray(split.images[rows]),
        "parent_logits": np.ascontiguousarray(before[DECIDES][rows]),
        "logits": np.ascontiguousarray(after[DECIDES][rows]),
    }
    for name, each in parent.splits.items():
        arrays[f"predictions_{each.digest}"] = decisions(before[name]).astype(np.int16)
        arrays[f"own_predictions_{each.digest}"] = decisions(after[name]).astype(np.int16)
    return arrays


def candidates_before(parent: Fp32Parent) -> int:
    """Return how many children of this file earlier calls looked at on the validation split.

    Who tries again until a gate passes has tried more often than once. The reports of the run say
    so, each with the count until then; one that cannot be read says nothing.
    """
    counts = [0]
    if parent.run is not None:
        own = _digest(parent)
        for file in parent.run.reports.glob("quantize-*.json"):
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                child = json.loads(file.read_text("utf-8"))["bundle"]
                if child["quantization"]["parent_bundle"]["model_sha256"] == own:
                    counts.append(int(child["gate"]["candidates"]))
    return max(counts)


def _digest(parent: Fp32Parent) -> str:
    manifest = parent.bundle.manifest
    return manifest.files[manifest.model].sha256
