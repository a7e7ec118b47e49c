"""``quantize --qat``: a network is trained on with rounding, then written, gated and kept."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edgenet.compress.ranges import observe
from edgenet.compress.scheme import SCHEMES
from edgenet.errors import CorruptFile, UsageError
from edgenet.files import sha256_of
from edgenet.progress import ProgressCallback
from edgenet.verify.checks import Check
from edgenet.verify.parity import compare, rounding_bound
from edgenet.verify.quantized import roundings
from edgenet.workflows.qat_options import QatOptions
from edgenet.workflows.quantize_search import Search, Trials
from edgenet.workflows.quantized_record import Candidate

if TYPE_CHECKING:
    from edgenet.compress.calibration import CalibrationSet
    from edgenet.compress.fake_quantize import WeightBits
    from edgenet.compress.qat import TrainedQuantized
    from edgenet.compress.qdq import StoredWeights
    from edgenet.training.checkpoint import Checkpoint
    from edgenet.training.pictures import Pictures
    from edgenet.training.recipe import Recipe
    from edgenet.training.state import TrainingState
    from edgenet.workflows.quantize_arguments import QuantizeArguments
    from edgenet.workflows.quantize_parent import Fp32Parent

log = logging.getLogger(__name__)

_BASELINE = "s8s8-minmax"
RUNS_ON = {
    8: "every runtime that takes INT8 Q/DQ files, as after quantization without training",
    4: "every runtime that takes INT8 Q/DQ files: the weights are whole numbers from -7 to 7, each "
    "stored in 8 bits, so the file is no smaller and no faster than with weights of 8 bits",
}
"""What the manifest says of a file, by the bits of its weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedCandidate:
    """What came of training with rounding.

    Attributes:
        candidate: The file, to be gated.
        search: It beside quantization after training, on the validation split.
    """

    candidate: Candidate
    search: Search


