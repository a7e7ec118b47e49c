"""Running an ONNX graph that lies in memory, to see what its values are. The CPU, onnxruntime.

On x86 processors without VNNI onnxruntime adds pairs of INT8 products into 16 bits, where they
saturate: a LeNet-5 with uint8 activations keeps 16 dB of 40. Its exact mode multiplies otherwise.

Source:
    onnxruntime's ``session.x64quantprecision``, github.com/microsoft/onnxruntime/pull/12088.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_BATCH = 50
_LOG_ERRORS_ONLY = 3


def run_batches(
    model: bytes, images: NDArray[np.uint8], names: Sequence[str], *, threads: int = 1
) -> Iterator[list[NDArray[Any]]]:
    """Yield the values of these names, [n, ...] each, for one batch of pictures after the other.

    A layer may read several rows of each picture, [n·t, ...]; all of them are there.

    Args:
        model: An ONNX file's content; its only input takes pictures.
        images: uint8 [N, C, H, W].
        names: Outputs of the graph.
        threads: How many share the work of one operator.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (entrance,) = session.get_inputs()
    fixed = entrance.shape[0] if isinstance(entrance.shape[0], int) else None
    dtype = np.float32 if entrance.type == "tensor(float)" else np.uint8
    size = fixed or _BATCH
    for first in range(0, len(images), size):
        part = images[first : first + size]
        missing = (fixed or 0) - len(part)
        filled = np.concatenate([part, np.repeat(part[-1:], missing, 0)]) if missing > 0 else part
        values = session.run(list(names), {entrance.name: filled.astype(dtype, copy=False)})
        yield [value[: len(value) * len(part) // len(filled)] for value in values]


def logits_of(model: bytes, images: NDArray[np.uint8], *, threads: int = 1) -> NDArray[np.float32]:
    """Return the logits, float32 [N, K], of pictures uint8 [N, C, H, W]."""
    parts = run_batches(model, images, ["logits"], threads=threads)
    return np.concatenate([logits for (logits,) in parts])
