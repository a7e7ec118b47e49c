"""``explain``: what goes on inside a trained network, and how sure it is of what it cannot know."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenet.errors import EdgenetError, UsageError, unknown_name
from edgenet.explain.activations import first_kernels, record
from edgenet.explain.certainty import CertaintyRow, Threshold
from edgenet.explain.kernel_gradient import KernelGradient, LayerCheck, check_layer, demonstrate
from edgenet.files import write_text
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.job import MAX_THREADS
from edgenet.training import checkpoint as checkpoints
from edgenet.training.pictures import Pictures
from edgenet.workflows._predict import POLARITIES, PredictArguments, PredictResult, predict
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.classifier import Classifier, open_classifier
from edgenet.workflows.explain_certainty import Study, study
from edgenet.workflows.explain_figures import Figures
from edgenet.workflows.explain_pictures import Material, collect
from edgenet.workflows.looks import count_test_looks, note_test_look

FINDING = (
    "Softmax confidence cannot reject unknown inputs: it says which class fits best, "
    "not whether any class fits."
)


@dataclass(frozen=True, kw_only=True)
class ExplainArguments:
    """What to look into, and with which pictures.

    Attributes:
        source: A run (its best checkpoint) or a checkpoint.
        pictures: Files and folders; with none, test pictures are taken, one of every class.
        data: ``mnist``, ``fashion-mnist`` or a folder; None takes the one that the network was
            trained on, and leaves out what needs it where it is gone and there are pictures.
        output: Folder to write to; None takes the run's ``reports/explain``.
        polarity: ``as-is``, ``invert`` or ``auto``, for ``pictures``, as ``predict`` takes it.
        samples: Pictures of each kind, at most, of which the network's certainty is asked.
        threads: CPU threads.

    Raises:
        UsageError: A value cannot be.
    """

    source: str | Path
    pictures: Sequence[str | Path] = ()
    data: str | None = None
    output: str | Path | None = None
    polarity: str = "as-is"
    samples: int = 1000
    threads: int = 1

    def __post_init__(self) -> None:
        if self.polarity not in POLARITIES:
            raise unknown_name("polarity", self.polarity, POLARITIES)
        for name in ("samples", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.threads > MAX_THREADS:
            raise UsageError(f"threads must be at most {MAX_THREADS}, not {self.threads}")


@dataclass(frozen=True, kw_only=True)
class ExplainResult:
    """What was written, and the key figures.

    Attributes:
        source: The checkpoint's file.
        model: Name of the model.
        output: Folder of the figures and of ``explain.json``.
        figures: Names of the PNG files in it; beside each lies an SVG.
        threshold: At which certainty 1 % of the validation pictures are refused, or None.
        certainty: One row a kind of pictures; none without a threshold.
        own: What ``predict`` says of the user's pictures, or None.
        kernel_gradient: The demonstration on nine numbers.
        layer_check: The same sum on the network's first convolution; None where it has none.
        left_out: What could not be done, with the reason.
        test_looks: How often this run's test split was looked at, this time included; None outside
            a run or where it was not looked at.
        finding: What the certainty of unknown pictures means.
    """

    source: str
    model: str
    output: str
    figures: tuple[str, ...]
    threshold: Threshold | None
    certainty: tuple[CertaintyRow, ...]
    own: PredictResult | None
    kernel_gradient: KernelGradient
    layer_check: LayerCheck | None
    left_out: tuple[str, ...]
    test_looks: int | None
    finding: str = FINDING

    @property
    def passed(self) -> bool:
        """Whether autograd agrees with the sums written out, here and in the network."""
        return self.kernel_gradient.agrees and (not self.layer_check or self.layer_check.agrees)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            "source": self.source,
            "model": self.model,
            "output": self.output,
            "figures": list(self.figures),
            "threshold": self.threshold.to_json() if self.threshold else None,
            "certainty": [row.to_json() for row in self.certainty],
            "finding": self.finding,
            "own": self.own.to_json() if self.own else None,
            "kernel_gradient": self.kernel_gradient.to_json(),
            "layer_check": self.layer_check.to_json() if self.layer_check else None,
            "left_out": list(self.left_out),
            "test_looks": self.test_looks,
        }


def explain(arguments: ExplainArguments, *, progress: ProgressCallback = ignore) -> ExplainResult:
    """Draw a trained network's maps, kernels, poolings and certainty, and check its gradient.

    A picture that cannot be read is named in ``own``; the others go on. Of a run the look at the
    test split is logged in its ``test-looks.csv``.

    Raises:
        UsageError: The source is nothing trained or lies in no run, or the data do not fit.
        DataUnavailable: The data are not here.
        NotPossible: Pillow is not installed, and a picture needs it.
        CorruptFile: The checkpoint is damaged.
        EdgenetError: The network answers NaN or infinity, or the figures cannot be written.
    """
    resolved = resolve(arguments.source, accept=(Kind.RUN, Kind.CHECKPOINT))
    folder = _folder(arguments, resolved)
    own = _predicted(arguments, progress)
    with open_classifier(resolved, threads=arguments.threads) as classifier:
        material = collect(
            classifier.path,
            classifier.preprocessing,
            classifier.labels,
            data=arguments.data,
            own=own,
            samples=arguments.samples,
            progress=progress,
        )
        figures = Figures(
            folder,
            classifier.name,
            lambda name: progress(Step(task=f"draw {name}", done=0, total=0, unit="figure")),
        )
        left_out = list(material.left_out)
        gradient = demonstrate()
        check = _look_inside(classifier, material, figures, left_out)
        figures.examples(gradient)
        found, looks = None, None
        if material.splits:
            found = study(classifier, material, arguments.samples, figures, progress)
            looks = _note_look(resolved, classifier.path, material, found)
    result = ExplainResult(
        source=str(classifier.path),
        model=classifier.name,
        output=str(folder),
        figures=tuple(figures.names),
        threshold=found.threshold if found else None,
        certainty=found.rows if found else (),
        own=own,
        kernel_gradient=gradient,
        layer_check=check,
        left_out=tuple(left_out),
        test_looks=looks,
    )
    write_text(folder / "explain.json", json.dumps(result.to_json(), indent=2) + "\n")
    return result


def _folder(arguments: ExplainArguments, resolved: Resolved) -> Path:
    """Return where to write.

    Raises:
        UsageError: Nothing says where.
    """
    if arguments.output is not None:
        return Path(arguments.output)
    if resolved.run is None:
        raise UsageError(
            f"{resolved.source} lies in no run, so there is no place for the figures",
            "name a folder: --output DIR",
        )
    return resolved.run.path / "reports" / "explain"


def _predicted(arguments: ExplainArguments, progress: ProgressCallback) -> PredictResult | None:
    """Let ``predict`` read and classify the user's pictures."""
    if not arguments.pictures:
        return None
    asked = PredictArguments(
        source=arguments.source,
        pictures=arguments.pictures,
        polarity=arguments.polarity,
        threads=arguments.threads,
    )
    return predict(asked, progress=progress)


