"""The checks that only a quantized file has: its form, its integers, and what its gate said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

from edgenet.errors import CorruptFile
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.verify.checks import Check, Status
from edgenet.verify.decisions import decisions
from edgenet.verify.gate import Gate, PairedComparison
from edgenet.verify.parity import compare, rounding_bound
from edgenet.verify.qdq import (
    Violation,
    quantized_layers,
    violations,
    weight_violations,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgenet.data.split import Split
    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference
    from edgenet.runner.manifest import Manifest
    from edgenet.weights import NetworkWeights

INT8 = "int8"
OPTION = "quantization"
"""Under which a manifest's options keep how the file was quantized, and what its gate said.

A file in FP16 has it, too.
"""

_ROUNDING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")


def quantization_of(manifest: Manifest) -> Mapping[str, Any] | None:
    """Return how edgenet quantized a bundle; None for any other bundle."""
    found = manifest.options.get(OPTION)
    return found if manifest.precision == INT8 and isinstance(found, dict) else None


def activations_of(manifest: Manifest) -> str:
    """Return the type of the activations in a bundle that edgenet quantized, else ``int8``."""
    scheme = (quantization_of(manifest) or {}).get("scheme")
    found = scheme.get("activations") if isinstance(scheme, dict) else None
    return found if found == "uint8" else "int8"


def load_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, and no other that it may refer to.

    Raises:
        CorruptFile: It is not ONNX.
    """
    try:
        return onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise CorruptFile(f"{path} is not an ONNX file") from error


def check_form(path: Path, *, activations: str = "int8") -> Check:
    """Look for every place where a quantized ONNX file is not in the form that targets take."""
    model = load_graph(path)
    found = violations(model, activations=activations)
    if found:
        return Check(name="Q/DQ form", status="failed", detail=_first(found))
    if not quantized_layers(model):
        return Check(name="Q/DQ form", status="failed", detail="no layer of it is quantized")
    detail = f"symmetric weights by output channel, {activations} activations, no other integers"
    return Check(name="Q/DQ form", status="ok", detail=detail)


def check_integers(path: Path, weights: NetworkWeights) -> Check:
    """Compare the integers of a quantized ONNX file with the FP32 weights that they stand for."""
    found = weight_violations(load_graph(path), weights)
    if found:
        return Check(name="weights", status="failed", detail=_first(found))
    detail = "every integer is the weight it stands for, rounded by its channel's scale"
    return Check(name="weights", status="ok", detail=detail)


def check_recorded_gate(quantization: Mapping[str, Any]) -> Check:
    """Make the row of what the accuracy gate said when the file was quantized."""
    gate = quantization.get("gate")
    verdict, reason = "none recorded", "the manifest does not say that the file passed its gate"
    if isinstance(gate, dict):
        verdict, reason = str(gate.get("verdict")), str(gate.get("reason"))
    status: Status = "ok" if verdict == "passed" else "failed"
    return Check(name="gate at export", status=status, detail=f"{verdict}: {reason}")


def check_own_golden(bundle: Bundle, inference: Inference) -> Check:
    """Run the golden inputs and compare with the quantized file's own logits at export.

    The parent's are other ones by design; how many of its decisions they keep is in the detail.
    """
    golden = bundle.golden()
    logits = inference.logits(golden["inputs"])
    bound = rounding_bound(roundings(load_graph(bundle.model_path)))
    agreement = compare(golden["logits"], logits, bound)
    detail = f"against the file at export: {agreement.describe()}"
    if logits.tobytes() == golden["logits"].tobytes():
        detail = f"the logits of {len(logits):,} pictures are those at export, bit for bit"
    parent = golden.get("parent_logits")
    if parent is not None:
        equal = int((decisions(parent) == decisions(logits)).sum())
        detail += f"; {equal:,} of {len(logits):,} decisions are the parent's"
    status: Status = "ok" if agreement.passed else "failed"
    return Check(name="golden", status=status, detail=detail, agreement=agreement)


