"""The FP32 bundle that a quantization starts from, and the pictures that decide about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.files import sha256_of
from edgenet.progress import ProgressCallback
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.targets import Target, load_target
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.export_arguments import AUTO, ExportArguments
from edgenet.workflows.export_home import bundle_folder, bundles_home
from edgenet.workflows.quantize_data import data_of, load_for
from edgenet.workflows.runs import Run

if TYPE_CHECKING:
    from edgenet.data import Dataset, Split
    from edgenet.weights import NetworkWeights

INT8_FOLDER = bundle_folder("onnx", "int8", None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fp32Parent:
    """An FP32 ONNX bundle with its data, ready to be quantized and compared with.

    Attributes:
        bundle: Opened.
        path: Its folder, as it was named or found; children lie beside it.
        root: The folder that ``rejected`` and ``reports`` belong into: the run where there is one.
        run: The run that it lies in, or None.
        origin: The run that the weights come from, which logs every look at its test split: ``run``
            itself but where the bundles of a run are put into a project.
        checkpoint: What it was exported from, where that is at hand.
        made: It was exported on the way, not found.
        dataset: Training pictures to calibrate with, validation to decide on, test to report.
        data: Name of the data set, or its folder.
        split_seed: What decided the splits.
        threads: CPU threads of the runtime.
    """

    bundle: Bundle
    path: Path
    root: Path
    run: Run | None
    origin: Run | None
    checkpoint: Path | None
    made: bool
    dataset: Dataset
    data: str
    split_seed: int
    threads: int

    def child_folder(self, name: str) -> str:
        """Return the name of a child's folder: with the target, where the bundle is for one."""
        return _for_target(name, self.bundle.manifest.target)

    @property
    def target(self) -> Target | None:
        """The row of what the bundle was made for; None is any machine.

        Raises:
            UsageError: There is no such row.
        """
        name = self.bundle.manifest.target
        return None if name is None else load_target(name)

    @property
    def splits(self) -> Mapping[str, Split]:
        """``validation``, and ``test`` where it has pictures."""
        found = {"validation": self.dataset.validation, "test": self.dataset.test}
        return {name: split for name, split in found.items() if len(split)}

    @cached_property
    def content(self) -> bytes:
        """The ONNX file."""
        return self.bundle.model_path.read_bytes()

    @cached_property
    def weights(self) -> NetworkWeights:
        """The FP32 weights: the checkpoint's where it is at hand, else those of the file."""
        if self.checkpoint is None:
            from edgenet.export import onnx as onnx_format

            return onnx_format.stored_weights(self.bundle.model_path)
        from edgenet.export.graph import DeployedNetwork, deployed_weights
        from edgenet.training import checkpoint as checkpoints

        found = checkpoints.load(self.checkpoint)
        return deployed_weights(DeployedNetwork(found.build(), found.preprocessing))


def open_parent(
    source: str | Path,
    *,
    data: str | None,
    threads: int,
    exist_ok: bool,
    child: str = INT8_FOLDER,
    project: Path | None = None,
    name: str | None = None,
    like: ExportArguments | None = None,
    progress: ProgressCallback,
) -> Fp32Parent:
    """Find the FP32 ONNX bundle of a source, or export it, and load the data.

    Args:
        source: A run (its best weights), a checkpoint, or an FP32 ONNX bundle.
        data: Name of a data set or a folder; None takes the one that the bundle records, and
            refuses it if its pictures have changed since.
        threads: CPU threads of the runtime.
        exist_ok: Replace an FP32 bundle that was made of other weights, and the child.
        child: Name of the folder that a child is to have, but for its target.
        project: Where the bundles of a run or a checkpoint lie if not beside the weights, see
            :func:`edgenet.workflows.export_home.bundles_home`.
        name: What an FP32 bundle that is made is called in reports; None takes the model's name.
        like: Target, batch and opset that the FP32 bundle has to have; None takes one as it is
            found for any machine.
        progress: Told of the export and of pictures that are converted.

    Raises:
        UsageError: The source is none of these, its precision is another, the data do not fit,
            there is a child already that is not to be replaced, or a bundle is to go into a
            project.
        DataUnavailable: The data are not here, or not those that the bundle was exported with.
        NotPossible: The bundle is of another format, or the network cannot be exported.
        CorruptFile: A file is damaged.
        EdgenetError: The FP32 export failed its verification, or cannot be written.
    """
    resolved = resolve(source, accept=(Kind.RUN, Kind.CHECKPOINT, Kind.BUNDLE))
    if resolved.kind is Kind.BUNDLE:
        if project is not None:
            raise UsageError(
                f"--project has no effect on a bundle: what comes of {source} lies beside it",
                "leave it out, or name the run or the checkpoint",
            )
        path = resolved.path
        bundle, made = open_bundle(path), False
        _check_kind(bundle, path, resolved)
        place_beside(path, _for_target(child, bundle.manifest.target), exist_ok=exist_ok)
        checkpoint = _checkpoint_of(bundle, resolved.run)
    else:
        checkpoint = resolved.checkpoint
        target = like.target_name if like else None
        path = bundles_home(resolved, project, name) / bundle_folder("onnx", "fp32", target)
        place_beside(path, _for_target(child, target), exist_ok=exist_ok)
        found = usable(path, checkpoint, like, exist_ok=exist_ok)
        if found is None:
            _export(
                ExportArguments(
                    source=source,
                    batch=like.batch if like else None,
                    opset=like.opset if like else None,
                    exporter=like.exporter if like else AUTO,
                    target=target,
                    data=data,
                    project=project,
                    name=name,
                    exist_ok=True,
                ),
                progress,
            )
        bundle, made = found or open_bundle(path), found is None
    run = Run(path.parent.parent) if project is not None else resolved.run
    data_name, seed = data_of(bundle, resolved.run, data, source)
    return Fp32Parent(
        bundle=bundle,
        path=path,
        root=_root(path, run, checkpoint),
        run=run,
        origin=resolved.run or run,
        checkpoint=checkpoint,
        made=made,
        dataset=load_for(bundle, data_name, seed, recorded=data is None, progress=progress),
        data=data_name,
        split_seed=seed,
        threads=threads,
    )


