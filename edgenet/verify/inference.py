"""Running a bundle on any number of pictures, with the first runtime here that takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.progress import ProgressCallback, Step, ignore
from edgenet.runner.runtimes import for_format, load_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.runner.bundle import Bundle

_BATCH = 256


class Inference:
    """A bundle, loaded by its runtime, that takes any number of pictures.

    Args:
        bundle: Opened, or about to become a bundle.
        runtime: A name of the table of runtimes.
        threads: For the runtime.
    """

    def __init__(self, bundle: Bundle, *, runtime: str, threads: int) -> None:
        self._session = load_runtime(runtime).open_session(bundle, threads, "cpu")
        self._batch = bundle.manifest.fixed_batch
        self._dtype = bundle.manifest.input.dtype

    def logits(
        self, images: NDArray[Any], *, task: str = "verify", progress: ProgressCallback = ignore
    ) -> NDArray[np.float32]:
        """Return the logits, float32 [N, K], of pictures [N, C, H, W].

        A bundle with a fixed batch gets its last batch filled up with black pictures.
        """
        size = self._batch or _BATCH
        results = []
        for start in range(0, len(images), size):
            batch = np.ascontiguousarray(images[start : start + size], dtype=self._dtype)
            count = len(batch)
            if self._batch is not None and count < size:
                fill = np.zeros((size - count, *batch.shape[1:]), batch.dtype)
                batch = np.concatenate([batch, fill])
            results.append(self._session.run(batch)[:count])
            progress(Step(task=task, done=start + count, total=len(images), unit="picture"))
        return np.concatenate(results)

    def close(self) -> None:
        """Give the model's memory back."""
        self._session.close()


def open_inference(bundle: Bundle, *, threads: int = 1) -> Inference | str:
    """Load a bundle with the first runtime here that takes its format, or return why none can."""
    reasons = []
    for runtime in for_format(bundle.manifest.format):
        reason = load_runtime(runtime).unavailable()
        if reason is None:
            return Inference(bundle, runtime=runtime, threads=threads)
        reasons.append(str(reason))
    return "; ".join(reasons) or f"no runtime takes format {bundle.manifest.format!r}"
