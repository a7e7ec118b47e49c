"""Writing one format of a trained network: the bundle, its verification, and the next exporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import edgenet
from edgenet.errors import NotPossible
from edgenet.export import load_format
from edgenet.export.bundle import BundleWriter, new_bundle
from edgenet.export.graph import deployed_weights
from edgenet.progress import ProgressCallback, Step
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference, open_inference
from edgenet.runner.manifest import Manifest, TensorInfo
from edgenet.runner.timing import now_ns
from edgenet.verify.checks import (
    Check,
    Verification,
    check_golden,
    check_hashes,
    check_metadata,
    check_parity,
    check_weights,
)
from edgenet.verify.lint_bundle import lint_summary
from edgenet.workflows.export_arguments import AUTO, ExportArguments
from edgenet.workflows.export_result import ExportedBundle

if TYPE_CHECKING:
    from edgenet.export.format import Format
    from edgenet.workflows.export_parent import ParentNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatExport:
    """A network that is to be written in one format.

    Attributes:
        name: Of the format.
        folder: Of the bundle.
        parent: The network.
        arguments: Of the export.
        progress: Told of every batch of pictures.
    """

    name: str
    folder: Path
    parent: ParentNetwork
    arguments: ExportArguments
    progress: ProgressCallback

    def run(self) -> ExportedBundle:
        """Write, complete and verify the bundle, by the first exporter that can.

        An exporter that cannot write the network, or whose file fails, is followed by the next.
        Which one it was and why is in the manifest and a row of the verification, never silent.

        Raises:
            UsageError: A bundle is there already.
            NotPossible: No exporter can write it, or nothing here runs it.
        """
        asked = self.arguments.exporter
        *others, last = self._format.exporters(self._opset) if asked == AUTO else (asked,)
        refused: dict[str, str] = {}
        for exporter in others:
            try:
                exported = self._run(exporter, refused)
            except NotPossible as error:
                refused[exporter] = error.message
                continue
            found = exported.verification
            if found is None or found.passed:
                return exported
            refused[exporter] = "; ".join(f"{row.name}: {row.detail}" for row in found.failures)
        try:
            return self._run(last, refused)
        except NotPossible as error:
            if set(refused.values()) <= {error.message}:
                raise
            reasons = "; ".join(f"{other} failed before: {why}" for other, why in refused.items())
            raise NotPossible(
                f"{error.message}; {reasons}",
                "another --opset or --format, or a fixed --batch, may take it",
            ) from error

    @property
    def _format(self) -> Format:
        return load_format(self.name)

    @property
    def _opset(self) -> int | None:
        """The opset to write: the format's default, or the target's highest if that is lower."""
        default, target = self._format.DEFAULT_OPSET, self.arguments.resolved_target
        if default is None:
            return None
        return self.arguments.opset or (default if target is None else min(default, target.opset))

    def _run(self, exporter: str, refused: Mapping[str, str]) -> ExportedBundle:
        """Write, complete and verify the bundle by one exporter; it is kept if it passes.

        Args:
            exporter: One of the format's own.
            refused: Why the exporters that were tried before are not used, by name.
        """
        started = now_ns()
        draft = self._draft(refused)
        verification = None
        with new_bundle(self.folder, draft, overwrite=self.arguments.exist_ok) as writer:
            self._write(writer, exporter)
            bundle = open_bundle(writer.folder)
            if self.arguments.verify:
                checks = (
                    *self._checks(bundle),
                    *_refusals(exporter, refused),
                )
                verification = Verification(checks=checks)
                if not verification.passed:
                    writer.discard()
        return ExportedBundle(
            format=self.name,
            precision=draft.precision,
            path=None if writer.discarded else self.folder,
            model_bytes=bundle.model_bytes,
            options=dict(bundle.manifest.options),
            seconds=(now_ns() - started) / 1e9,
            verification=verification,
        )

    def _draft(self, refused: Mapping[str, str]) -> Manifest:
        """Return the manifest as far as it is known before the file is written."""
        arguments, parent = self.arguments, self.parent
        checkpoint = parent.checkpoint
        batch = "N" if arguments.batch is None else arguments.batch
        dtype = "uint8" if parent.uint8_input else "float32"
        return Manifest(
            name=arguments.name or checkpoint.spec.name,
            format=self.name,
            precision=arguments.resolved_precision,
            target=arguments.target_name,
            model=self._format.FILE_NAME,
            input=TensorInfo("input", dtype, (batch, *checkpoint.preprocessing.shape)),
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
                **({"exporters_refused": dict(refused)} if refused else {}),
            },
            tools={"edgenet": edgenet.__version__},
            files={},
        )

    def _write(self, writer: BundleWriter, exporter: str) -> None:
        """Write the model file, and the golden vectors with what that file answers."""
        written = self._format.write(
            self.parent.deployed,
            writer.model_path,
            batch=self.arguments.batch,
            opset=self._opset,
            metadata=writer.metadata,
            exporter=exporter,
        )
        golden = self.parent.golden()
        with closing(_inference(writer.unverified())) as inference:
            golden["logits"] = inference.logits(golden["inputs"])
        writer.complete(golden, written)

    def _checks(self, bundle: Bundle) -> tuple[Check, ...]:
        """Run every check there is, the target's lint included, on the files on the disk."""
        expected = deployed_weights(self.parent.deployed)
        checks = [
            check_hashes(bundle),
            check_metadata(bundle),
            check_weights(expected, self._format.stored_weights(bundle.model_path)),
        ]
        with closing(_inference(bundle)) as inference:
            checks.append(check_golden(bundle, inference))
            for name, split in self.parent.splits.items():
                task = f"verify {bundle.manifest.format} on {name}"
                step = Step(task=task, done=0, total=len(split), unit="picture")
                candidate = inference.logits(split.images, on_batch=self._reporter(step))
                checks.append(
                    check_parity(
                        f"agreement ({name})",
                        self.parent.logits[name],
                        candidate,
                        longest_reduction=bundle.manifest.longest_reduction,
                    )
                )
        return (*checks, *lint_summary(bundle))

    def _reporter(self, step: Step) -> Callable[[int], None]:
        return lambda done: self.progress(replace(step, done=done))


def _refusals(exporter: str, refused: Mapping[str, str]) -> tuple[Check, ...]:
    """Make the row that says why a bundle was not written by the exporter to try first."""
    if not refused:
        return ()
    reasons = "; ".join(f"not by {other}: {why}" for other, why in refused.items())
    return (Check(name="exporter", status="ok", detail=f"written by {exporter}; {reasons}"),)


def _inference(bundle: Bundle) -> Inference:
    """Load the bundle, with as many threads as PyTorch has, since some runtimes share its pool.

    Raises:
        NotPossible: Nothing here runs the format.
    """
    import torch

    return open_inference(bundle, threads=torch.get_num_threads())
