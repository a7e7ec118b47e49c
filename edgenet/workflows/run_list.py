"""The list of all runs of a project: ``edgenet runs``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError
from edgenet.workflows.runs import ARGUMENTS, MEMBERS, Run


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run, as a row of a list.

    Attributes:
        path: The run's folder.
        verb: What was run.
        state: ``running``, ``finished``, ``interrupted`` or ``failed``.
        model: Name of the model.
        members: How many networks a seed group has; None for a run of one. The other figures are
            then of all of them together.
        parameters: Trainable numbers.
        weights_bytes: Size of the best checkpoint on disk; of a run without one, of all members'.
        epochs: Epochs done.
        validation_accuracy: Best share right on the validation split.
        test_accuracy: Share right on the test split.
        bundles: Names of the exported bundles.
    """

    path: str
    verb: str
    state: str
    model: str | None = None
    members: int | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    epochs: int | None = None
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    bundles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {**asdict(self), "bundles": list(self.bundles)}


def list_runs(project: Path = Path("runs")) -> tuple[RunRow, ...]:
    """List every run below ``project``, by verb and name.

    Raises:
        UsageError: There is no such folder.
    """
    if not project.is_dir():
        raise UsageError(f"there is no folder {project}", "train first, or name it with --project")
    markers = sorted(project.glob(f"*/*/{ARGUMENTS}"))
    return tuple(_row(Run(marker.parent)) for marker in markers)


def _row(run: Run) -> RunRow:
    status = run.status()
    members = [Run(member).best for member in run.path.glob(f"{MEMBERS}/*")]
    weights = [run.best] if run.best.is_file() else members
    bundles = sorted(manifest.parent.name for manifest in run.bundles.glob("*/manifest.json"))
    return RunRow(
        path=str(run.path),
        verb=run.path.parent.name,
        state=status["state"],
        model=status.get("model"),
        members=status.get("members"),
        parameters=status.get("parameters"),
        weights_bytes=sum(file.stat().st_size for file in weights if file.is_file()) or None,
        epochs=status.get("epochs"),
        validation_accuracy=status.get("validation_accuracy"),
        test_accuracy=status.get("test_accuracy"),
        bundles=tuple(bundles),
    )
