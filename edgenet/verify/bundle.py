"""Verifying a bundle where it is, without its checkpoint and without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from edgenet.errors import NotPossible
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import choose_runtime, open_inference
from edgenet.runner.tensorrt.bundle import is_plan_only
from edgenet.verify.checks import (
    Check,
    Verification,
    check_decisions,
    check_golden,
    check_hashes,
    check_metadata,
)
from edgenet.verify.engine import (
    ENGINE_FORMATS,
    check_engine,
    check_engine_golden,
    check_not_built,
    check_source_there,
)

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.data.split import Split
    from edgenet.runner.bundle import Bundle
    from edgenet.runner.inference import Inference


def verify_bundle(
    path: Path,
    splits: Sequence[Split] = (),
    *,
    threads: int = 1,
    progress: ProgressCallback = ignore,
) -> Verification:
    """Check a bundle on this machine.

    Args:
        path: The bundle's folder.
        splits: Data on which every decision is compared with the parent's, which the bundle holds
            for the validation and the test data that it was exported with.
        threads: For the runtime.
        progress: Told of every batch of pictures.

    Returns:
        Rows ``hashes``, ``metadata`` and ``golden``, and ``agreement (...)`` for each split; for
        what edgenet quantized ``Q/DQ form``, ``activation ranges`` and ``gate at export``, too, the
        last also for FP16; for engines, and for what is yet to be built to one, ``engine``.

    Raises:
        UsageError: There is no bundle at ``path``.
        NotPossible: The runtime that is here does not load the model.
        CorruptFile: A file of the bundle is damaged or was changed.
    """
    bundle = open_bundle(path)
    if bundle.manifest.format in ENGINE_FORMATS:
        check_source_there(bundle)
    checks = [check_hashes(bundle), check_metadata(bundle)]
    if bundle.manifest.format in ENGINE_FORMATS:
        checks += check_engine(bundle, threads=threads)
    elif is_plan_only(bundle.manifest.options):
        checks.append(check_not_built(bundle))
    try:
        runtime = choose_runtime(bundle)
    except NotPossible as absent:
        names = ["golden", *(f"agreement ({split.name})" for split in splits)]
        checks += [Check(name=name, status="not run", detail=absent.message) for name in names]
        return Verification(checks=tuple(checks))
    with closing(open_inference(bundle, runtime, threads)) as inference:
        if bundle.manifest.format in ENGINE_FORMATS:
            checks += _of_engine(bundle, inference, splits, progress)
        elif bundle.manifest.precision == "int8":
            checks += _of_quantized(bundle, inference, splits, progress)
        elif bundle.manifest.precision == "fp16" and bundle.manifest.format == "onnx":
            checks += _of_half(bundle, inference, splits, progress)
        else:
            checks.append(check_golden(bundle, inference))
            checks += [check_decisions(bundle, inference, split, progress) for split in splits]
    if not splits:
        detail = "needs the validation or test data: name it with --data"
        checks.append(Check(name="agreement", status="not run", detail=detail))
    return Verification(checks=tuple(checks))


def _of_engine(
    bundle: Bundle, inference: Inference, splits: Sequence[Split], progress: ProgressCallback
) -> Iterator[Check]:
    """Check an engine that is run here, which has to answer as the file that it was built from."""
    from edgenet.verify.quantized import check_gated_decisions

    yield check_engine_golden(bundle, inference)
    gated = bundle.manifest.precision != "fp32"
    compare = check_gated_decisions if gated else check_decisions
    for split in splits:
        yield compare(bundle, inference, split, progress)


def _of_quantized(
    bundle: Bundle, inference: Inference, splits: Sequence[Split], progress: ProgressCallback
) -> Iterator[Check]:
    """Check an INT8 bundle, which has to repeat itself and not its parent."""
    from edgenet.verify import quantized
    from edgenet.verify.activation_ranges import check_ranges

    recorded = quantized.quantization_of(bundle.manifest)
    if recorded is not None:
        activations = quantized.activations_of(bundle.manifest)
        yield quantized.check_form(bundle.model_path, activations=activations)
        yield check_ranges(bundle.model_path, bundle.golden(["inputs"])["inputs"])
        yield quantized.check_recorded_gate(recorded)
    yield quantized.check_own_golden(bundle, inference)
    for split in splits:
        yield quantized.check_gated_decisions(bundle, inference, split, progress)


def _of_half(
    bundle: Bundle, inference: Inference, splits: Sequence[Split], progress: ProgressCallback
) -> Iterator[Check]:
    """Check an FP16 bundle, which has to be near its FP32 parent and to keep what its gate said."""
    from edgenet.verify import half, quantized

    recorded = bundle.manifest.options.get(quantized.OPTION)
    if isinstance(recorded, dict):
        yield quantized.check_recorded_gate(recorded)
    yield half.check_half_golden(bundle, inference)
    for split in splits:
        yield quantized.check_gated_decisions(bundle, inference, split, progress)
