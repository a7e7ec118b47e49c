"""What can be said of an engine bundle without its GPU: what it was built from, and by what."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edgenet.errors import CorruptFile, NotPossible
from edgenet.files import sha256_of
from edgenet.runner.bundle import Bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.tensorrt.bundle import (
    FORMATS,
    OPTION,
    SCRIPT_NAME,
    SOURCE_NAME,
    machine_in,
    source_of,
)
from edgenet.runner.tensorrt.plan import check_claim
from edgenet.verify import half, quantized
from edgenet.verify.checks import Check, check_golden
from edgenet.verify.parity import compare, half_bound, relative_bound, rounding_bound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.runner.inference import Inference

ENGINE_FORMATS = tuple(FORMATS.values())


def check_engine(bundle: Bundle, *, threads: int = 1) -> tuple[Check, ...]:
    """Check an engine bundle as far as that goes without running its engine.

    Args:
        bundle: Opened, of one of :data:`ENGINE_FORMATS`.
        threads: For onnxruntime, which runs the ONNX file.

    Returns:
        Rows ``engine`` and ``golden (model.onnx)``.

    Raises:
        CorruptFile: The plan is no plan, or another one than the manifest says.
    """
    return (_check_plan(bundle), _check_source(bundle, threads))


def check_source_there(bundle: Bundle) -> None:
    """Refuse an engine bundle without its ONNX file: most of what can be checked is checked of it.

    Raises:
        CorruptFile: It has none.
    """
    if SOURCE_NAME not in bundle.manifest.files:
        message = f"{bundle.path} has no {SOURCE_NAME}, which its engine was built from"
        raise CorruptFile(message, "export the engine again")


def check_not_built(bundle: Bundle) -> Check:
    """Say of a bundle that holds only what builds an engine that there is none."""
    detail = (
        f"none was built: copy the folder to the {bundle.manifest.target}, and there: "
        f"sh {SCRIPT_NAME}"
    )
    return Check(name="engine", status="not run", detail=detail)


def check_own_golden(source: Bundle, bundle: Bundle) -> Check:
    """Compare what an engine answered on its golden inputs with its ONNX file's own answers."""
    if not bundle.manifest.options[OPTION].get("was_run"):
        machine = machine_in(bundle)
        detail = (
            f"the engine was not run here: it is for {machine.title}, which nothing on this "
            f"machine runs; the golden logits are those of {SOURCE_NAME} in onnxruntime"
        )
        return Check(name="golden", status="not run", detail=detail)
    reference, own = (each.golden(["logits"])["logits"] for each in (source, bundle))
    return _compare(bundle, reference, own)


def check_engine_golden(bundle: Bundle, inference: Inference) -> Check:
    """Run an engine on its golden inputs, and compare with the golden logits."""
    golden = bundle.golden(["inputs", "logits"])
    return _compare(bundle, golden["logits"], inference.logits(golden["inputs"]))


def _compare(bundle: Bundle, reference: NDArray[np.float32], own: NDArray[np.float32]) -> Check:
    """Compare an engine's logits [n, K] with those of the file that it was built from.

    TF32 is off, so FP32 has the bound of :func:`edgenet.verify.parity.relative_bound`, and equal
    decisions. FP16 and INT8 round besides, and at other places than onnxruntime does: their own
    bounds are added, and two logits that lie within them may change places.
    """
    agreement = compare(reference, own, _bound(bundle))
    exact = bundle.manifest.precision == "fp32"
    well = agreement.passed if exact else agreement.max_relative <= agreement.bound
    detail = f"against the golden logits: {agreement.describe()}"
    return Check(
        name="golden", status="ok" if well else "failed", detail=detail, agreement=agreement
    )


def _bound(bundle: Bundle) -> float:
    """Return how far an engine's logits may lie from its file's, over the largest |logit|."""
    exact = relative_bound(bundle.manifest.longest_reduction)
    graph = quantized.load_graph(source_of(bundle).model_path)
    if bundle.manifest.precision == quantized.INT8:
        return exact + rounding_bound(quantized.roundings(graph))
    if bundle.manifest.precision == half.HALF:
        return exact + half_bound(half.rounding_units(graph))
    return exact


def _check_plan(bundle: Bundle) -> Check:
    """Compare the plan's own header, and the file that it was built from, with the manifest."""
    machine = machine_in(bundle)
    check_claim(bundle.model_content(), machine, str(bundle.model_path))
    option = bundle.manifest.options[OPTION]
    if option.get("source_sha256") != sha256_of(bundle.path / SOURCE_NAME):
        detail = f"it was built from another file than the {SOURCE_NAME} beside it"
        return Check(name="engine", status="failed", detail=detail)
    detail = f"bound to {machine.title}; built from the {SOURCE_NAME} beside it"
    return Check(name="engine", status="ok", detail=detail)


def _check_source(bundle: Bundle, threads: int) -> Check:
    """Run the golden inputs through the ONNX file; the engine's own logits are not its business."""
    name = f"golden ({SOURCE_NAME})"
    if bundle.manifest.options[OPTION].get("was_run"):
        detail = "the golden logits are the engine's own, and not those of onnxruntime"
        return Check(name=name, status="not run", detail=detail)
    source = source_of(bundle)
    try:
        with closing(open_inference(source, threads=threads)) as inference:
            check = _golden(source, inference)
    except NotPossible as absent:
        return Check(name=name, status="not run", detail=absent.message)
    return Check(name=name, status=check.status, detail=check.detail, agreement=check.agreement)


def _golden(source: Bundle, inference: Inference) -> Check:
    if source.manifest.precision == quantized.INT8:
        return quantized.check_own_golden(source, inference)
    if source.manifest.precision == half.HALF:
        return half.check_half_golden(source, inference)
    return check_golden(source, inference)