def place_beside(parent: Path, child: str, *, exist_ok: bool) -> Path:
    """Return where a child that passes is to lie: beside the bundle of its parent.

    Raises:
        UsageError: A bundle is there already and is not to be replaced.
    """
    place = parent.parent / child
    if place.exists() and not exist_ok:
        raise UsageError(f"{place} already exists", "replace it with --exist-ok")
    return place


def _for_target(folder: str, target: str | None) -> str:
    return folder if target is None else f"{folder}-{target}"


def _root(path: Path, run: Run | None, checkpoint: Path | None) -> Path:
    if run is not None:
        return run.path
    if checkpoint is not None:
        return checkpoint.parent
    beside = path.absolute().parent
    return beside.parent if beside.name == "bundles" else beside


def _check_kind(bundle: Bundle, path: Path, resolved: Resolved) -> None:
    """Refuse a bundle that cannot be quantized, and name what can.

    Raises:
        UsageError: Its precision is not FP32.
        NotPossible: It is no ONNX bundle.
    """
    folder = bundle_folder("onnx", "fp32", bundle.manifest.target)
    fp32 = path.absolute().parent / folder
    if fp32.is_dir():
        hint = f"name the FP32 ONNX bundle beside it: {fp32}"
    elif resolved.run is not None:
        hint = f"name its run: edgenet quantize {resolved.run.path}"
    else:
        hint = "export the network as FP32 ONNX first: edgenet export CHECKPOINT"
    manifest = bundle.manifest
    if manifest.format != "onnx":
        raise NotPossible(f"{path} is a {manifest.format} bundle; only ONNX is quantized", hint)
    if manifest.precision != "fp32":
        raise UsageError(f"{path} is in {manifest.precision} already, not in FP32", hint)


def _checkpoint_of(bundle: Bundle, run: Run | None) -> Path | None:
    """Return the run's best checkpoint if it is what the bundle was exported from."""
    parent = bundle.manifest.parent
    if parent is None or run is None or not run.best.is_file():
        return None
    return run.best if sha256_of(run.best) == parent.checkpoint_sha256 else None


def usable(
    path: Path, checkpoint: Path, like: ExportArguments | None, *, exist_ok: bool
) -> Bundle | None:
    """Open the FP32 bundle that is there, if it was made of this checkpoint in the way wanted.

    Raises:
        UsageError: It was not, and is not to be replaced.
    """
    if not path.is_dir():
        return None
    bundle = open_bundle(path)
    parent, options = bundle.manifest.parent, bundle.manifest.options
    reason = None
    if parent is None or parent.checkpoint_sha256 != sha256_of(checkpoint):
        reason = f"was made of other weights than {checkpoint}"
    elif like is not None and like.batch != bundle.manifest.fixed_batch:
        reason = f"takes a batch of {bundle.manifest.fixed_batch or 'any size'}"
    elif like is not None and like.opset not in (None, options.get("opset")):
        reason = f"is in opset {options.get('opset')}"
    elif like is not None and like.exporter not in (AUTO, options.get("exporter")):
        reason = f"was written by {options.get('exporter', 'another exporter')}"
    if reason is None:
        return bundle
    if exist_ok:
        return None
    raise UsageError(
        f"{path} {reason}",
        "replace it with --exist-ok; edgenet quantize takes the bundle itself, as it is",
    )


def _export(arguments: ExportArguments, progress: ProgressCallback) -> None:
    """Write the FP32 bundle; what was there of other weights is replaced.

    Raises:
        EdgenetError: It failed its verification.
    """
    from edgenet.workflows._export import export

    (exported,) = export(arguments, progress=progress).bundles
    if exported.path is None:
        failed = exported.verification.failures if exported.verification else ()
        reasons = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        raise EdgenetError(
            f"the FP32 export to quantize failed its verification: {reasons}",
            f"look at it alone: edgenet export {arguments.source}",
        )
