"""``verify``: whether a bundle, here and now, is what was exported. ONNX needs no torch for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.job import MAX_THREADS
from edgenet.runner.tensorrt.bundle import source_of
from edgenet.targets import Target, load_target
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Verification
from edgenet.verify.lint_bundle import lint_bundle, lint_recorded
from edgenet.verify.tensorrt_rtx import check_tensorrt_rtx
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.bench_data import recorded_split_seed
from edgenet.workflows.verify_origin import check_origin

if TYPE_CHECKING:
    from edgenet.data import Dataset, Split
    from edgenet.runner.bundle import Bundle
    from edgenet.verify.lint import LintReport
    from edgenet.workflows._resolve import Resolved


@dataclass(frozen=True, kw_only=True)
class VerifyArguments:
    """What to verify, and on what.

    Attributes:
        bundle: A bundle's folder.
        data: The data set that the bundle was exported with; it makes the full agreement with the
            parent network part of the verification. None leaves that out.
        threads: CPU threads.
        checkpoint: What the bundle was exported from, to compare the file with; None takes it from
            the run that the bundle lies in.
        target: A name of :data:`edgenet.targets.TABLE`, whose rules the file is linted with; None
            takes the one that the bundle was exported for, if any.

    Raises:
        UsageError: A value cannot be, or no target has that name.
    """

    bundle: str | Path
    data: str | None = None
    threads: int = 1
    checkpoint: str | Path | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MAX_THREADS:
            raise UsageError(f"threads must be 1 to {MAX_THREADS}, not {self.threads}")
        if self.target is not None:
            load_target(self.target)

    @property
    def resolved_target(self) -> Target | None:
        """The row of the target that was named."""
        return None if self.target is None else load_target(self.target)


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """What came of it.

    Attributes:
        bundle: The bundle's folder.
        verification: One row for each check, those that did not run included.
        lint: The rules of a target, one by one; its rows are in ``verification``, too. None where
            no target was named, and none was at export.
    """

    bundle: Path
    verification: Verification
    lint: LintReport | None = None

    @property
    def passed(self) -> bool:
        """No check failed."""
        return self.verification.passed

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        lint = None if self.lint is None else self.lint.to_json()
        return {"bundle": str(self.bundle), **self.verification.to_json(), "lint": lint}


def verify(arguments: VerifyArguments, *, progress: ProgressCallback = ignore) -> VerifyResult:
    """Check a bundle: hashes, metadata, golden vectors, and with data every decision.

    With data, the pictures that a quantized bundle was calibrated on are drawn again, too. Where
    the checkpoint is at hand, the file is compared with it number by number, and in float64. Where
    TensorRT for RTX is installed, its parser and builder are asked about an ONNX file. The rules of
    a target are looked at one by one, without anything of the target being here.

    A check that fails is in the result; a file that is damaged is an error.

    Raises:
        UsageError: There is no bundle, or it was not exported with ``data``.
        DataUnavailable: The data are not here.
        CorruptFile: A file of the bundle is damaged or was changed.
    """
    resolved = resolve(arguments.bundle, accept=(Kind.BUNDLE,))
    splits: tuple[Split, ...] = ()
    dataset: Dataset | None = None
    bundle = open_bundle(resolved.path)
    if arguments.data is not None:
        dataset = _dataset(bundle, resolved, arguments.data, progress)
        splits = _splits(bundle, resolved, dataset, arguments.data)
    verification = verify_bundle(
        resolved.path, splits, threads=arguments.threads, progress=progress
    )
    more = check_origin(
        source_of(bundle), resolved.run, arguments.checkpoint, dataset, threads=arguments.threads
    )
    if bundle.manifest.format == "onnx":
        more += (check_tensorrt_rtx(bundle),)
    target = arguments.resolved_target
    report = lint_recorded(bundle) if target is None else lint_bundle(bundle, target)
    more += report.checks() if report is not None else ()
    complete = replace(verification, checks=(*verification.checks, *more))
    return VerifyResult(bundle=resolved.path, verification=complete, lint=report)


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
