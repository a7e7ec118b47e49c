"""How large the values of a network become, one by one: what FP16 has to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgenet.compress.execution import run_batches
from edgenet.progress import ProgressCallback, Step, ignore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def magnitudes(
    model: bytes,
    images: NDArray[np.uint8],
    names: Sequence[str],
    *,
    threads: int = 1,
    progress: ProgressCallback = ignore,
) -> dict[str, float]:
    """Return the largest |value| of each of these values, in their order.

    Args:
        model: An FP32 ONNX file's content.
        images: uint8 [N, C, H, W], one at least.
        names: Float values that nodes of the graph make.
        threads: How many share the work of one operator.
        progress: Told of pictures.

    Returns:
        By name; NaN or infinity where a value was not finite.
    """
    watched = onnx.load_model_from_string(model)
    outputs = {output.name for output in watched.graph.output}
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name not in outputs
    )
    largest = np.zeros(len(names))
    done = 0
    for values in run_batches(watched.SerializeToString(), images, names, threads=threads):
        found = [float(np.abs(value).max(initial=0)) for value in values]
        largest = np.maximum(largest, found)  # which passes NaN on
        done += len(values[0])
        progress(Step(task="look for overflow", done=done, total=len(images), unit="picture"))
    return dict(zip(names, largest.tolist(), strict=True))
