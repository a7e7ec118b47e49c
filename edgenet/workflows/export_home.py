"""Where the bundles of a trained network lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.workflows.runs import Run

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.workflows._resolve import Resolved


def bundle_folder(format: str, precision: str, target: str | None) -> str:
    """Return the name of a bundle's folder, such as ``onnx-int8`` or ``onnx-fp16-jetson-nano``."""
    return "-".join((format, precision, *(() if target is None else (target,))))


def bundles_home(resolved: Resolved, project: Path | None, name: str | None) -> Path:
    """Return the folder that the bundles of a run or a checkpoint are to be in.

    Args:
        resolved: The run or the checkpoint.
        project: Folder of all runs, for ``<project>/export/<name>/bundles``; None is beside the
            weights: in the run, or next to a checkpoint that lies in none.
        name: Of that run; None takes the name of the run that was resolved, or of the folder that
            the checkpoint lies in.

    Raises:
        UsageError: The run has no checkpoint yet.
    """
    if project is not None:
        found = resolved.run.path.absolute() if resolved.run else None
        chosen = name or (found or resolved.checkpoint.absolute().parent).name
        return Run(project / "export" / chosen).bundles
    if resolved.run is not None:
        return resolved.run.bundles
    return resolved.checkpoint.parent / "bundles"
