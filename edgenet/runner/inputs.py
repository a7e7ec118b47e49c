"""The pictures a measurement runs on: an evaluation set on disk, or a bundle's golden inputs."""

import json
import random
from pathlib import Path
from typing import List, NamedTuple, Tuple

import numpy as np

from edgenet.errors import CorruptFile, DataUnavailable, UsageError

DISTINCT_PICTURES = 512
FEWEST_BATCHES = 2
MAX_POOL_BYTES = 1 << 26


class EvaluationSet(NamedTuple):
    """A split on disk, not read into memory.

    Attributes:
        images: uint8 [N, C, H, W], mapped.
        labels: int64 [N].
        digest: SHA-256 of the split's content, as its writer took it.
    """

    images: np.ndarray
    labels: np.ndarray
    digest: str


def open_evaluation_set(folder: Path) -> EvaluationSet:
    """Open what `edgenet.data.evaluation.write_evaluation_set` wrote.

    Raises:
        DataUnavailable: The folder or one of its files is not there.
        CorruptFile: The files are not such a set.
    """
    try:
        images = np.load(str(folder / "images.npy"), mmap_mode="r", allow_pickle=False)
        labels = np.load(str(folder / "labels.npy"), allow_pickle=False)
        digest = json.loads((folder / "meta.json").read_text("utf-8"))["digest"]
    except OSError as error:
        message = "the evaluation set {} cannot be read: {}".format(folder, error)
        raise DataUnavailable(message) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile("{} is no evaluation set: {}".format(folder, error)) from error
    whole = images.ndim == 4 and images.dtype == np.uint8 and labels.shape == images.shape[:1]
    if not whole or not len(images) or labels.dtype != np.int64 or not isinstance(digest, str):
        raise CorruptFile("{} is no evaluation set: its arrays do not fit".format(folder))
    return EvaluationSet(images, labels, digest)


def check_pictures(shape: Tuple[int, ...], wanted: Tuple[int, int, int], source: str) -> None:
    """Refuse pictures that the model does not take.

    Args:
        shape: Of the pictures, (N, C, H, W).
        wanted: The model's (C, H, W).
        source: What the pictures come from, for the message.

    Raises:
        UsageError: They differ.
    """
    if tuple(shape[1:]) != wanted:
        message = "pictures of {} are {}, the bundle takes {}"
        raise UsageError(message.format(source, list(shape[1:]), list(wanted)))


def first_batch(images: np.ndarray, batch: int) -> np.ndarray:
    """Copy the first pictures uint8 [batch, C, H, W]; they occur again where there are too few."""
    return np.ascontiguousarray(images[np.arange(batch) % len(images)])


def timed_batches(images: np.ndarray, batch: int, seed: int) -> List[np.ndarray]:
    """Copy real pictures into batches to be timed, so that no disk is read while the clock runs.

    Args:
        images: uint8 [N, C, H, W], at least one.
        batch: Pictures a batch.
        seed: Of the choice; the same seed gives the same batches on every Python.

    Returns:
        Arrays uint8 [batch, C, H, W]: of 512 pictures in all, or as many as 64 MiB hold, but two
        batches at least. Where the set has fewer pictures they occur again.
    """
    picture_bytes = int(np.prod(images.shape[1:]))
    affordable = min(DISTINCT_PICTURES, MAX_POOL_BYTES // picture_bytes)
    count = max(FEWEST_BATCHES, affordable // batch)
    order = list(range(len(images)))
    random.Random(seed).shuffle(order)
    picks = [order[position % len(order)] for position in range(count * batch)]
    pool = np.ascontiguousarray(images[picks])
    return [pool[first : first + batch] for first in range(0, len(pool), batch)]
