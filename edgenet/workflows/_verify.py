"""``verify``: whether a bundle, here and now, is what was exported. ONNX needs no torch for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.runner.job import MAX_THREADS
from edgenet.verify.bundle import verify_bundle
from edgenet.verify.checks import Verification
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.bench_data import recorded_split_seed

if TYPE_CHECKING:
    from edgenet.data import Split
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

    A check that fails is in the result; a file that is damaged is an error.

    Raises:
        UsageError: There is no bundle, or it was not exported with ``data``.
        DataUnavailable: The data are not here.
        CorruptFile: A file of the bundle is damaged or was changed.
    """
    resolved = resolve(arguments.bundle, accept=(Kind.BUNDLE,))
    splits: tuple[Split, ...] = ()
    if arguments.data is not None:
        splits = _splits(open_bundle(resolved.path), resolved, arguments.data, progress)
    verification = verify_bundle(
        resolved.path, splits, threads=arguments.threads, progress=progress
    )
    return VerifyResult(bundle=resolved.path, verification=verification)


def _splits(
    bundle: Bundle, resolved: Resolved, data: str, progress: ProgressCallback
) -> tuple[Split, ...]:
    """Return those of the validation and test data that the bundle was exported with.

    Raises:
        UsageError: It was exported with neither.
    """
    from edgenet.data import load

    rule = bundle.manifest.preprocessing
    seed = recorded_split_seed(bundle.manifest, resolved.run)
    dataset = load(
        data,
        split_seed=seed or 0,
        image_size=(rule.height, rule.width),
        mode=rule.mode,
        progress=progress,
    )
    known = set(bundle.golden())
    candidates = (dataset.validation, dataset.test)
    splits = tuple(split for split in candidates if f"predictions_{split.digest}" in known)
    if not splits:
        raise UsageError(
            f"{resolved.source} holds no decisions of its parent on {data}",
            "name the data that it was exported with, or leave --data out",
        )
    return splits
