"""Whether a file was calibrated on the pictures that its manifest names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from edgenet.compress.calibration import draw_calibration_set
from edgenet.errors import UsageError
from edgenet.verify.checks import Check

if TYPE_CHECKING:
    from edgenet.data import Split

NAME = "calibration"


def check_calibration(
    quantization: Mapping[str, Any], train: Split, held_out: Iterable[Split]
) -> Check:
    """Draw the calibration pictures again, and compare their digest with the recorded one.

    Pictures of another origin, such as noise, a held-out split or a changed folder, have another.

    Args:
        quantization: What the manifest has under ``quantization``.
        train: The training split of the data that the bundle was exported with.
        held_out: Validation and test.
    """
    recorded = quantization.get("calibration")
    if recorded is None and quantization.get("method") == "qat":
        detail = "the ranges were learnt in training"
        return Check(name=NAME, status="not run", detail=detail)
    if not isinstance(recorded, Mapping) or not recorded:
        detail = "the manifest does not say on which pictures the file was calibrated"
        return Check(name=NAME, status="failed", detail=detail)
    count, seed, digest = (recorded.get(name) for name in ("n", "seed", "digest"))
    if not isinstance(count, int) or not isinstance(seed, int) or not isinstance(digest, str):
        detail = "the manifest gives no number, seed or digest of the calibration pictures"
        return Check(name=NAME, status="failed", detail=detail)
    try:
        drawn = draw_calibration_set(train, held_out, count=count, seed=seed)
    except UsageError as error:
        return Check(name=NAME, status="failed", detail=f"it cannot be repeated: {error.message}")
    if drawn.split.digest != digest:
        detail = (
            f"the file was calibrated on {count:,} pictures of digest {digest[:12]}; those that "
            f"seed {seed} draws from the training split have {drawn.split.digest[:12]}"
        )
        return Check(name=NAME, status="failed", detail=detail)
    detail = f"the {count:,} pictures are those that seed {seed} draws from the training split"
    return Check(name=NAME, status="ok", detail=detail)
