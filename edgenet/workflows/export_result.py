"""What comes of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenet.runner.tensorrt.bundle import is_plan_only

if TYPE_CHECKING:
    from edgenet.verify.checks import Verification
    from edgenet.workflows.export_half import HalfResult
    from edgenet.workflows.quantize_result import QuantizeResult


@dataclass(frozen=True, kw_only=True)
class ExportedBundle:
    """What came of one format.

    Attributes:
        format: Name in the table of formats.
        precision: Of the arithmetic.
        path: The bundle's folder; None if it failed its verification, which leaves nothing.
        model_bytes: Length of the model file.
        options: As they are in the file, such as ``opset``.
        seconds: Wall time of writing and verifying.
        verification: What the checks found; None if they were not wanted.
        quantization: How an INT8 file came about and what its gate said; None for others. One that
            fails lies below ``rejected``.
        half: The same for an FP16 file.
    """

    format: str
    precision: str
    path: Path | None
    model_bytes: int
    options: dict[str, Any]
    seconds: float
    verification: Verification | None
    quantization: QuantizeResult | None = None
    half: HalfResult | None = None

    @property
    def plan_only(self) -> bool:
        """It is no engine yet, but what builds one on its board."""
        return is_plan_only(self.options)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            **vars(self),
            "path": str(self.path) if self.path else None,
            "verification": self.verification.to_json() if self.verification else None,
            "quantization": self.quantization.to_json() if self.quantization else None,
            "half": self.half.to_json() if self.half else None,
        }


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What came of an export.

    Attributes:
        checkpoint: The weights that were exported.
        bundles: One for each format, in the order they were asked for.
    """

    checkpoint: Path
    bundles: tuple[ExportedBundle, ...]

    @property
    def passed(self) -> bool:
        """Every format became a bundle."""
        return all(bundle.path is not None for bundle in self.bundles)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``."""
        return {
            "checkpoint": str(self.checkpoint),
            "passed": self.passed,
            "bundles": [bundle.to_json() for bundle in self.bundles],
        }
