"""MNIST: handwritten digits, grey, 28 x 28; its files come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.data import mnist_like
from edgenet.progress import ProgressCallback, ignore

if TYPE_CHECKING:
    from edgenet.data.split import Dataset

FOLDER = Path(__file__).parent / "files" / "mnist"
SIZE = (28, 28)

FACTS = mnist_like.Facts(
    name="mnist",
    class_names=tuple("0123456789"),
    mean=0.1307,
    std=0.3081,
    polarity="light-on-dark",
    may_flip=False,
    md5=(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)


def load(
    *,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    mode: str | None = None,
    progress: ProgressCallback = ignore,  # noqa: ARG001 - every loader takes it; this one is quick
) -> Dataset:
    """Load 55,000 pictures to train, 5,000 to validate and the 10,000 to test, [N, 1, 28, 28].

    Raises:
        UsageError: ``image_size`` or ``mode`` is not MNIST's own.
        CorruptFile: The package's files are damaged.

    Source:
        Y. LeCun, L. Bottou, Y. Bengio, P. Haffner 1998, Proc. IEEE 86(11), section III.
    """
    mnist_like.check_form("mnist", SIZE, image_size, mode)
    files = {name: FOLDER / f"{name}.gz" for name in mnist_like.FILES}
    return mnist_like.load(files, FACTS, split_seed=split_seed)
