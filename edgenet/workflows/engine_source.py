"""The ONNX bundle that an engine is built from: found, or exported first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import UsageError
from edgenet.progress import ProgressCallback
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.export_arguments import ExportArguments
from edgenet.workflows.export_home import bundle_folder, bundles_home
from edgenet.workflows.quantize_parent import usable

if TYPE_CHECKING:
    from edgenet.workflows.export_result import ExportedBundle

_OF_THE_EXPORT = ("calib_samples", "data", "max_drop")
"""Options that only the export of the ONNX bundle knows."""


@dataclass(frozen=True, kw_only=True)
class EngineSource:
    """What an engine is built from.

    Attributes:
        bundle: The ONNX bundle in the precision that is asked for.
        exported: What came of its export; None where it was found.
    """

    bundle: Bundle
    exported: ExportedBundle | None


def engine_folder(arguments: ExportArguments) -> Path:
    """Return where the bundle of an engine is to lie.

    Raises:
        UsageError: The source is nothing trained.
    """
    (name,) = arguments.canonical_formats
    return _home(arguments) / bundle_folder(
        name, arguments.resolved_precision, arguments.target_name
    )


def find_source(
    arguments: ExportArguments, checkpoint: Path, progress: ProgressCallback
) -> EngineSource | ExportedBundle:
    """Find the ONNX bundle of a network in a precision, or export it.

    Args:
        arguments: Of the engine's export.
        checkpoint: The weights.
        progress: Told of the export.

    Returns:
        The source; or what came of an export that was not kept.

    Raises:
        UsageError: A bundle of other weights, batch or opset is there.
        EdgenetError: See :func:`edgenet.workflows.export`.
    """
    folder = bundle_folder("onnx", arguments.resolved_precision, arguments.target_name)
    path = _home(arguments) / folder
    found = usable(path, checkpoint, arguments, exist_ok=arguments.exist_ok)
    given = [name for name in _OF_THE_EXPORT if getattr(arguments, name) is not None]
    if found is not None and not given:
        return EngineSource(bundle=found, exported=None)
    if found is not None and not arguments.exist_ok:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(
            f"{path} is there already, and {options} would have no effect on it",
            "replace it with --exist-ok, or leave that out",
        )
    from edgenet.workflows._export import export

    wanted = replace(arguments, formats=("onnx",), plan_only=False, measure=False)
    (exported,) = export(wanted, progress=progress).bundles
    if exported.path is None:
        return exported
    return EngineSource(bundle=open_bundle(exported.path), exported=exported)


def _home(arguments: ExportArguments) -> Path:
    resolved = resolve(arguments.source, accept=(Kind.RUN, Kind.CHECKPOINT))
    return bundles_home(resolved, arguments.project, arguments.name)
