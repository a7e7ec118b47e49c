"""``predict``: what a trained network sees in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.errors import CorruptFile, UsageError, unknown_name
from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.job import MAX_THREADS
from edgenet.runner.preprocess import Preprocessing, decode, looks_inverted, prepare
from edgenet.workflows._resolve import Kind, pictures_in, resolve
from edgenet.workflows.classifier import Classifier, open_classifier

POLARITIES = ("as-is", "invert", "auto")
STDIN_NAME = "-"
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class PredictArguments:
    """What to look at, and with what.

    Attributes:
        source: A run (its best checkpoint), a checkpoint, a bundle, or a seed group, whose members
            answer by the mean of their probabilities.
        pictures: Files and folders; ``bytes`` are the content of one picture.
        top_k: How many classes to report a picture, the likeliest first; all at most.
        polarity: ``as-is`` takes pictures as they are and warns of those that look inverted,
            ``invert`` exchanges light and dark in all of them, ``auto`` in those that look so.
        runtime: For a bundle, a name of the table of runtimes; None takes the first that fits.
        threads: CPU threads.

    Raises:
        UsageError: A value cannot be.
    """

    source: str | Path
    pictures: Sequence[str | Path | bytes]
    top_k: int = 1
    polarity: str = "as-is"
    runtime: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if not self.pictures:
            raise UsageError("no pictures to look at", "name files, a folder, or - for stdin")
        if self.polarity not in POLARITIES:
            raise unknown_name("polarity", self.polarity, POLARITIES)
        for name in ("top_k", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.threads > MAX_THREADS:
            raise UsageError(f"threads must be at most {MAX_THREADS}, not {self.threads}")


@dataclass(frozen=True, kw_only=True)
class ClassProbability:
    """One class that a picture may show, and how sure the network is of it."""

    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What became of one picture.

    Attributes:
        picture: Its path; ``-`` for content that was handed over.
        top: The likeliest classes, the likeliest first; empty where it could not be read.
        looks_inverted: Its border speaks against the polarity of the training pictures.
        inverted: Light and dark were exchanged before the network saw it.
        error: Why it could not be read, or None.
    """

    picture: str
    top: tuple[ClassProbability, ...] = ()
    looks_inverted: bool = False
    inverted: bool = False
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``label`` and ``probability`` are the likeliest class's."""
        best = self.top[0] if self.top else None
        return {
            "picture": self.picture,
            "label": best.label if best else None,
            "probability": best.probability if best else None,
            "top": [vars(entry) for entry in self.top],
            "looks_inverted": self.looks_inverted,
            "inverted": self.inverted,
            "error": self.error,
        }


@dataclass(frozen=True, kw_only=True)
class PredictResult:
    """What the network sees.

    Attributes:
        source: What answered: the checkpoint's file, or the folder of the bundle or the group.
        model: Name of the model.
        runtime: What computed.
        predictions: One for every picture, in the order given; folders by name.
        warnings: What the reader should know before relying on it, each with what to do.
    """

    source: str
    model: str
    runtime: str
    predictions: tuple[Prediction, ...]
    warnings: tuple[str, ...] = ()

    @property
    def unreadable(self) -> int:
        """How many pictures could not be read."""
        return sum(prediction.error is not None for prediction in self.predictions)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return {
            "source": self.source,
            "model": self.model,
            "runtime": self.runtime,
            "predictions": [prediction.to_json() for prediction in self.predictions],
            "unreadable": self.unreadable,
            "warnings": list(self.warnings),
        }