def check_gated_decisions(
    bundle: Bundle, inference: Inference, split: Split, progress: ProgressCallback = ignore
) -> Check:
    """Compare every decision on a split with the file's own at export, and with the parent's.

    On another machine a decision may differ, see :func:`edgenet.verify.parity.rounding_bound`; then
    the pairs of parent and file, as they are here, must not fail the gate that the file has passed.
    """
    name = f"agreement ({split.name})"
    golden = bundle.golden()
    parent = golden.get(f"predictions_{split.digest}")
    if parent is None:
        detail = "the bundle holds no decisions of its parent on these data"
        return Check(name=name, status="not run", detail=detail)

    def report(done: int) -> None:
        progress(Step(task=f"verify {split.name}", done=done, total=len(split), unit="picture"))

    found = decisions(inference.logits(split.images, on_batch=report))
    own = golden.get(f"own_predictions_{split.digest}")
    for whose, expected in (("the parent", parent), ("the file at export", own)):
        if expected is not None and expected.shape != found.shape:
            detail = f"{len(found):,} pictures, {len(expected):,} decisions of {whose}"
            return Check(name=name, status="failed", detail=detail)
    if not -1 <= parent.min() <= parent.max() < len(bundle.manifest.labels):
        detail = "the decisions of the parent name classes that are not there"
        return Check(name=name, status="failed", detail=detail)
    pairs = PairedComparison.of(split.labels, parent, found, bundle.manifest.labels)
    detail = (
        f"{pairs.equal_decisions:,} of {pairs.n:,} decisions are the parent's; "
        f"{pairs.child_correct:,} are right, {pairs.parent_correct:,} of the parent's"
    )
    repeated = 0 if own is None else int((own == found).sum())
    if repeated == len(found):
        unlike = _unlike_the_record(bundle.manifest, split, pairs)
        if unlike is not None:
            return Check(name=name, status="failed", detail=f"{unlike}; {detail}")
        return Check(name=name, status="ok", detail=f"all are those at export; {detail}")
    gate = _gate_again(bundle.manifest, pairs)
    if gate is None:
        return Check(name=name, status="failed", detail=f"{detail}; no gate is recorded")
    return Check(
        name=name,
        status="failed" if gate.verdict == "failed" else "ok",
        detail=f"{repeated:,} are those at export; {detail}; the gate here: {gate.describe()}",
    )


def roundings(model: onnx.ModelProto) -> int:
    """Return in how many places a graph turns activations into integers, one at least."""
    stored = {tensor.name for tensor in model.graph.initializer}
    count = sum(
        node.op_type in _ROUNDING and node.input[0] not in stored for node in model.graph.node
    )
    return max(1, count)


def _unlike_the_record(manifest: Manifest, split: Split, pairs: PairedComparison) -> str | None:
    """Say where the pairs behind the recorded gate were others, though no decision changed."""
    recorded = manifest.options.get(OPTION)
    gate = recorded.get("gate") if isinstance(recorded, dict) else None
    seen = gate.get(split.name) if isinstance(gate, dict) else None
    if not isinstance(seen, dict):
        return None
    for name, value in (("accuracy_change", pairs.change), ("agreement", pairs.agreement)):
        if seen.get(name) != value:
            word = name.replace("_", " ")
            return f"the gate is recorded with an {word} of {seen.get(name)}, it is {value:.6g}"
    return None


def _gate_again(manifest: Manifest, pairs: PairedComparison) -> Gate | None:
    """Return the recorded gate with the pairs of this machine; None where none is recorded."""
    recorded = manifest.options.get(OPTION)
    gate = recorded.get("gate") if isinstance(recorded, dict) else None
    max_drop = gate.get("max_drop") if isinstance(gate, dict) else None
    if not isinstance(max_drop, float) or not 0 < max_drop < 1:
        return None
    return Gate(max_drop=max_drop, validation=pairs)


def _first(found: tuple[Violation, ...]) -> str:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"
