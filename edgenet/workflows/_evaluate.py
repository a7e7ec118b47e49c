"""``evaluate``: what a trained network is worth on one split, with its uncertainty."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenet.errors import DataUnavailable, UsageError, unknown_name
from edgenet.files import numbered_folder, write_text
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.job import MAX_THREADS
from edgenet.statistics import ClassificationReport, confusion_matrix
from edgenet.workflows._resolve import Kind, Resolved, resolve
from edgenet.workflows.classifier import Classifier, open_classifier
from edgenet.workflows.looks import count_test_looks, note_test_look
from edgenet.workflows.runs import Run

if TYPE_CHECKING:
    from edgenet.data import Dataset, Split

SPLITS = ("train", "validation", "test")
RESULT_NAME = "result.json"
_KINDS = {Kind.BUNDLE: "bundle", Kind.GROUP: "group"}
_NAME_DATA = "name the data set: --data mnist, --data fashion-mnist or --data FOLDER"


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments:
    """What to evaluate, on what.

    Attributes:
        source: A run (its best checkpoint), a checkpoint, a bundle, or a seed group, whose members
            answer by the mean of their probabilities.
        data: ``mnist``, ``fashion-mnist`` or a folder; None takes the one that the network was
            trained on, and refuses it if its pictures have changed since.
        split: ``train``, ``validation`` or ``test``.
        runtime: For a bundle, a name of the table of runtimes; None takes the first that fits.
        threads: CPU threads.
        batch: Pictures at a time.
        figures: Draw samples, right and wrong answers, accuracy by class and confusion.
        output: Folder of ``result.json`` and the figures; None takes ``reports/eval-<split>`` of
            the run, with a number where that is taken. Outside a run, or without figures, nothing
            is written unless a folder is named.

    Raises:
        UsageError: A value cannot be.
    """

    source: str | Path
    data: str | None = None
    split: str = "test"
    runtime: str | None = None
    threads: int = 1
    batch: int = 1000
    figures: bool = True
    output: str | Path | None = None

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
        source: What was evaluated: the checkpoint's file, or the folder of the bundle or the group.
        kind: ``checkpoint``, ``bundle`` or ``group``.
        model: Name of the model.
        runtime: What computed.
        threads: CPU threads.
        data: Name of the data set.
        split: Which split of it.
        digest: SHA-256 over the split's pictures, labels and class names.
        report: Accuracy with its interval, and the figures of every class.
        test_looks: How often this run's test split was looked at, this time included; None outside
            a run or for another split.
        skipped: Pictures of a folder that could not be read, with reasons; they are in no split.
        output: Folder of this result and its figures; None where nothing was written.
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
    skipped: tuple[tuple[str, str], ...]
    output: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name, the report's beside the others."""
        fields = {name: value for name, value in vars(self).items() if name != "report"}
        skipped = [list(file) for file in self.skipped]
        return {**fields, "skipped": skipped, **self.report.to_json()}


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
        EdgenetError: The figures or the log cannot be written.
    """
    accepted = (Kind.RUN, Kind.GROUP, Kind.CHECKPOINT, Kind.BUNDLE)
    resolved = resolve(arguments.source, accept=accepted)
    runtime, threads = arguments.runtime, arguments.threads
    with open_classifier(resolved, runtime=runtime, threads=threads) as classifier:
        name, dataset = _data(arguments, resolved, classifier, progress)
        split: Split = getattr(dataset, arguments.split)
        _check_unchanged(arguments, name, split, classifier)
        _check_fit(classifier, split)
        logits = _logits(classifier, split, arguments.batch, progress)
    counts = confusion_matrix(split.labels, logits.argmax(axis=1), len(classifier.labels))
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
    folder = _folder(arguments, run)
    result = EvaluateResult(
        source=str(classifier.path),
        kind=_KINDS.get(resolved.kind, "checkpoint"),
        model=classifier.name,
        runtime=classifier.runtime,
        threads=threads,
        data=name,
        split=arguments.split,
        digest=split.digest,
        report=report,
        test_looks=looks,
        skipped=tuple((str(file.path), file.reason) for file in dataset.skipped),
        output=None if folder is None else str(folder),
    )
    if folder is not None:
        if arguments.figures:
            from edgenet.workflows.result_figures import draw_evaluation

            draw_evaluation(
                folder,
                model=classifier.name,
                data=dataset.name,
                split=split,
                probabilities=classifier.probabilities(logits),
            )
        write_text(folder / RESULT_NAME, json.dumps(result.to_json(), indent=2) + "\n")
    return result


def _folder(arguments: EvaluateArguments, run: Run | None) -> Path | None:
    """Return where to write; the folder of a run is made, one that was named is made by writing."""
    if arguments.output is not None:
        return Path(arguments.output)
    if run is None or not arguments.figures:
        return None
    hint = "evaluate with --no-figures, or name a folder that you may write to: --output DIR"
    return numbered_folder(run.reports, f"eval-{arguments.split}", hint)


def _data(
    arguments: EvaluateArguments,
    resolved: Resolved,
    classifier: Classifier,
    progress: ProgressCallback,
) -> tuple[str, Dataset]:
    """Return the data set's name, or its folder, and the data set.

    Raises:
        UsageError: Nothing says which.
    """
    from edgenet.data import load

    recorded = _recorded_data(resolved, classifier)
    name = arguments.data or recorded.get("name")
    if name is None:
        raise UsageError(f"{resolved.source} does not say what it was trained on", _NAME_DATA)
    rule = classifier.preprocessing
    dataset = load(
        name,
        split_seed=int(recorded.get("split_seed", "0")),
        image_size=(rule.height, rule.width),
        mode=rule.mode,
        progress=progress,
    )
    return name, dataset


def _check_unchanged(
    arguments: EvaluateArguments, name: str, split: Split, classifier: Classifier
) -> None:
    """Refuse, unless the data were named, others than the network was measured on.

    Raises:
        DataUnavailable: They have changed.
    """
    wanted = classifier.data.get(arguments.split)
    if arguments.data is None and wanted not in (None, split.digest):
        raise DataUnavailable(
            f"the {arguments.split} split of {name} is not the one that {classifier.path} "
            "was measured on: its pictures, labels or class names have changed",
            f"to evaluate on what is there now, say so: --data {name}",
        )


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


def _logits(
    classifier: Classifier, split: Split, batch: int, progress: ProgressCallback
) -> NDArray[np.float32]:
    """Return the logits of every picture, float32 [N, K]."""
    logits = np.empty((len(split), len(classifier.labels)), np.float32)
    for start in range(0, len(split), batch):
        stop = min(start + batch, len(split))
        logits[start:stop] = classifier.logits(split.images[start:stop])
        progress(Step(task="evaluate", done=stop, total=len(split), unit="picture"))
    return logits