def predict(arguments: PredictArguments, *, progress: ProgressCallback = ignore) -> PredictResult:
    """Classify pictures of any size and mode.

    Of a run the best checkpoint answers, in float32 on torch, also where there are bundles of it.

    A picture that cannot be read is a prediction with its reason; the others go on.

    Raises:
        UsageError: The source is nothing trained, or a folder has no pictures.
        NotPossible: The runtime, or Pillow, is not installed.
        CorruptFile: The checkpoint or the bundle is damaged.
    """
    accepted = (Kind.RUN, Kind.GROUP, Kind.CHECKPOINT, Kind.BUNDLE)
    resolved = resolve(arguments.source, accept=accepted)
    pictures = _listed(arguments.pictures)
    rows: list[Prediction] = []
    runtime, threads = arguments.runtime, arguments.threads
    with open_classifier(resolved, runtime=runtime, threads=threads) as classifier:
        for start in range(0, len(pictures), _BATCH):
            rows += _look(classifier, pictures[start : start + _BATCH], arguments)
            progress(Step(task="predict", done=len(rows), total=len(pictures), unit="picture"))
    return PredictResult(
        source=str(classifier.path),
        model=classifier.name,
        runtime=classifier.runtime,
        predictions=tuple(rows),
        warnings=tuple(_warnings(rows, classifier.preprocessing)),
    )


def _listed(pictures: Sequence[str | Path | bytes]) -> list[Path | bytes]:
    """Replace every folder by the pictures in it.

    Raises:
        UsageError: A folder has none.
    """
    listed: list[Path | bytes] = []
    for picture in pictures:
        if isinstance(picture, bytes):
            listed.append(picture)
            continue
        path = Path(picture)
        if not path.is_dir():
            listed.append(path)
            continue
        found = pictures_in(path)
        if not found:
            raise UsageError(f"the folder {path} has no pictures in it")
        listed += found
    return listed


def _look(
    classifier: Classifier, pictures: Sequence[Path | bytes], arguments: PredictArguments
) -> list[Prediction]:
    """Predict one batch; unreadable pictures keep their place in it."""
    readings = [
        _read(picture, classifier.preprocessing, arguments.polarity) for picture in pictures
    ]
    images = [image for _, image in readings if image is not None]
    if not images:
        return [row for row, _ in readings]
    probabilities = iter(classifier.probabilities(classifier.logits(np.stack(images))))
    return [
        row
        if image is None
        else Prediction(
            picture=row.picture,
            top=_likeliest(next(probabilities), classifier.labels, arguments.top_k),
            looks_inverted=row.looks_inverted,
            inverted=row.inverted,
        )
        for row, image in readings
    ]


def _read(
    picture: Path | bytes, rule: Preprocessing, polarity: str
) -> tuple[Prediction, NDArray[np.uint8] | None]:
    """Decode and prepare one picture: its row so far, and uint8 [C, H, W] or None."""
    name = STDIN_NAME if isinstance(picture, bytes) else str(picture)
    try:
        pixels = decode(picture)
    except (UsageError, CorruptFile) as error:
        return Prediction(picture=name, error=error.message), None
    doubtful = looks_inverted(pixels, rule.polarity)
    invert = polarity == "invert" or (polarity == "auto" and doubtful)
    row = Prediction(picture=name, looks_inverted=doubtful, inverted=invert)
    return row, prepare(pixels, rule, invert=invert)


def _likeliest(
    probabilities: NDArray[np.float64], labels: tuple[str, ...], k: int
) -> tuple[ClassProbability, ...]:
    """Return the ``k`` likeliest classes; of equals the one of the smaller number first."""
    order = np.argsort(-probabilities, kind="stable")[:k]
    return tuple(
        ClassProbability(label=labels[index], probability=float(probabilities[index]))
        for index in order
    )


def _warnings(rows: Sequence[Prediction], rule: Preprocessing) -> Iterator[str]:
    doubtful = [row for row in rows if row.looks_inverted and not row.inverted]
    if doubtful:
        yield (
            f"{_first_of(doubtful)} inverted: the training pictures are {rule.polarity}; "
            "pass --polarity invert (all pictures) or --polarity auto (those that look so)"
        )
    turned = [row for row in rows if row.inverted and not row.looks_inverted]
    if turned and rule.polarity is not None:
        yield (
            f"{_first_of(turned)} {rule.polarity} as the training pictures are, before it was "
            "inverted: leave --polarity invert out, or pass --polarity auto"
        )


def _first_of(rows: Sequence[Prediction]) -> str:
    """Name one picture, or the first of several, as the subject of a sentence with ``look``."""
    if len(rows) == 1:
        return f"{rows[0].picture} looks"
    return f"{len(rows)} pictures ({rows[0].picture} first) look"
