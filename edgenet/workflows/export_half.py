"""``export --half``: the FP32 bundle is found or made, and written again in FP16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from edgenet.compress.execution import logits_of
from edgenet.compress.magnitudes import magnitudes
from edgenet.export import onnx_weights
from edgenet.export.onnx_half import half_values, rounding_results, to_half
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.timing import now_ns
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import DECIDES, Gate, PairedComparison
from edgenet.verify.half import (
    HALF,
    check_half_golden,
    check_half_parity,
    check_half_weights,
    check_magnitudes,
    rounding_units,
)
from edgenet.verify.parity import half_bound
from edgenet.workflows.export_home import bundle_folder
from edgenet.workflows.export_result import ExportedBundle, ExportResult
from edgenet.workflows.pays import measure_pair
from edgenet.workflows.quantize_arguments import DEFAULT_MAX_DROP
from edgenet.workflows.quantize_parent import open_parent
from edgenet.workflows.quantized_bundle import GatedBundle, write_gated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference
    from edgenet.verify.checks import Check
    from edgenet.weights import NetworkWeights
    from edgenet.workflows.export_arguments import ExportArguments
    from edgenet.workflows.pays_result import Pays
    from edgenet.workflows.quantize_parent import Fp32Parent

FOLDER = bundle_folder("onnx", HALF, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class HalfCandidate:
    """A network in FP16 before its gate, see `edgenet.workflows.quantized_record.GatedCandidate`.

    Attributes:
        content: The FP16 ONNX file.
        max_drop: Share of accuracy that may be lost.
        weights: The FP32 weights that its own are rounded from.
        largest: The largest |value| of what FP16 has to hold, in the FP32 parent on the validation
            split, by name.
    """

    content: bytes
    max_drop: float
    weights: NetworkWeights
    largest: Mapping[str, float]

    precision = HALF
    about = "An image classifier in FP16 by edgenet: raw pixels in, float32 logits out."
    candidates = 1

    @cached_property
    def _bound(self) -> float:
        return half_bound(rounding_units(onnx.load_model_from_string(self.content)))

    def record(self) -> dict[str, Any]:
        """Return how it was made, as plain JSON values."""
        return {"method": "fp16", "weights_bits": 16, "bound": self._bound}

    def checks(
        self,
        staged: Bundle,
        parent: Fp32Parent,
        before: Mapping[str, NDArray[np.float32]],
        after: Mapping[str, NDArray[np.float32]],
    ) -> tuple[Check, ...]:
        """Check weights, range and logits; these a second time with every result rounded.

        The file's own logits tell what rounded weights cost, since onnxruntime computes the rest in
        FP32 on a CPU. A target does not, so the gate is asked again for what it would decide.
        """
        stored = onnx_weights.weights_of(onnx.load(staged.model_path))
        return (
            check_half_weights(self.weights, stored),
            check_magnitudes(self.largest, len(parent.splits["validation"])),
            *(
                check_half_parity(f"parity ({name})", before[name], after[name], bound=self._bound)
                for name in parent.splits
            ),
            self._rounded(parent, before),
        )

    def _rounded(self, parent: Fp32Parent, before: Mapping[str, NDArray[np.float32]]) -> Check:
        """Judge the network with every result rounded to FP16, on the validation split."""
        rounding = rounding_results(onnx.load_model_from_string(self.content))
        split = parent.splits[DECIDES]
        logits = logits_of(rounding.SerializeToString(), split.images, threads=parent.threads)
        check = check_half_parity("results in FP16", before[DECIDES], logits, bound=self._bound)
        pairs = PairedComparison.of(
            split.labels, decisions(before[DECIDES]), decisions(logits), split.class_names
        )
        gate = Gate(max_drop=self.max_drop, validation=pairs)
        why = "" if gate.passed else f": {gate.describe()}"
        detail = f"{check.detail}; gate {gate.verdict}{why}"
        return replace(check, status=check.status if gate.passed else "failed", detail=detail)

    def check_golden(self, bundle: Bundle, inference: Inference) -> Check:
        """Compare with the file's own logits and with the parent's."""
        return check_half_golden(bundle, inference)


@dataclass(frozen=True, kw_only=True)
class HalfResult:
    """What came of it.

    Attributes:
        parent: Folder of the FP32 bundle.
        parent_made: It was exported on the way, not found.
        bundle: The child, where it lies, its gate and its checks.
        pays: Whether FP16 pays on this machine; None if it was not measured.
        seconds: Wall time of all of it.
    """

    parent: Path
    parent_made: bool
    bundle: GatedBundle
    pays: Pays | None
    seconds: float

    @property
    def passed(self) -> bool:
        """The child was shown to keep within what may be lost, and every check of it is well."""
        return self.bundle.passed

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``."""
        return {
            **vars(self),
            "passed": self.passed,
            "parent": str(self.parent),
            "bundle": self.bundle.to_json(),
            "pays": None if self.pays is None else self.pays.to_json(),
        }


