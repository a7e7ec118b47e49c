"""Fashion-MNIST: where its files are looked for, and what is said when they are nowhere."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest

from edgenet.data import fashion_mnist, load, mnist, mnist_like
from edgenet.data.pixels import mean_and_std, polarity_of
from edgenet.errors import CorruptFile, DataUnavailable
from edgenet.files import cache_root

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.progress import Step


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with neither Debian's package nor a cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path


def copy_mnist(folder: Path) -> None:
    """Put four files of the right names into ``folder``: MNIST's."""
    folder.mkdir(parents=True)
    for name in mnist_like.FILES:
        (folder / f"{name}.gz").symlink_to(mnist.FOLDER / f"{name}.gz")


def test_offline_and_absent_names_the_three_ways(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer without a network must know what to do next; nothing half-made stays."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    before = socket.getdefaulttimeout()
    with pytest.raises(DataUnavailable, match="cannot be downloaded") as caught:
        load("fashion-mnist")
    assert caught.value.hint is not None
    for way in ("network", "dataset-fashion-mnist", "--data DIR"):
        assert way in caught.value.hint
    assert list((cache_root() / "data").iterdir()) == []
    assert socket.getdefaulttimeout() == before


def test_a_download_lands_in_the_cache_and_is_not_repeated(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library writes packed and unpacked files; the packed ones are kept."""
    roots = []

    class Published:
        def __init__(self, root: Path, download: bool) -> None:
            roots.append(root)
            self.raw_folder = str(root / "FashionMNIST" / "raw")
            copy_mnist(root / "FashionMNIST" / "raw")
            (root / "FashionMNIST" / "raw" / mnist_like.FILES[0]).write_bytes(b"unpacked")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", Published)
    monkeypatch.setattr(fashion_mnist, "FACTS", mnist.FACTS)
    steps: list[Step] = []
    first = load("fashion-mnist", progress=steps.append)
    second = load("fashion-mnist", progress=steps.append)
    assert first.test.digest == second.test.digest
    assert len(roots) == 1
    assert [step.done for step in steps] == [0, 1]
    kept = sorted(path.name for path in (cache_root() / "data" / "fashion-mnist").iterdir())
    assert kept == sorted(f"{name}.gz" for name in mnist_like.FILES)


def test_the_folder_of_debians_package_comes_first(nowhere: Path) -> None:
    """And its files are held against the published checksums like any others."""
    copy_mnist(nowhere / "debian")
    with pytest.raises(
        CorruptFile, match=r"debian/train-images-idx3-ubyte\.gz is not the published"
    ):
        load("fashion-mnist")


@pytest.mark.skipif(
    mnist_like.find_files(fashion_mnist.DEBIAN_FOLDER) is None,
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_the_published_files_agree_with_what_is_said_of_them() -> None:
    """Numbers, constants and polarity, from the real pictures."""
    found = load("fashion-mnist")
    assert [len(s) for s in (found.train, found.validation, found.test)] == [55000, 5000, 10000]
    mean, std = mean_and_std(found.train.images)
    assert mean == pytest.approx(found.mean, abs=5e-4)
    assert std == pytest.approx(found.std, abs=5e-4)
    assert polarity_of(found.train.images) == found.polarity
    assert load(fashion_mnist.DEBIAN_FOLDER).name == "fashion-mnist"
