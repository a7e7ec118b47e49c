"""Choices that training makes before it begins: by the data, and by a look at the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import UsageError
from edgenet.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from edgenet.data import Dataset
    from edgenet.runner.preprocess import Preprocessing
    from edgenet.training.distributed import Ranks
    from edgenet.training.pictures import Pictures


def check_flips(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse to mirror pictures that then show another class, or none.

    Raises:
        UsageError: The recipe mirrors them.
    """
    if recipe.augmentation.flip and not dataset.may_flip:
        raise UsageError(
            f"a picture of {dataset.name} that is mirrored does not show its class any more",
            "leave augmentation.flip at 0",
        )


def preprocessing_of(dataset: Dataset, recipe: Recipe, *, pad: int) -> Preprocessing:
    """Return how pictures of ``dataset`` become the input of a network.

    Args:
        dataset: Its training pictures say the size and, unless the recipe has fixed numbers, mean
            and deviation: also where the weights come from a network of other data.
        recipe: Names the rule of normalisation.
        pad: Zero pixels that the model wants around a picture.
    """
    from edgenet.runner.preprocess import Preprocessing
    from edgenet.training.normalization import mean_and_std

    channels, height, width = dataset.train.images.shape[1:]
    mean, std = mean_and_std(recipe, dataset.mean, dataset.std)
    return Preprocessing(
        mode="L" if channels == 1 else "RGB",
        height=height,
        width=width,
        resize="stretch",
        mean=mean,
        std=std,
        pad=pad,
        polarity=dataset.polarity,
    )


def recorded(data: str) -> str:
    """Return a data set's name as it is, and a folder so that it is found from any other."""
    from edgenet.data import names

    return data if data in names() else str(Path(data).resolve())


def choose_threads(
    wanted: int, network: nn.Module, recipe: Recipe, train: Pictures, ranks: Ranks
) -> tuple[int, str]:
    """Return the number of threads to use, and how it came about.

    Several processes share the cores of their machine.
    """
    import torch

    from edgenet.training import threads
    from edgenet.training.loop import trial_step

    if wanted:
        return wanted, f"{wanted} (as asked for)"
    if train.images.device.type != "cpu":
        return 1, f"1 ({train.images.device} computes)"
    with torch.random.fork_rng(devices=[]):
        step = trial_step(network, recipe, train, processes=ranks.size)
        probe = threads.choose_threads(step, processes=ranks.local_size)
    return probe.threads, probe.describe()


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
