"""Running a loaded bundle on any number of pictures, whatever batch it takes."""

from typing import Any, Callable, Optional, Tuple

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
        self._smallest, self._largest = batches_of(session, fixed_batch)

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
                batches of that instead, and an engine no more than its largest.
            on_batch: Told after every batch how many pictures are done.
        """
        size = max(batch or len(images), self._smallest)
        if self._largest is not None:
            size = min(size, self._largest)
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
        """Fill a batch that is too small up with its last picture.

        A real picture, since a network whose activations are quantized while it runs takes their
        range from the whole batch.
        """
        missing = self._smallest - len(part)
        if missing <= 0:
            return part
        return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])


def batches_of(session: Any, fixed_batch: Optional[int]) -> Tuple[int, Optional[int]]:
    """Return the smallest and the largest batch that a session takes; None has no limit.

    Args:
        session: A runtime's; an engine's session has a ``batch_range``.
        fixed_batch: The only batch that the bundle takes, or None where it takes any.
    """
    if fixed_batch is not None:
        return fixed_batch, fixed_batch
    smallest, largest = getattr(session, "batch_range", (1, None))
    return int(smallest), None if largest is None else int(largest)


def open_inference(
    bundle: Bundle,
    runtime: Optional[str] = None,
    threads: int = 1,
    device: Optional[str] = None,
) -> Inference:
    """Load a bundle.

    Args:
        bundle: Opened, or about to become a bundle.
        runtime: A name of the table of runtimes; by default the first that takes the bundle's
            format on the device and is installed.
        threads: How many share the work of one operator.
        device: ``cpu``, ``cuda`` or ``cuda:N``; by default the CPU wherever a runtime can.

    Raises:
        UsageError: The runtime is unknown or does not take the format, or there is no such device.
        NotPossible: It is not installed, does not run on the device, or does not load the model.
        CorruptFile: The model is not what the manifest says.
    """
    name = choose_runtime(bundle, runtime, device)
    chosen = runtimes.load_runtime(name)
    session = chosen.open_session(bundle, threads, runtimes.device_of(name, device))
    return Inference(session, bundle.manifest.fixed_batch)


def choose_runtime(
    bundle: Bundle, wanted: Optional[str] = None, device: Optional[str] = None
) -> str:
    """Return the runtime for a bundle.

    Args:
        bundle: Which.
        wanted: The one that was asked for, or None.
        device: That it must run on; None takes one of the CPU, and only where none takes the format
            there, another.

    Raises:
        UsageError: ``wanted`` is unknown or does not take the bundle's format, or there is no such
            device.
        NotPossible: Neither it nor, where none is wanted, any other is installed; or it does not
            run on the device.
    """
    taken_as = bundle.manifest.format
    suitable = runtimes.for_format(taken_as, device)
    if wanted is not None:
        if taken_as not in runtimes.load_runtime(wanted).FORMATS:
            takers = [name for name in runtimes.TABLE if taken_as in runtimes.formats(name)]
            raise UsageError(
                "{} does not run {} files".format(wanted, taken_as),
                "these do: {}".format(", ".join(takers) or "none"),
            )
        runtimes.device_of(wanted, device)
        suitable = [wanted]
    reasons = []
    for name in suitable:
        reason = runtimes.unavailable(name)
        if reason is None:
            return name
        reasons.append(reason)
    why = "; ".join(reasons) or "no runtime takes them"
    where = "nothing here" if device is None else "nothing on {} here".format(device)
    raise NotPossible("{} runs {} files: {}".format(where, taken_as, why))
