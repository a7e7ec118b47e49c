"""``evaluate``: what a trained network is worth on one split, with its uncertainty."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.errors import DataUnavailable, UsageError, unknown_name
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.job import MAX_THREADS
from edgenet.statistics import ClassificationReport, confusion_matrix
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.classifier import Classifier, open_classifier
from edgenet.workflows.looks import count_test_looks, note_test_look

if TYPE_CHECKING:
    from edgenet.data import Split

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")
_NAME_DATA = "name the data set: --data mnist, --data fashion-mnist or --data FOLDER"


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments:
    """What to evaluate, on what.

    Attributes:
        source: A run (its best checkpoint), a checkpoint or a bundle.
        data: ``mnist``, ``fashion-mnist`` or a folder; None takes the one that the network was
            trained on, and refuses it if its pictures have changed since.
        split: ``train``, ``validation`` or ``test``.
        runtime: For a bundle, a name of the table of runtimes; None takes the first that fits.
        threads: CPU threads.
        batch: Pictures at a time.

    Raises:
        UsageError: A value cannot be.
    """

    source: str | Path
    data: str | None = None
    split: str = "test"
    runtime: str | None = None
    threads: int = 1
    batch: int = 1000

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise unknown_name("split", self.split, SPLITS)
        for name in ("threads", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.threads > MAX_THREADS:
            raise UsageError(f"threads must be at most {MAX_THREADS}, not {self.threads}")


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What came of it.

    Attributes:
        source: What was evaluated: the checkpoint's file or the bundle's folder.
        kind: ``checkpoint`` or ``bundle``.
        model: Name of the model.
        runtime: What computed.
        threads: CPU threads.
        data: Name of the data set.
        split: Which split of it.
        digest: SHA-256 over the split's pictures, labels and class names.
        report: Accuracy with its interval, and the figures of every class.
        test_looks: How often this run's test split was looked at, this time included; None outside
            a run or for another split.
    """

    source: str
    kind: str
    model: str
    runtime: str
    threads: int
    data: str
    split: str
    digest: str
    report: ClassificationReport
    test_looks: int | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the report's beside the others."""
        fields = {name: value for name, value in vars(self).items() if name != "report"}
        return {**fields, **self.report.to_json()}


def evaluate(
    arguments: EvaluateArguments, *, progress: ProgressCallback = ignore
) -> EvaluateResult:
    """Measure accuracy, precision, recall and F1 of a trained network on one split.

    An evaluation of a run on the test split is logged in the run's ``test-looks.csv``.

    Raises:
        UsageError: The source is nothing trained, or the data do not fit the network.
        DataUnavailable: The data are not here, or not those that the network was trained on.
        NotPossible: The runtime is not installed.
        CorruptFile: The checkpoint or the bundle is damaged.
    """
    resolved = resolve(arguments.source, accept=(Kind.RUN, Kind.CHECKPOINT, Kind.BUNDLE))
    runtime, threads = arguments.runtime, arguments.threads
    with open_classifier(resolved, runtime=runtime, threads=threads) as classifier:
        name, split = _data(arguments, resolved, classifier, progress)
        _check_fit(classifier, split)
        predictions = _predict(classifier, split, arguments.batch, progress)
    counts = confusion_matrix(split.labels, predictions, len(classifier.labels))
    report = ClassificationReport.of(counts, classifier.labels)
    run, looks = resolved.run, None
    if run is not None and arguments.split == "test":
        note_test_look(
            run.path,
            verb="eval",
            subject=os.path.relpath(classifier.path, run.path),
            digest=split.digest,
            correct=report.correct,
            n=report.n,
        )
        looks = count_test_looks(run.path)
    return EvaluateResult(
        source=str(classifier.path),
        kind="bundle" if resolved.kind is Kind.BUNDLE else "checkpoint",
        model=classifier.name,
        runtime=classifier.runtime,
        threads=threads,
        data=name,
        split=arguments.split,
        digest=split.digest,
        report=report,
        test_looks=looks,
    )


def _data(
    arguments: EvaluateArguments,
    resolved: Resolved,
    classifier: Classifier,
    progress: ProgressCallback,
) -> tuple[str, Split]:
    """Return the data set's name and the split to evaluate."""
    recorded = _recorded_data(resolved, classifier)
    name = arguments.data or recorded.get("name")
    if name is None:
        raise UsageError(f"{resolved.source} does not say what it was trained on", _NAME_DATA)
    split = _load(name, arguments.split, recorded, classifier, progress)
    wanted = classifier.data.get(arguments.split)
    if arguments.data is None and wanted not in (None, split.digest):
        raise DataUnavailable(
            f"the {arguments.split} split of {name} is not the one that {classifier.path} "
            "was measured on: its pictures, labels or class names have changed",
            f"to evaluate on what is there now, say so: --data {name}",
        )
    return name, split


def _recorded_data(resolved: Resolved, classifier: Classifier) -> dict[str, str]:
    """Return ``name`` and ``split_seed`` of the data behind a network, as far as they are known.

    A checkpoint records both, a bundle the name; the run that it lies in knows the rest.
    """
    if "split_seed" in classifier.data or resolved.run is None:
        return classifier.data
    arguments = resolved.run.arguments()
    of_run = {
        key: str(arguments[source])
        for key, source in (("name", "data"), ("split_seed", "split_seed"))
        if source in arguments
    }
    return {**of_run, **classifier.data}


def _load(
    name: str,
    split: str,
    recorded: dict[str, str],
    classifier: Classifier,
    progress: ProgressCallback,
) -> Split:
    from edgenet.data import load

    rule = classifier.preprocessing
    dataset = load(
        name,
        split_seed=int(recorded.get("split_seed", "0")),
        image_size=(rule.height, rule.width),
        mode=rule.mode,
        progress=progress,
    )
    if dataset.skipped:
        log.warning("%d pictures of %s cannot be read and are left out", len(dataset.skipped), name)
    chosen: Split = getattr(dataset, split)
    return chosen


def _check_fit(classifier: Classifier, split: Split) -> None:
    """Refuse data that the network was not made for.

    Raises:
        UsageError: The pictures' shape or the classes differ, or there are no pictures.
    """
    if len(split) == 0:
        raise UsageError(f"the {split.name} split has no pictures")
    if split.images.shape[1:] != classifier.preprocessing.shape:
        raise UsageError(
            f"{classifier.name} takes pictures of {list(classifier.preprocessing.shape)}, "
            f"the data have {list(split.images.shape[1:])} (channels, height, width)"
        )
    if split.class_names != classifier.labels:
        raise UsageError(
            f"{classifier.name} knows the classes {_short(classifier.labels)}, "
            f"the data have {_short(split.class_names)}"
        )


def _short(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, … ({len(names)})" if len(names) > 5 else shown


def _predict(
    classifier: Classifier, split: Split, batch: int, progress: ProgressCallback
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the predicted class of every picture, int64 [N]."""
    predictions = np.empty(len(split), np.int64)
    for start in range(0, len(split), batch):
        stop = min(start + batch, len(split))
        predictions[start:stop] = classifier.logits(split.images[start:stop]).argmax(axis=1)
        progress(Step(task="evaluate", done=stop, total=len(split), unit="picture"))
    return predictions