def _look_inside(
    classifier: Classifier, material: Material, figures: Figures, left_out: list[str]
) -> LayerCheck | None:
    """Draw maps, units, kernels and poolings, and check the first convolution's gradient."""
    network = checkpoints.load(classifier.path).build()
    shown = material.shown()
    images = np.stack(list(shown.values()))
    logits = classifier.logits(images)
    if not np.isfinite(logits).all():
        raise EdgenetError(
            f"{classifier.path}: the network's answers are no finite numbers, so there is nothing "
            "to explain",
            "train again, with a lower learning rate if the training diverged",
        )
    labels = torch.from_numpy(logits.argmax(axis=1))
    pictures = Pictures(
        images=torch.from_numpy(images), labels=labels, preprocessing=classifier.preprocessing
    )
    inputs = pictures.inputs(slice(None))
    recording = record(network, inputs)
    figures.recording(recording, shown)
    kernels = first_kernels(network)
    if kernels is None:
        left_out.append(f"feature maps and kernels: {classifier.name} has no convolution")
    else:
        figures.kernels(*kernels)
    if recording.pooling is None:
        left_out.append(f"a map before and after pooling: {classifier.name} has no pooling layer")
    else:
        figures.pooling(recording.pooling, next(iter(shown)))
    return check_layer(network, inputs, labels)


def _note_look(resolved: Resolved, path: Path, material: Material, found: Study) -> int | None:
    """Log the look at the test split in the run, and return how many there were."""
    run = resolved.run
    if run is None:
        return None
    note_test_look(
        run.path,
        verb="explain",
        subject=os.path.relpath(path, run.path),
        digest=material.splits["test"].digest,
        correct=found.correct,
        n=found.n,
    )
    return count_test_looks(run.path)
