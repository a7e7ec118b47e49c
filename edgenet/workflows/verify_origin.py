"""The checks of a bundle that ask where it came from: its data, its pictures, its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.verify.checks import Check
from edgenet.verify.quantized import quantization_of
from edgenet.workflows.verify_weights import ParentCheck, check_against_checkpoint

if TYPE_CHECKING:
    from edgenet.data import Dataset
    from edgenet.runner.bundle import Bundle
    from edgenet.workflows.runs import Run

LABELS, ACCURACY = "labels", "accuracy"


def check_origin(
    bundle: Bundle,
    run: Run | None,
    checkpoint: str | Path | None,
    dataset: Dataset | None,
    *,
    threads: int,
) -> tuple[Check, ...]:
    """Compare a bundle with what it was made of, as far as that is at hand.

    Args:
        bundle: Opened.
        run: The run that it lies in.
        checkpoint: What the user names as its checkpoint; None looks in the run.
        dataset: What it was exported with, as it was split then.
        threads: CPU threads of the runtime.

    Returns:
        With data ``labels`` and ``accuracy``, for what edgenet quantized ``calibration`` and
        ``scales``; for ONNX ``versions`` and ``number formats``; and the rows of
        :func:`edgenet.workflows.verify_weights.check_against_checkpoint`.

    Raises:
        UsageError: The named checkpoint is not there.
        CorruptFile: The checkpoint is damaged.
    """
    named = None if checkpoint is None else Path(checkpoint)
    against = check_against_checkpoint(bundle, run, named)
    checks: list[Check] = []
    if dataset is not None:
        checks += [_check_labels(bundle, dataset), _check_accuracy(bundle, dataset)]
        checks += _of_calibration(bundle, dataset, against, threads)
    if bundle.manifest.format == "onnx" and bundle.manifest.parent is not None:
        from edgenet.verify.number_formats import check_number_formats
        from edgenet.verify.versions import check_versions

        checks.append(check_versions(bundle.model_path, bundle.manifest.options))
        checks.append(check_number_formats(bundle.model_path, bundle.manifest.precision))
    return (*checks, *against.checks)


def _check_labels(bundle: Bundle, dataset: Dataset) -> Check:
    """Compare the names of the classes, in order, with those of the data."""
    labels, names = bundle.manifest.labels, dataset.test.class_names
    if labels == tuple(names):
        detail = f"the {len(labels)} classes are those of the data, in their order"
        return Check(name=LABELS, status="ok", detail=detail)
    if len(labels) != len(names):
        detail = f"{len(labels)} classes, the data have {len(names)}"
        return Check(name=LABELS, status="failed", detail=detail)
    pairs = enumerate(zip(labels, names, strict=True))
    place, (ours, theirs) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
    detail = f"class {place} is {ours!r} in the manifest, {theirs!r} in the data"
    return Check(name=LABELS, status="failed", detail=detail)


def _check_accuracy(bundle: Bundle, dataset: Dataset) -> Check:
    """Compare how many pictures the manifest says are right with the decisions in the bundle."""
    golden, said = bundle.golden(), []
    for split in (dataset.validation, dataset.test):
        recorded = bundle.manifest.accuracy.get(split.name)
        decided = golden.get(
            f"own_predictions_{split.digest}", golden.get(f"predictions_{split.digest}")
        )
        if recorded is None or decided is None or recorded.digest != split.digest:
            continue
        correct = int((decided == split.labels).sum()) if len(decided) == len(split) else -1
        if (recorded.correct, recorded.n) != (correct, len(split)):
            detail = (
                f"the manifest says {recorded.correct:,} of {recorded.n:,} {split.name} pictures, "
                f"by its decisions it is {correct:,} of {len(split):,}"
            )
            return Check(name=ACCURACY, status="failed", detail=detail)
        said.append(f"{correct:,} of {len(split):,} {split.name} pictures")
    if not said:
        detail = "the manifest has none of these data"
        return Check(name=ACCURACY, status="not run", detail=detail)
    return Check(name=ACCURACY, status="ok", detail=f"{' and '.join(said)}, as recorded")


def _of_calibration(
    bundle: Bundle, dataset: Dataset, against: ParentCheck, threads: int
) -> tuple[Check, ...]:
    """Check on which pictures edgenet calibrated a bundle, and what they give."""
    from edgenet.compress.calibration import draw_calibration_set
    from edgenet.workflows import verify_scales
    from edgenet.workflows.calibration_check import check_calibration

    quantization = quantization_of(bundle.manifest)
    if quantization is None:
        return ()
    held_out = tuple(split for split in (dataset.validation, dataset.test) if len(split))
    calibration = check_calibration(quantization, dataset.train, held_out)
    if calibration.status != "ok" or against.parent is None:
        detail = "needs the pictures that it was calibrated on, and its checkpoint"
        return (calibration, Check(name=verify_scales.NAME, status="not run", detail=detail))
    recorded = quantization["calibration"]
    drawn = draw_calibration_set(
        dataset.train, held_out, count=recorded["n"], seed=recorded["seed"]
    )
    scales = verify_scales.check_scales(
        bundle, quantization, against.parent.weights, drawn.images, threads=threads
    )
    return (calibration, scales)
