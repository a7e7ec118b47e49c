"""What the file of a bundle answers on whole splits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from edgenet.progress import ProgressCallback, Step
from edgenet.runner.inference import open_inference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenet.data import Split
    from edgenet.runner.bundle import Bundle


def logits_on(
    bundle: Bundle,
    splits: Mapping[str, Split],
    *,
    threads: int,
    called: str,
    progress: ProgressCallback,
) -> dict[str, NDArray[np.float32]]:
    """Run a bundle's file, as it lies on the disk, on whole splits.

    Args:
        bundle: Opened, or about to become a bundle.
        splits: By name.
        threads: CPU threads of the runtime.
        called: What the progress calls the file, such as ``int8``.
        progress: Told of every batch of pictures.

    Returns:
        Logits float32 [N, K] by name of the split.

    Raises:
        NotPossible: No runtime here loads it.
    """
    found = {}
    with closing(open_inference(bundle, threads=threads)) as inference:
        for name, split in splits.items():
            task = f"verify {called} on {name}"
            step = Step(task=task, done=0, total=len(split), unit="picture")

            def report(done: int, step: Step = step) -> None:
                progress(replace(step, done=done))

            found[name] = inference.logits(split.images, on_batch=report)
    return found
