"""How much a network loses by each layer's quantization alone: which layers to roll back first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import chosen_nodes, quantize_observed
from edgenet.progress import ProgressCallback, Step, ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edgenet.compress.ranges import Tails
    from edgenet.compress.scheme import Scheme
    from edgenet.data import Split


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """What the quantization of one layer, all others in FP32, does to the network.

    Attributes:
        layer: The layer's name.
        sqnr_db: Power of the logits over that of their change, in dB; infinite for no change.
        correct_change: Pictures right, minus those that the FP32 network has right.
        n: Pictures.
    """

    layer: str
    sqnr_db: float
    correct_change: int
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name; an infinity becomes None."""
        return {**vars(self), "sqnr_db": self.sqnr_db if math.isfinite(self.sqnr_db) else None}


def sensitivity(
    model: bytes,
    observed: Mapping[str, Tails],
    scheme: Scheme,
    validation: Split,
    *,
    threads: int = 1,
    progress: ProgressCallback = ignore,
) -> tuple[LayerSensitivity, ...]:
    """Quantize every layer of a network by itself and see what it costs.

    Args:
        model: The FP32 ONNX file's content.
        observed: Its values on calibration pictures.
        scheme: How to quantize; layers that it leaves in FP32 are not tried.
        validation: What to measure on: not the test split, since this decides.
        threads: How many share the work of one operator.
        progress: Told of layers.

    Returns:
        The layers in the order in which to roll them back: the lowest SQNR first. The change in
        accuracy is a handful of pictures, and so mostly chance; the SQNR uses every logit.
    """
    layers = list(dict.fromkeys(node.layer for node in chosen_nodes(model, scheme)))
    reference = logits_of(model, validation.images, threads=threads)
    rows = []
    for done, layer in enumerate(layers, start=1):
        others = tuple(name for name in layers if name != layer)
        alone = replace(scheme, exclude=(*scheme.exclude, *others))
        candidate = quantize_observed(model, observed, alone)
        logits = logits_of(candidate, validation.images, threads=threads)
        rows.append(_row(layer, reference, logits, validation.labels))
        progress(Step(task="sensitivity", done=done, total=len(layers), unit="layer"))
    return tuple(sorted(rows, key=lambda row: row.sqnr_db))


def sqnr_db(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> float:
    """Return the signal-to-quantization-noise ratio of logits [N, K], in dB."""
    signal = np.square(reference, dtype=np.float64).sum()
    noise = np.square(reference.astype(np.float64) - candidate).sum()
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _row(
    layer: str,
    reference: NDArray[np.float32],
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> LayerSensitivity:
    right = [int((each.argmax(axis=1) == labels).sum()) for each in (reference, logits)]
    return LayerSensitivity(
        layer=layer,
        sqnr_db=sqnr_db(reference, logits),
        correct_change=right[1] - right[0],
        n=len(labels),
    )
