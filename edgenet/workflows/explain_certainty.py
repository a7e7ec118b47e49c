"""How sure a network is of validation and test pictures, and of kinds that it was not made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenet.explain.certainty import Certainty, CertaintyRow, Threshold
from edgenet.export.bundle import golden_rows
from edgenet.figures.certainty import Sample, certainty_curves
from edgenet.figures.style import percent, shown
from edgenet.figures.tiles import Section, Tile, draw_tiles
from edgenet.progress import ProgressCallback, Step
from edgenet.workflows.classifier import Classifier
from edgenet.workflows.explain_figures import Figures
from edgenet.workflows.explain_pictures import Material, chosen

OWN = "your pictures"
KNOWN = ("validation", "test")
_BATCH = 100
_ACROSS = 8
_LONGEST_LABEL = 12


@dataclass(frozen=True, kw_only=True)
class Study:
    """What was found.

    Attributes:
        threshold: From the whole validation split.
        rows: One a kind: validation, test, the unknown kinds, the user's own.
        correct: Test pictures right.
        n: Test pictures looked at.
    """

    threshold: Threshold
    rows: tuple[CertaintyRow, ...]
    correct: int
    n: int


def study(
    classifier: Classifier,
    material: Material,
    samples: int,
    figures: Figures,
    progress: ProgressCallback,
) -> Study:
    """Ask the network of every kind of pictures, and draw what it says.

    Args:
        classifier: The network.
        material: With both splits.
        samples: Test pictures at most.
        figures: Where the two figures go.
        progress: Told of every batch.
    """
    test = chosen(material.splits["test"], samples)
    images = {
        "validation": material.splits["validation"].images,
        "test": test.images,
        **material.unknown,
    }
    if material.own:
        images[OWN] = np.stack(list(material.own.values()))
    logits = {name: _logits(classifier, name, kind, progress) for name, kind in images.items()}
    seen = {name: Certainty.of(values, classifier.probability) for name, values in logits.items()}
    threshold = Threshold.of(seen["validation"])
    rows = tuple(
        CertaintyRow.of(name, certainty, threshold, known=_known(name))
        for name, certainty in seen.items()
    )
    certainty_curves(
        {
            row.name: Sample(
                known=bool(row.known), doubt=seen[row.name].doubt, energy=seen[row.name].energy
            )
            for row in rows
            if row.name != "validation"
        },
        figures.place("certainty"),
        doubt=threshold.doubt,
        energy=threshold.energy,
        title=f"{classifier.name}: how sure it is of pictures that it knows and of others",
    )
    _draw_answers(classifier, images, logits, threshold, figures)
    return Study(
        threshold=threshold,
        rows=rows,
        correct=int((logits["test"].argmax(axis=1) == test.labels).sum()),
        n=len(test),
    )


def _known(name: str) -> bool | None:
    """Tell whether the network was made for a kind; the user's own pictures may be any."""
    return None if name == OWN else name in KNOWN


def _logits(
    classifier: Classifier, name: str, images: NDArray[np.uint8], progress: ProgressCallback
) -> NDArray[np.float32]:
    """Return logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
    parts = []
    for start in range(0, len(images), _BATCH):
        parts.append(classifier.logits(images[start : start + _BATCH]))
        done = min(start + _BATCH, len(images))
        progress(Step(task=f"ask of {name}", done=done, total=len(images), unit="picture"))
    return np.concatenate(parts)


def _draw_answers(
    classifier: Classifier,
    images: Mapping[str, NDArray[np.uint8]],
    logits: Mapping[str, NDArray[np.float32]],
    threshold: Threshold,
    figures: Figures,
) -> None:
    """Draw some pictures of every kind but validation, with the answers.

    Of a known kind it is right to accept a picture, of an unknown one to refuse it; the user's own
    may be either.
    """
    sections = []
    for name in images:
        if name == "validation":
            continue
        rows = golden_rows(len(images[name]), _ACROSS)
        tiles = []
        for image, row in zip(images[name][rows], logits[name][rows], strict=True):
            doubt = float(Certainty.of(row[np.newaxis], classifier.probability).doubt[0])
            accepted = doubt <= threshold.doubt
            label = shown(classifier.labels[int(row.argmax())], _LONGEST_LABEL)
            said = f"{percent(1 - doubt, 1)} {'✓' if accepted else '✗'}"
            known = _known(name)
            right = None if known is None else accepted == known
            tiles.append(Tile(image=image, caption=(label, said), right=right))
        sections.append(Section(heading=name, tiles=tiles))
    least = percent(1 - threshold.doubt, 1)
    draw_tiles(
        sections,
        figures.place("answers"),
        title=f"{classifier.name} on known and unknown pictures: ✓ accepted (from {least} up), "
        "✗ refused; thick frame: mistaken",
        beside=True,
    )