def export_half(
    arguments: ExportArguments, checkpoint: Path, progress: ProgressCallback
) -> ExportResult:
    """Write a trained network as an FP16 ONNX bundle, see :func:`halve`, as ``export`` tells it.

    Args:
        arguments: Of the export; batch and opset are those of the FP32 bundle.
        checkpoint: The weights of its source.
        progress: Told of everything that takes long.

    Raises:
        EdgenetError: See :func:`halve`.
    """
    halved = halve(arguments, progress=progress)
    bundle = open_bundle(halved.bundle.path)
    exported = ExportedBundle(
        format=bundle.manifest.format,
        precision=bundle.manifest.precision,
        path=halved.bundle.path if halved.passed else None,
        model_bytes=bundle.model_bytes,
        options=dict(bundle.manifest.options),
        seconds=halved.seconds,
        verification=halved.bundle.verification,
        half=halved,
    )
    return ExportResult(checkpoint=checkpoint, bundles=(exported,))


def halve(arguments: ExportArguments, *, progress: ProgressCallback = ignore) -> HalfResult:
    """Write a trained network as an FP16 ONNX bundle, and keep it if it passes the accuracy gate.

    The FP32 ONNX bundle of the network is found, or exported first, and is what the FP16 file is
    made of and compared with. A value beyond FP16's range on any validation picture fails it.

    Args:
        arguments: Of the export, in FP16.
        progress: Told of everything that takes long.

    Raises:
        UsageError: A bundle is there already, or the data do not fit.
        DataUnavailable: The data are not here, or not those of the FP32 bundle.
        NotPossible: A weight is beyond FP16's range, or an operator does not take FP16.
        CorruptFile: A file is damaged.
        EdgenetError: The FP32 export failed its verification, or a folder cannot be written.
    """
    started = now_ns()
    parent = open_parent(
        arguments.source,
        data=arguments.data,
        threads=1,
        exist_ok=arguments.exist_ok,
        child=FOLDER,
        project=arguments.project,
        name=arguments.name,
        like=arguments,
        progress=progress,
    )
    max_drop = DEFAULT_MAX_DROP if arguments.max_drop is None else arguments.max_drop
    model = onnx.load_model_from_string(parent.content)
    content = to_half(model).SerializeToString(deterministic=True)
    largest = magnitudes(
        parent.content, parent.splits["validation"].images, half_values(model), progress=progress
    )
    bundle = write_gated(
        parent,
        HalfCandidate(content=content, max_drop=max_drop, weights=parent.weights, largest=largest),
        max_drop=max_drop,
        folder=parent.child_folder(FOLDER),
        name=arguments.name,
        verb="export",
        exist_ok=arguments.exist_ok,
        progress=progress,
    )
    pays = None
    if arguments.measure:
        child = open_bundle(bundle.path)
        pays = measure_pair(parent.bundle, child, gate=bundle.gate, progress=progress)
    return HalfResult(
        parent=parent.path,
        parent_made=parent.made,
        bundle=bundle,
        pays=pays,
        seconds=(now_ns() - started) / 1e9,
    )
