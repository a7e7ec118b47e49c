"""Running a loaded bundle on any number of pictures, whatever batch it takes."""

from typing import Any, Callable, Optional

import numpy as np

from edgenet.errors import NotPossible, UsageError
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle

BATCH = 256


class Inference:
    """A loaded bundle that takes any number of pictures.

    Args:
        session: A runtime's, closed by :meth:`close`.
        fixed_batch: The only batch that the bundle takes, or None where it takes any.
    """

    def __init__(self, session: Any, fixed_batch: Optional[int]) -> None:
        self._session = session
        self._fixed_batch = fixed_batch

    def logits(
        self,
        images: np.ndarray,
        batch: Optional[int] = BATCH,
        on_batch: Optional[Callable[[int], None]] = None,
    ) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W].

        Args:
            images: At least one.
            batch: Pictures at a time; None takes all at once. A bundle with a fixed batch gets full
                batches of that instead.
            on_batch: Told after every batch how many pictures are done.
        """
        size = self._fixed_batch or batch or len(images)
        parts = []
        for first in range(0, len(images), size):
            part = images[first : first + size]
            parts.append(self._session.run(self._filled(part))[: len(part)])
            if on_batch is not None:
                on_batch(first + len(part))
        return np.concatenate(parts)

    def close(self) -> None:
        """Give the model's memory back."""
        self._session.close()

    def _filled(self, part: np.ndarray) -> np.ndarray:
        """Fill a batch up with its last picture.

        A real picture, since a network whose activations are quantized while it runs takes their
        range from the whole batch.
        """
        missing = (self._fixed_batch or 0) - len(part)
        if missing <= 0:
            return part
        return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])


def open_inference(bundle: Bundle, runtime: Optional[str] = None, threads: int = 1) -> Inference:
    """Load a bundle on the CPU.

    Args:
        bundle: Opened, or about to become a bundle.
        runtime: A name of the table of runtimes; by default the first that takes the bundle's
            format and is installed.
        threads: How many share the work of one operator.

    Raises:
        UsageError: The runtime is unknown or does not take the format.
        NotPossible: It is not installed, or does not load the model.
        CorruptFile: The model is not what the manifest says.
    """
    chosen = runtimes.load_runtime(choose_runtime(bundle, runtime))
    return Inference(chosen.open_session(bundle, threads, "cpu"), bundle.manifest.fixed_batch)


def choose_runtime(bundle: Bundle, wanted: Optional[str] = None) -> str:
    """Return the runtime for a bundle.

    Raises:
        UsageError: ``wanted`` is unknown or does not take the bundle's format.
        NotPossible: Neither it nor, where none is wanted, any other is installed.
    """
    suitable = runtimes.for_format(bundle.manifest.format)
    if wanted is not None:
        runtimes.load_runtime(wanted)
        if wanted not in suitable:
            raise UsageError(
                "{} does not run {} files".format(wanted, bundle.manifest.format),
                "these do: {}".format(", ".join(suitable) or "none"),
            )
        suitable = [wanted]
    reasons = []
    for name in suitable:
        reason = runtimes.unavailable(name)
        if reason is None:
            return name
        reasons.append(reason)
    why = "; ".join(reasons) or "no runtime takes them"
    raise NotPossible("nothing here runs {} files: {}".format(bundle.manifest.format, why))
