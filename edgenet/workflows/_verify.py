"""``verify``: whether a bundle, here and now, is what was exported. ONNX needs no torch for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.job import MAX_THREADS
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Check, Verification
from edgenet.verify.quantized import quantization_of
from edgenet.verify.tensorrt_rtx import check_tensorrt_rtx
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.bench_data import recorded_split_seed

if TYPE_CHECKING:
    from edgenet.data import Dataset, Split
    from edgenet.runner.bundle import Bundle
    from edgenet.workflows._resolve import Resolved


@dataclass(frozen=True, kw_only=True)
class VerifyArguments:
    """What to verify, and on what.

    Attributes:
        bundle: A bundle's folder.
        data: The data set that the bundle was exported with; it makes the full agreement with the
            parent network part of the verification. None leaves that out.
        threads: CPU threads.

    Raises:
        UsageError: A value cannot be.
    """

    bundle: str | Path
    data: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MAX_THREADS:
            raise UsageError(f"threads must be 1 to {MAX_THREADS}, not {self.threads}")


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """What came of it.

    Attributes:
        bundle: The bundle's folder.
        verification: One row for each check, those that did not run included.
    """

    bundle: Path
    verification: Verification

    @property
    def passed(self) -> bool:
        """No check failed."""
        return self.verification.passed

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"bundle": str(self.bundle), **self.verification.to_json()}


def verify(arguments: VerifyArguments, *, progress: ProgressCallback = ignore) -> VerifyResult:
    """Check a bundle: hashes, metadata, golden vectors, and with data every decision.

    With data, the pictures that a quantized bundle was calibrated on are drawn again, too. Where
    TensorRT for RTX is installed, its parser and builder are asked about an ONNX file.

    A check that fails is in the result; a file that is damaged is an error.

    Raises:
        UsageError: There is no bundle, or it was not exported with ``data``.
        DataUnavailable: The data are not here.
        CorruptFile: A file of the bundle is damaged or was changed.
    """
    resolved = resolve(arguments.bundle, accept=(Kind.BUNDLE,))
    splits: tuple[Split, ...] = ()
    more: tuple[Check, ...] = ()
    bundle = open_bundle(resolved.path)
    if arguments.data is not None:
        dataset = _dataset(bundle, resolved, arguments.data, progress)
        splits = _splits(bundle, resolved, dataset, arguments.data)
        more = _calibration(bundle, dataset)
    verification = verify_bundle(
        resolved.path, splits, threads=arguments.threads, progress=progress
    )
    if bundle.manifest.format == "onnx":
        more += (check_tensorrt_rtx(bundle),)
    complete = replace(verification, checks=(*verification.checks, *more))
    return VerifyResult(bundle=resolved.path, verification=complete)


def _dataset(bundle: Bundle, resolved: Resolved, data: str, progress: ProgressCallback) -> Dataset:
    """Load the data as the bundle's own were split."""
    from edgenet.data import load

    rule = bundle.manifest.preprocessing
    seed = recorded_split_seed(bundle.manifest, resolved.run)
    return load(
        data,
        split_seed=seed or 0,
        image_size=(rule.height, rule.width),
        mode=rule.mode,
        progress=progress,
    )


def _splits(bundle: Bundle, resolved: Resolved, dataset: Dataset, data: str) -> tuple[Split, ...]:
    """Return those of the validation and test data that the bundle was exported with.

    Raises:
        UsageError: It was exported with neither.
    """
    known = set(bundle.golden())
    candidates = (dataset.validation, dataset.test)
    splits = tuple(split for split in candidates if f"predictions_{split.digest}" in known)
    if not splits:
        raise UsageError(
            f"{resolved.source} holds no decisions of its parent on {data}",
            "name the data that it was exported with, or leave --data out",
        )
    return splits


def _calibration(bundle: Bundle, dataset: Dataset) -> tuple[Check, ...]:
    """Check on which pictures edgenet calibrated a bundle; nothing for any other bundle."""
    from edgenet.workflows.calibration_check import check_calibration

    quantization = quantization_of(bundle.manifest)
    if quantization is None:
        return ()
    held_out = tuple(split for split in (dataset.validation, dataset.test) if len(split))
    return (check_calibration(quantization, dataset.train, held_out),)
