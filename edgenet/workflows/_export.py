"""``export``: from a checkpoint to verified bundles, one a format."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import edgenet
from edgenet.errors import UsageError
from edgenet.export import load_format
from edgenet.export.bundle import BundleWriter, new_bundle
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference, open_inference
from edgenet.runner.manifest import Manifest, TensorInfo
from edgenet.runner.timing import now_ns
from edgenet.verify.checks import (
    Verification,
    check_golden,
    check_hashes,
    check_metadata,
    check_parity,
    check_weights,
)
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.export_arguments import ExportArguments
from edgenet.workflows.export_home import bundles_home
from edgenet.workflows.export_result import ExportedBundle, ExportResult
from edgenet.workflows.looks import note_test_look
from edgenet.workflows.runs import ARGUMENTS, Run

if TYPE_CHECKING:
    from edgenet.export.format import Format
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
    if arguments.resolved_precision == "int8":
        from edgenet.workflows.export_int8 import export_int8

        return export_int8(arguments, resolved.checkpoint, progress)
    if arguments.resolved_precision == "fp16":
        from edgenet.workflows.export_half import export_half

        return export_half(arguments, resolved.checkpoint, progress)
    _check_opset(arguments)
    home = bundles_home(resolved, arguments.project, arguments.name)
    folders = {
        name: home / f"{name}-{arguments.resolved_precision}"
        for name in arguments.canonical_formats
    }
    for folder in folders.values():
        if folder.exists() and not arguments.exist_ok:
            raise UsageError(f"{folder} already exists", "replace it with --exist-ok")

    from edgenet.workflows.export_parent import ParentNetwork

    parent = ParentNetwork.load(resolved.checkpoint, arguments.data, progress)
    _note_look(resolved, parent)
    results = []
    for done, (name, folder) in enumerate(folders.items()):
        progress(Step(task="export", done=done, total=len(folders), unit="format"))
        results.append(_export_format(name, folder, parent, arguments, progress))
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


def _export_format(
    name: str,
    folder: Path,
    parent: ParentNetwork,
    arguments: ExportArguments,
    progress: ProgressCallback,
) -> ExportedBundle:
    """Write, complete and verify the bundle of one format."""
    started = now_ns()
    format = load_format(name)
    draft = _draft(name, format, parent, arguments)
    verification = None
    with new_bundle(folder, draft, overwrite=arguments.exist_ok) as writer:
        _write(writer, format, parent, arguments)
        bundle = open_bundle(writer.folder)
        if arguments.verify:
            verification = _verify(bundle, format, parent, progress)
            if not verification.passed:
                writer.discard()
    return ExportedBundle(
        format=name,
        precision=draft.precision,
        path=None if writer.discarded else folder,
        model_bytes=bundle.model_bytes,
        options=dict(bundle.manifest.options),
        seconds=(now_ns() - started) / 1e9,
        verification=verification,
    )


def _draft(
    name: str, format: Format, parent: ParentNetwork, arguments: ExportArguments
) -> Manifest:
    """Return the manifest as far as it is known before the file is written."""
    checkpoint = parent.checkpoint
    batch = "N" if arguments.batch is None else arguments.batch
    return Manifest(
        name=arguments.name or checkpoint.spec.name,
        format=name,
        precision=arguments.resolved_precision,
        target=arguments.target,
        model=format.FILE_NAME,
        input=TensorInfo("input", "uint8", (batch, *checkpoint.preprocessing.shape)),
        output=TensorInfo("logits", "float32", (batch, len(checkpoint.labels))),
        labels=checkpoint.labels,
        preprocessing=checkpoint.preprocessing,
        probability=checkpoint.probability,
        longest_reduction=parent.longest_reduction,
        parent=parent.identity(),
        accuracy=parent.accuracy,
        options={
            "batch": arguments.batch,
            "data": arguments.data or checkpoint.data.get("name"),
            "split_seed": parent.split_seed,
        },
        tools={"edgenet": edgenet.__version__},
        files={},
    )


def _write(
    writer: BundleWriter, format: Format, parent: ParentNetwork, arguments: ExportArguments
) -> None:
    """Write the model file, and the golden vectors with what that file answers."""
    opset = arguments.opset or format.DEFAULT_OPSET
    written = format.write(
        parent.deployed,
        writer.model_path,
        batch=arguments.batch,
        opset=opset if format.DEFAULT_OPSET is not None else None,
        metadata=writer.metadata,
    )
    golden = parent.golden()
    with closing(_inference(writer.unverified())) as inference:
        golden["logits"] = inference.logits(golden["inputs"])
    writer.complete(golden, written)


def _verify(
    bundle: Bundle, format: Format, parent: ParentNetwork, progress: ProgressCallback
) -> Verification:
    """Run every check there is, on the files as they lie on the disk."""
    from edgenet.export.graph import deployed_weights

    expected = deployed_weights(parent.deployed)
    checks = [
        check_hashes(bundle),
        check_metadata(bundle),
        check_weights(expected, format.stored_weights(bundle.model_path)),
    ]
    with closing(_inference(bundle)) as inference:
        checks.append(check_golden(bundle, inference))
        for name, split in parent.splits.items():
            step = Step(
                task=f"verify {bundle.manifest.format} on {name}",
                done=0,
                total=len(split),
                unit="picture",
            )
            candidate = inference.logits(split.images, on_batch=_reporter(step, progress))
            checks.append(
                check_parity(
                    f"agreement ({name})",
                    parent.logits[name],
                    candidate,
                    longest_reduction=bundle.manifest.longest_reduction,
                )
            )
    return Verification(checks=tuple(checks))


def _reporter(step: Step, progress: ProgressCallback) -> Callable[[int], None]:
    return lambda done: progress(replace(step, done=done))


def _inference(bundle: Bundle) -> Inference:
    """Load the bundle, with as many threads as PyTorch has, since some runtimes share its pool.

    Raises:
        NotPossible: Nothing here runs the format.
    """
    import torch

    return open_inference(bundle, threads=torch.get_num_threads())


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
