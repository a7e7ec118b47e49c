"""Which values the inputs of a network's layers take, on the calibration pictures.

Of every distribution only the two ends are kept: that is exact for any percentile from 99.9 on,
takes a thousandth of the memory, and serves all schemes with one run of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgenet.compress.execution import run_batches
from edgenet.compress.layers import weighted_nodes
from edgenet.compress.scheme import LOWEST_PERCENTILE
from edgenet.errors import NotPossible, UsageError
from edgenet.progress import ProgressCallback, Step, ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Tails:
    """The two ends of a distribution of ``n`` values, each a thousandth of it.

    Attributes:
        lowest: float32 [k], ascending.
        highest: float32 [k], descending.
        n: How many values there were in all.
    """

    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    n: int

    @property
    def is_finite(self) -> bool:
        """Whether all values were numbers; NaN counts as the highest."""
        return bool(np.isfinite(self.lowest[0]) and np.isfinite(self.highest[0]))

    def magnitude(self, percentile: float) -> float:
        """Return the smallest b such that [−b, b] holds this percentage of all values."""
        # The largest magnitudes are all at one end or the other.
        magnitudes = np.sort(np.abs(np.concatenate([self.lowest, self.highest])))[::-1]
        return float(magnitudes[_beyond(self.n, percentile)])

    def between(self, percentile: float) -> tuple[float, float]:
        """Return the range outside of which, on each side, lie 100 % − percentile of all values."""
        beyond = _beyond(self.n, percentile)
        return float(self.lowest[beyond]), float(self.highest[beyond])


def observe(
    model: bytes,
    images: NDArray[np.uint8],
    *,
    threads: int = 1,
    progress: ProgressCallback = ignore,
) -> Mapping[str, Tails]:
    """Run a network on the calibration pictures and note what its layers are given.

    Args:
        model: An FP32 ONNX file's content.
        images: uint8 [N, C, H, W], at least one.
        threads: How many share the work of one operator.
        progress: Told of pictures.

    Returns:
        By name of every value that a layer with weights reads.

    Raises:
        UsageError: There are no pictures.
        NotPossible: A value is not a finite number.
    """
    if not len(images):
        raise UsageError("there are no calibration pictures")
    watched = onnx.load_model_from_string(model)
    names = list(dict.fromkeys(node.input for node in weighted_nodes(watched.graph)))
    del watched.graph.output[1:]  # the logits tell how many pictures a batch has
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    found: dict[str, Tails] = {}
    done = 0
    wanted = ["logits", *names]
    for logits, *values in run_batches(
        watched.SerializeToString(), images, wanted, threads=threads
    ):
        for name, value in zip(names, values, strict=True):
            kept = 1 + _beyond(value.size // len(logits) * len(images), LOWEST_PERCENTILE)
            found[name] = _extended(found.get(name), value.reshape(-1), kept)
        done += len(logits)
        progress(Step(task="calibrate", done=done, total=len(images), unit="picture"))
    for name, tails in found.items():
        if not tails.is_finite:
            raise NotPossible(
                f"the value {name!r} is not a finite number on the calibration pictures",
                "the network itself overflows; look at its weights",
            )
    return found


def _extended(tails: Tails | None, values: NDArray[np.float32], kept: int) -> Tails:
    """Return the ends of a distribution to which ``values`` [n] are added."""
    low = high = values
    if tails is not None:
        low = np.concatenate([tails.lowest, values])
        high = np.concatenate([tails.highest, values])
    if kept < len(low):
        low = np.partition(low, kept - 1)[:kept]
        high = np.partition(high, len(high) - kept)[-kept:]
    return Tails(
        lowest=np.sort(low),
        highest=np.sort(high)[::-1],
        n=len(values) + (tails.n if tails else 0),
    )


def _beyond(n: int, percentile: float) -> int:
    """Return how many of ``n`` values may lie outside of a percentile."""
    return math.floor(n * (100 - percentile) / 100)
