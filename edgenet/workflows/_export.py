"""``export``: from a checkpoint to verified bundles, one a format."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edgenet.errors import UsageError
from edgenet.export import ENGINES, load_format
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.export_arguments import ExportArguments
from edgenet.workflows.export_home import bundle_folder, bundles_home
from edgenet.workflows.export_result import ExportedBundle, ExportResult
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import ARGUMENTS, Run

if TYPE_CHECKING:
    from edgenet.workflows.export_parent import ParentNetwork

__all__ = ["ExportArguments", "ExportResult", "ExportedBundle", "export"]


def export(arguments: ExportArguments, *, progress: ProgressCallback = ignore) -> ExportResult:
    """Write a trained network as bundles, each verified against it before it is kept.

    A bundle is kept if its weights are the checkpoint's bit for bit, and if on every picture of the
    validation and the test split the file decides as the network does, with logits within the bound
    of :func:`edgenet.verify.parity.relative_bound`.

    Raises:
        UsageError: The source is nothing trained, a bundle is there already, or an option does not
            go with a format.
        DataUnavailable: The data to verify with are not here, or not those of the training.
        NotPossible: A format cannot express the network or an option, or cannot be run here.
        CorruptFile: The checkpoint is damaged.
        EdgenetError: The bundle's folder cannot be written.
    """
    resolved = resolve(arguments.source, accept=(Kind.RUN, Kind.CHECKPOINT))
    if arguments.canonical_formats[0] in ENGINES:
        from edgenet.workflows.export_engine import export_engine

        return export_engine(arguments, resolved.checkpoint, progress)
    if arguments.resolved_precision == "int8":
        from edgenet.workflows.export_int8 import export_int8

        return export_int8(arguments, resolved.checkpoint, progress)
    if arguments.resolved_precision == "fp16":
        from edgenet.workflows.export_half import export_half

        return export_half(arguments, resolved.checkpoint, progress)
    _check_opset(arguments)
    home = bundles_home(resolved, arguments.project, arguments.name)
    folders = {
        name: home / bundle_folder(name, arguments.resolved_precision, arguments.target_name)
        for name in arguments.canonical_formats
    }
    for folder in folders.values():
        if folder.exists() and not arguments.exist_ok:
            raise UsageError(f"{folder} already exists", "replace it with --exist-ok")

    from edgenet.workflows.export_format import FormatExport
    from edgenet.workflows.export_parent import ParentNetwork

    target = arguments.resolved_target
    parent = ParentNetwork.load(
        resolved.checkpoint,
        arguments.data,
        progress,
        uint8_input=target is None or target.uint8_input,
    )
    _note_look(resolved, parent)
    results = []
    for done, (name, folder) in enumerate(folders.items()):
        progress(Step(task="export", done=done, total=len(folders), unit="format"))
        one = FormatExport(
            name=name, folder=folder, parent=parent, arguments=arguments, progress=progress
        )
        results.append(one.run())
    progress(Step(task="export", done=len(folders), total=len(folders), unit="format", final=True))
    if arguments.project is not None and home.is_dir():
        run = Run(home.parent)
        if arguments.exist_ok or not (run.path / ARGUMENTS).exists():
            run.write_arguments(arguments.to_config())
    return ExportResult(checkpoint=parent.path, bundles=tuple(results))


def _check_opset(arguments: ExportArguments) -> None:
    """Refuse an opset where no format has one.

    Raises:
        UsageError: It would have no effect.
    """
    formats = arguments.canonical_formats
    if arguments.opset is not None and all(load_format(f).DEFAULT_OPSET is None for f in formats):
        raise UsageError(f"--opset has no effect on {', '.join(formats)}", "leave it out")


def _note_look(resolved: Resolved, parent: ParentNetwork) -> None:
    """Log the look at the run's test split, before anything can fail."""
    figures = parent.accuracy["test"]
    if resolved.run is not None and figures is not None:
        note_test_look(
            resolved.run.path,
            verb="export",
            subject=os.path.relpath(parent.path, resolved.run.path),
            digest=figures.digest,
            correct=figures.correct,
            n=figures.n,
        )
