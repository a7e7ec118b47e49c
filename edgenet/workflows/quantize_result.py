"""What comes of a quantization."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgenet.compress.sensitivity import LayerSensitivity
    from edgenet.workflows.pays_result import Pays
    from edgenet.workflows.quantize_search import Trial
    from edgenet.workflows.quantized_bundle import GatedBundle


@dataclass(frozen=True, kw_only=True)
class QuantizeResult:
    """A quantized network, what was tried to get it, and whether it may take its parent's place.

    Attributes:
        source: As it was asked for.
        parent: Folder of the FP32 bundle.
        parent_made: It was exported on the way, not found.
        data: Name of the data set, or its folder.
        calibration: Pictures to calibrate with: ``n``, ``seed``, ``digest`` and ``left_out``.
        bundle: The child, where it lies, its gate and its checks.
        trials: Every candidate, in the order in which they were tried.
        chosen: Position among them of the one that became the bundle.
        sensitivity: What each layer costs by itself; None if it was not looked at.
        pays: Whether INT8 pays on this machine; None if it was not measured.
        report: File that holds this result; None where the network lies in no run.
        seconds: Wall time of all of it.
    """

    source: str
    parent: Path
    parent_made: bool
    data: str
    calibration: dict[str, Any]
    bundle: GatedBundle
    trials: tuple[Trial, ...]
    chosen: int
    sensitivity: tuple[LayerSensitivity, ...] | None
    pays: Pays | None
    report: Path | None
    seconds: float

    @property
    def passed(self) -> bool:
        """The child was shown to keep within what may be lost, and every check of it is well."""
        return self.bundle.passed

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, and ``passed``."""
        return {
            **vars(self),
            "passed": self.passed,
            "parent": str(self.parent),
            "bundle": self.bundle.to_json(),
            "trials": [trial.to_json() for trial in self.trials],
            "sensitivity": None
            if self.sensitivity is None
            else [row.to_json() for row in self.sensitivity],
            "pays": None if self.pays is None else self.pays.to_json(),
            "report": None if self.report is None else str(self.report),
        }
