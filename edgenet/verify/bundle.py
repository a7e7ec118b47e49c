"""Verifying a bundle where it is, without its checkpoint and without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from edgenet.progress import ProgressCallback, ignore
from edgenet.runner.bundle import open_bundle
from edgenet.verify.checks import (
    Check,
    Verification,
    check_decisions,
    check_golden,
    check_hashes,
    check_metadata,
)
from edgenet.verify.inference import open_inference

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.data.split import Split


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
        Rows ``hashes``, ``metadata`` and ``golden``, and ``agreement (...)`` for each split.

    Raises:
        UsageError: There is no bundle at ``path``.
        CorruptFile: A file of the bundle is damaged or was changed.
    """
    bundle = open_bundle(path)
    checks = [check_hashes(bundle), check_metadata(bundle)]
    inference = open_inference(bundle, threads=threads)
    if isinstance(inference, str):
        names = ["golden", *(f"agreement ({split.name})" for split in splits)]
        checks += [Check(name=name, status="not run", detail=inference) for name in names]
        return Verification(checks=tuple(checks))
    with closing(inference):
        checks.append(check_golden(bundle, inference))
        checks += [check_decisions(bundle, inference, split, progress) for split in splits]
    if not splits:
        detail = "needs the validation or test data: name it with --data"
        checks.append(Check(name="agreement", status="not run", detail=detail))
    return Verification(checks=tuple(checks))
