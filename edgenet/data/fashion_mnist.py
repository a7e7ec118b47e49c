"""Fashion-MNIST: ten kinds of clothing, grey, 28 x 28; from the disk, or downloaded once."""

from __future__ import annotations

import contextlib
import http.client
import io
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.data import mnist_like
from edgenet.errors import DataUnavailable
from edgenet.files import cache_root, new_folder_atomically
from edgenet.progress import ProgressCallback, Step, ignore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgenet.data.split import Dataset

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SIZE = (28, 28)

# The MD5s of the content of the gzip files whose own MD5s torchvision.datasets.FashionMNIST lists.
FACTS = mnist_like.Facts(
    name="fashion-mnist",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mean=0.2860,
    std=0.3530,
    polarity="light-on-dark",
    may_flip=True,
    md5=(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)

_CONNECT_TIMEOUT_S = 15.0
_THREE_WAYS = (
    "connect to the network and run this again, install Debian's package dataset-fashion-mnist "
    f"(to {DEBIAN_FOLDER}), or name a folder that holds the four IDX files: --data DIR"
)


def load(
    *,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    mode: str | None = None,
    progress: ProgressCallback = ignore,
) -> Dataset:
    """Load 55,000 pictures to train, 5,000 to validate and the 10,000 to test, [N, 1, 28, 28].

    The files are taken from where Debian's package puts them, else from the cache, into which they
    are downloaded when they are in neither place.

    Raises:
        UsageError: ``image_size`` or ``mode`` is not Fashion-MNIST's own.
        DataUnavailable: The files are not on this machine and cannot be downloaded.
        CorruptFile: A file is not the published one.

    Source:
        H. Xiao, K. Rasul, R. Vollgraf 2017, arXiv:1708.07747.
    """
    mnist_like.check_form("fashion-mnist", SIZE, image_size, mode)
    cache = cache_root() / "data" / "fashion-mnist"
    files = mnist_like.find_files(DEBIAN_FOLDER) or mnist_like.find_files(cache)
    if files is None:
        progress(Step(task="download fashion-mnist", done=0, total=1, unit="data set"))
        _download(cache)
        progress(Step(task="download fashion-mnist", done=1, total=1, unit="data set", final=True))
        files = {name: cache / f"{name}.gz" for name in mnist_like.FILES}
    return mnist_like.load(files, FACTS, split_seed=split_seed)


def _download(cache: Path) -> None:
    """Fetch the four gzip files by torchvision, from its mirrors and with its checksums.

    Raises:
        DataUnavailable: The network, the mirror or torchvision is absent, or the files differ.
    """
    with new_folder_atomically(cache, overwrite=True) as folder:
        try:
            from torchvision.datasets import FashionMNIST

            with _timeout(_CONNECT_TIMEOUT_S), contextlib.redirect_stderr(io.StringIO()):
                raw = Path(FashionMNIST(folder / "download", download=True).raw_folder)
        except (OSError, RuntimeError, ImportError, http.client.HTTPException) as error:
            message = f"Fashion-MNIST is not on this machine and cannot be downloaded: {error}"
            raise DataUnavailable(" ".join(message.split()), _THREE_WAYS) from error
        for name in mnist_like.FILES:
            (raw / f"{name}.gz").rename(folder / f"{name}.gz")
        shutil.rmtree(folder / "download")


@contextlib.contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Let no connection wait longer: torchvision sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
