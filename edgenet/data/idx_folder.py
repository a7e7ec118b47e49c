"""A folder of the user's that holds four IDX files: MNIST, Fashion-MNIST or a relative of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.data import fashion_mnist, mnist, mnist_like
from edgenet.data.pixels import mean_and_std, polarity_of

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.data.split import Dataset


def load(
    folder: Path,
    *,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    mode: str | None = None,
) -> Dataset | None:
    """Load a folder's four IDX files, if it has them.

    MNIST and Fashion-MNIST are known by their checksums and get their own names. Any other set's
    classes are named by their numbers.

    Returns:
        The data set, or None when ``folder`` does not hold the four files.

    Raises:
        UsageError: ``image_size`` or ``mode`` is not the files' own, or a label has no class.
        DataUnavailable: A file cannot be read.
        CorruptFile: A file is damaged.
    """
    files = mnist_like.find_files(folder)
    if files is None:
        return None
    arrays, md5s = mnist_like.read_files(files)
    height, width = arrays.train_images.shape[1:]
    mnist_like.check_form(str(folder), (height, width), image_size, mode)
    for facts in (mnist.FACTS, fashion_mnist.FACTS):
        if facts.md5 == md5s:
            return mnist_like.assemble(arrays, facts, split_seed=split_seed)
    return mnist_like.assemble(arrays, _measured(folder, arrays, md5s), split_seed=split_seed)


def _measured(folder: Path, arrays: mnist_like.Arrays, md5s: tuple[str, ...]) -> mnist_like.Facts:
    images = arrays.train_images[:, None]
    (mean,), (std,) = mean_and_std(images)
    return mnist_like.Facts(
        name=folder.resolve().name,
        class_names=tuple(str(label) for label in range(int(arrays.train_labels.max()) + 1)),
        mean=mean,
        std=std,
        polarity=polarity_of(images),
        may_flip=True,
        md5=md5s,
    )
