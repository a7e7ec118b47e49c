"""One way to ask any trained network: a checkpoint through torch, a bundle through a runtime."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenet.errors import NotPossible, UsageError
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.preprocess import Preprocessing
from edgenet.workflows._resolve import Kind, Resolved

if TYPE_CHECKING:
    from edgenet.training.checkpoint import Checkpoint

TORCH = "torch"
"""What the runtime of a checkpoint is called."""


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A trained network that is ready to answer.

    Attributes:
        name: Of the model.
        path: The checkpoint's file or the bundle's folder.
        runtime: What computes: ``torch`` for a checkpoint, else a name of the table of runtimes.
        labels: Name of every class, in the order of the logits.
        preprocessing: How a picture becomes the input.
        probability: The map from logits to probabilities: softmax, sigmoid or identity.
        batch: The only batch that the network takes, or None where it takes any.
        data: Digest by split (``test``, ``validation``) of the data it was measured on, and under
            ``name`` the data set, as far as the file records them.
        run_batch: From uint8 [N, C, H, W] to logits float32 [N, K].
    """

    name: str
    path: Path
    runtime: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    probability: str
    batch: int | None
    data: dict[str, str]
    run_batch: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W].

        A network with a fixed batch gets full batches, the last one filled up with zeros.
        """
        if self.batch is None:
            return self.run_batch(np.array(images, order="C"))
        parts = []
        for start in range(0, len(images), self.batch):
            part = images[start : start + self.batch]
            full = np.zeros((self.batch, *images.shape[1:]), np.uint8)
            full[: len(part)] = part
            parts.append(self.run_batch(full)[: len(part)])
        return np.concatenate(parts)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities float64 [N, K] by the map that the network declares."""
        values = logits.astype(np.float64)
        if self.probability == "identity":
            return values
        if self.probability == "sigmoid":
            # 1 / (1 + exp(-x)) without an overflow for a large negative x.
            return np.exp(-np.logaddexp(0, -values))
        raised = np.exp(values - values.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
        return shares


@contextlib.contextmanager
def open_classifier(
    resolved: Resolved, *, runtime: str | None = None, threads: int = 1
) -> Iterator[Classifier]:
    """Load a run's best checkpoint, a checkpoint or a bundle for the length of a block.

    Args:
        resolved: A run, a checkpoint or a bundle.
        runtime: A name of the table of runtimes, for a bundle; by default the first one that takes
            its format and is installed. A checkpoint runs on torch.
        threads: How many share the work of one operator.

    Raises:
        UsageError: The runtime is unknown or does not take this.
        NotPossible: The runtime is not installed here.
        CorruptFile: The file is damaged.
    """
    if resolved.kind is Kind.BUNDLE:
        bundle = open_bundle(resolved.path)
        chosen = choose_runtime(bundle, runtime)
        session = runtimes.load_runtime(chosen).open_session(bundle, threads, "cpu")
        try:
            yield _of_bundle(bundle, resolved.path, chosen, session)
        finally:
            session.close()
    else:
        if runtime not in (None, TORCH):
            raise UsageError(
                f"a checkpoint runs on torch, not on {runtime!r}",
                f"export it and name the bundle: edgenet export {resolved.source}",
            )
        yield from _of_checkpoint(resolved.checkpoint, threads)


def choose_runtime(bundle: Bundle, wanted: str | None) -> str:
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
                f"{wanted} does not run {bundle.manifest.format} files",
                f"these do: {', '.join(suitable) or 'none'}",
            )
        suitable = [wanted]
    reasons = [runtimes.unavailable(name) for name in suitable]
    for name, reason in zip(suitable, reasons, strict=True):
        if reason is None:
            return name
    raise NotPossible(
        f"nothing here runs {bundle.manifest.format} files: "
        + ("; ".join(reason for reason in reasons if reason) or "no runtime takes them")
    )


def _of_bundle(bundle: Bundle, path: Path, runtime: str, session: Any) -> Classifier:
    manifest = bundle.manifest
    data = {split: figures.digest for split, figures in manifest.accuracy.items() if figures}
    if isinstance(manifest.options.get("data"), str):
        data["name"] = manifest.options["data"]
    return Classifier(
        name=manifest.name,
        path=path,
        runtime=runtime,
        labels=manifest.labels,
        preprocessing=manifest.preprocessing,
        probability=manifest.probability,
        batch=manifest.fixed_batch,
        data=data,
        run_batch=session.run,
    )


def _of_checkpoint(path: Path, threads: int) -> Iterator[Classifier]:
    """Yield the classifier of a checkpoint, with torch at ``threads`` threads until it is done."""
    import torch

    from edgenet.training import checkpoint as checkpoints

    checkpoint = checkpoints.load(path)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield Classifier(
            name=checkpoint.spec.name,
            path=path,
            runtime=TORCH,
            labels=checkpoint.labels,
            preprocessing=checkpoint.preprocessing,
            probability="softmax",
            batch=None,
            data=dict(checkpoint.data),
            run_batch=_network(checkpoint),
        )
    finally:
        torch.set_num_threads(before)


def _network(checkpoint: Checkpoint) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return a function from uint8 [N, C, H, W] to logits float32 [N, K], on the CPU."""
    import torch

    from edgenet.training.pictures import Pictures, logits_of

    network = checkpoint.build().to(memory_format=torch.channels_last)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = Pictures(
            images=torch.from_numpy(images),
            labels=torch.zeros(len(images), dtype=torch.int64),
            preprocessing=checkpoint.preprocessing,
        )
        logits: NDArray[np.float32] = logits_of(network, pictures, batch=len(images)).numpy()
        return logits

    return run