def train_candidate(
    parent: Fp32Parent,
    calibration: CalibrationSet,
    arguments: QuantizeArguments,
    options: QatOptions,
    progress: ProgressCallback,
) -> TrainedCandidate:
    """Train a parent's network with rounding, and write it in the form of ``quantize``.

    After every epoch the state is kept beside the weights. The same command goes on from there, to
    the weights that it would have had without the interruption; with another recipe, other weights
    or other data it starts anew.

    Raises:
        UsageError: The parent's weights are not at hand.
        NotPossible: The network cannot be trained with rounding.
        EdgenetError: Training diverged, or the state cannot be written.
    """
    training = _Training.of(parent, calibration, arguments, options)
    trained = training.run(progress)
    content, weights = training.written(trained)
    trials = Trials(
        model=parent.content,
        observed=observe(
            parent.content, calibration.images, threads=arguments.threads, progress=progress
        ),
        validation=parent.dataset.validation,
        max_drop=arguments.max_drop,
        stored=cast("StoredWeights", arguments.stored),
        threads=arguments.threads,
        progress=progress,
    )
    baseline = trials.search((SCHEMES[_BASELINE],), max_rollbacks=0).chosen
    learned = trials.judge(content, options.scheme)
    records = trained.state.records
    candidate = Candidate(
        content=content,
        method="qat",
        scheme=options.scheme,
        weights=weights,
        candidates=len(records),
        weight_bits=options.weights_bits,
        details={
            "stored": arguments.stored,
            "calibration": calibration.to_json(),
            "rolled_back": [],
            "recipe": training.recipe.to_json(),
            "runs_on": RUNS_ON[options.weights_bits],
        },
        checked=(training.check(trained, content),),
    )
    search = Search(trials=(baseline, learned), chosen=learned, sensitivity=None)
    return TrainedCandidate(candidate=candidate, search=search)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Training:
    """One training with rounding: of which network, how, and on what."""

    parent: Fp32Parent
    path: Path
    checkpoint: Checkpoint
    calibration: CalibrationSet
    recipe: Recipe
    bits: WeightBits
    stored: StoredWeights
    threads: int

    @classmethod
    def of(
        cls,
        parent: Fp32Parent,
        calibration: CalibrationSet,
        arguments: QuantizeArguments,
        options: QatOptions,
    ) -> _Training:
        from edgenet.compress.qat import recipe_of
        from edgenet.training import checkpoint as checkpoints
        from edgenet.training.recipe import Recipe

        if parent.checkpoint is None:
            raise UsageError(
                f"the trained weights that {parent.path} was exported from are not at hand",
                "name the run or the checkpoint, or leave --qat out: without training the bundle "
                "is enough",
            )
        checkpoint = checkpoints.load(parent.checkpoint)
        recipe = recipe_of(
            Recipe.from_json(checkpoint.recipe),
            epochs=options.epochs,
            lr=options.lr,
            seed=options.seed,
        )
        return cls(
            parent=parent,
            path=parent.checkpoint,
            checkpoint=checkpoint,
            calibration=calibration,
            recipe=replace(recipe, batch=min(recipe.batch, len(parent.dataset.train))),
            bits=cast("WeightBits", options.weights_bits),
            stored=cast("StoredWeights", arguments.stored),
            threads=arguments.threads,
        )

    @property
    def state_file(self) -> Path:
        """Where the state is kept: beside the weights, under their name; no checkpoint to use."""
        return self.path.with_name(f"{self.path.stem}-qat-w{self.bits}a8.state")

    @cached_property
    def identity(self) -> dict[str, str]:
        """What decides the result; a state of another one is not gone on from."""
        dataset = self.parent.dataset
        return {
            "checkpoint_sha256": sha256_of(self.path),
            "weights_bits": str(self.bits),
            "threads": str(self.threads),
            "train": dataset.train.digest,
            "validation": dataset.validation.digest,
            "calibration": self.calibration.split.digest,
        }

    def run(self, progress: ProgressCallback) -> TrainedQuantized:
        """Train, from where an interrupted training stood."""
        from edgenet.compress.qat import train_quantized
        from edgenet.training.checkpoint import save_keeping_previous
        from edgenet.workflows.train_setup import torch_threads

        dataset = self.parent.dataset
        with torch_threads(self.threads):
            return train_quantized(
                self.checkpoint.build(),
                self.recipe,
                bits=self.bits,
                calibration=self._pictures(self.calibration.split),
                train=self._pictures(dataset.train),
                validation=self._pictures(dataset.validation),
                state=self._state(),
                on_epoch=lambda state: save_keeping_previous(self._kept(state), self.state_file),
                progress=progress,
            )

    def written(self, trained: TrainedQuantized) -> tuple[bytes, Any]:
        """Return the quantized file, and the weights that its integers stand for.

        Batch, opset, exporter and type of input are those of the parent's file.
        """
        from edgenet.compress.qat import quantize_trained
        from edgenet.export import onnx as onnx_format
        from edgenet.export.graph import DeployedNetwork, deployed_weights

        manifest = self.parent.bundle.manifest
        options = manifest.options
        deployed = DeployedNetwork(
            trained.rounded,
            self.checkpoint.preprocessing,
            uint8_input=manifest.input.dtype == "uint8",
        )
        with tempfile.TemporaryDirectory(prefix="edgenet-") as folder:
            file = Path(folder) / "model.onnx"
            onnx_format.write(
                deployed,
                file,
                batch=options.get("batch"),
                opset=options.get("opset"),
                metadata={},
                exporter=options.get("exporter"),
            )
            content = quantize_trained(file.read_bytes(), trained, stored=self.stored)
        return content, deployed_weights(deployed)

    def check(self, trained: TrainedQuantized, content: bytes) -> Check:
        """Compare the file with what was trained, on the validation split."""
        import onnx

        from edgenet.compress.execution import logits_of
        from edgenet.export.graph import reference_logits

        images = self.parent.dataset.validation.images
        rule = self.checkpoint.preprocessing
        agreement = compare(
            reference_logits(trained.network, rule, images),
            logits_of(content, images, threads=self.threads),
            rounding_bound(roundings(onnx.load_model_from_string(content))),
        )
        passed = agreement.max_relative <= agreement.bound
        return Check(
            name="as trained",
            status="ok" if passed else "failed",
            detail=f"the file against the network with rounding: {agreement.describe()}",
            agreement=agreement,
        )

    def _pictures(self, split: Any) -> Pictures:
        import torch

        from edgenet.training.pictures import Pictures

        return Pictures.of(split, self.checkpoint.preprocessing, torch.device("cpu"))

    def _kept(self, state: TrainingState) -> Checkpoint:
        """Return a state as the file that it is kept in; its weights are those with rounding."""
        return replace(
            self.checkpoint,
            recipe=self.recipe.to_json(),
            metrics={},
            weights=state.weights,
            best_weights=state.best_weights,
            optimizer=state.optimizer,
            records=tuple(state.records),
            parent=self.identity,
        )

    def _state(self) -> TrainingState | None:
        """Return the state that is there, if it is that of this training."""
        from edgenet.training.checkpoint import load, previous_of

        for file in (self.state_file, previous_of(self.state_file)):
            if not file.is_file():
                continue
            try:
                found = load(file)
            except CorruptFile as error:
                log.warning("%s; it is left out", error.message)
                continue
            if dict(found.parent) == self.identity and found.recipe == self.recipe.to_json():
                log.info("going on after epoch %d of %s", len(found.records), file)
                return found.state()
        return None
