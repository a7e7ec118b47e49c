"""One way to ask any trained network: checkpoints through torch, a bundle through a runtime."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenet.errors import UsageError
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference, choose_runtime, open_inference
from edgenet.runner.preprocess import Preprocessing
from edgenet.workflows._resolve import Kind, Resolved
from edgenet.workflows.bench_data import recorded_split_seed
from edgenet.workflows.trained import load_trained

if TYPE_CHECKING:
    from edgenet.workflows.trained import TrainedNetwork

TORCH = "torch"
"""What the runtime of checkpoints is called."""


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A trained network that is ready to answer.

    Attributes:
        name: Of the model.
        path: The checkpoint's file, or the folder of the bundle or the group.
        runtime: What computes: ``torch`` for checkpoints, else a name of the table of runtimes.
        labels: Name of every class, in the order of the logits.
        preprocessing: How a picture becomes the input.
        probability: The map from logits to probabilities: softmax, sigmoid or identity.
        data: Digest by split (``test``, ``validation``) of the data it was measured on, and under
            ``name`` and ``split_seed`` the data set, as far as the file records them.
        logits: From pictures uint8 [N, C, H, W], one at least, to logits float32 [N, K].
    """

    name: str
    path: Path
    runtime: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    probability: str
    data: dict[str, str]
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities float64 [N, K] by the map that the network declares."""
        return as_probabilities(logits, self.probability)


def as_probabilities(logits: NDArray[np.float32], rule: str) -> NDArray[np.float64]:
    """Turn logits [N, K] into probabilities by ``softmax``, ``sigmoid`` or ``identity``."""
    values = logits.astype(np.float64)
    if rule == "identity":
        return values
    if rule == "sigmoid":
        # 1 / (1 + exp(-x)) without an overflow for a large negative x.
        return np.exp(-np.logaddexp(0, -values))
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares


@contextlib.contextmanager
def open_classifier(
    resolved: Resolved, *, runtime: str | None = None, threads: int = 1
) -> Iterator[Classifier]:
    """Load a run's best checkpoint, a group's, a checkpoint or a bundle for the length of a block.

    Args:
        resolved: A run, a group, a checkpoint or a bundle.
        runtime: A name of the table of runtimes, for a bundle; by default the first one that takes
            its format and is installed. Checkpoints run on torch.
        threads: How many share the work of one operator.

    Raises:
        UsageError: The runtime is unknown or does not take this, or a group is not trained to its
            end.
        NotPossible: The runtime is not installed here.
        CorruptFile: The file is damaged.
    """
    if resolved.kind is Kind.BUNDLE:
        bundle = open_bundle(resolved.path)
        chosen = choose_runtime(bundle, runtime)
        with contextlib.closing(open_inference(bundle, chosen, threads)) as inference:
            yield _of_bundle(bundle, resolved.path, chosen, inference)
    else:
        if runtime not in (None, TORCH):
            raise _not_on_torch(resolved, runtime)
        yield from _of_network(load_trained(resolved), threads)


def _not_on_torch(resolved: Resolved, runtime: str | None) -> UsageError:
    what, way = "a checkpoint", f"export it and name the bundle: edgenet export {resolved.source}"
    if resolved.kind is Kind.GROUP:
        what, way = "a seed group", "export one of its members and name the bundle: edgenet export"
    return UsageError(f"{what} runs on torch, not on {runtime!r}", way)


def _of_bundle(bundle: Bundle, path: Path, runtime: str, inference: Inference) -> Classifier:
    manifest = bundle.manifest
    data = {split: figures.digest for split, figures in manifest.accuracy.items() if figures}
    if isinstance(manifest.options.get("data"), str):
        data["name"] = manifest.options["data"]
    seed = recorded_split_seed(manifest, None)
    if seed is not None:
        data["split_seed"] = str(seed)
    return Classifier(
        name=manifest.name,
        path=path,
        runtime=runtime,
        labels=manifest.labels,
        preprocessing=manifest.preprocessing,
        probability=manifest.probability,
        data=data,
        logits=functools.partial(inference.logits, batch=None),
    )


def _of_network(trained: TrainedNetwork, threads: int) -> Iterator[Classifier]:
    """Yield the classifier of a network, with torch at ``threads`` threads until it is done."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield Classifier(
            name=trained.name,
            path=trained.path,
            runtime=TORCH,
            labels=trained.labels,
            preprocessing=trained.preprocessing,
            probability=trained.probability,
            data=trained.data,
            logits=_logits(trained),
        )
    finally:
        torch.set_num_threads(before)


def _logits(trained: TrainedNetwork) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return a function from uint8 [N, C, H, W] to logits float32 [N, K], on the CPU."""
    import torch

    from edgenet.training.pictures import Pictures, logits_of

    network = trained.network.to(memory_format=torch.channels_last)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = Pictures(
            images=torch.from_numpy(np.array(images, order="C")),
            labels=torch.zeros(len(images), dtype=torch.int64),
            preprocessing=trained.preprocessing,
        )
        logits: NDArray[np.float32] = logits_of(network, pictures, batch=len(images)).numpy()
        return logits

    return run
