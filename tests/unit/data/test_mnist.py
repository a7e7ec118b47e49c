"""MNIST as it comes with the package, and sets in its form."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgenet.data import Dataset, idx, load, mnist, mnist_like
from edgenet.data.pixels import mean_and_std, polarity_of
from edgenet.errors import CorruptFile, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """MNIST, split by seed 0."""
    return load("mnist")


def write_set(folder: Path, *, n: int = 120, classes: int = 3, suffix: str = ".gz") -> None:
    """Write four small IDX files of random pictures of 6 x 4."""
    rng = np.random.default_rng(0)
    for prefix in ("train", "t10k"):
        images = rng.integers(0, 100, (n, 6, 4), dtype=np.uint8)
        labels = (np.arange(n) % classes).astype(np.uint8)
        arrays = {f"{prefix}-images-idx3-ubyte": images, f"{prefix}-labels-idx1-ubyte": labels}
        for name, array in arrays.items():
            content = idx.encode_header(array.shape) + array.tobytes()
            packed = gzip.compress(content) if suffix == ".gz" else content
            (folder / (name + suffix)).write_bytes(packed)


def test_mnist_has_55000_5000_and_10000_pictures(digits: Dataset) -> None:
    """The shapes and types that everything after it builds on."""
    assert [len(s) for s in (digits.train, digits.validation, digits.test)] == [55000, 5000, 10000]
    assert digits.train.images.shape[1:] == (1, 28, 28)
    assert digits.train.class_names == tuple("0123456789")
    assert digits.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_validation_has_the_classes_in_proportion(digits: Dataset) -> None:
    """A twelfth of each class, within one picture."""
    drawn = np.bincount(digits.validation.labels)
    whole = drawn + np.bincount(digits.train.labels)
    assert np.abs(drawn - whole / 12).max() <= 1


def test_another_seed_draws_another_validation_set_and_the_same_test_set(digits: Dataset) -> None:
    """The test set is never touched by a choice."""
    other = load("mnist", split_seed=1)
    assert other.validation.digest != digits.validation.digest
    assert other.test.digest == digits.test.digest


def test_the_constants_agree_with_the_pictures(digits: Dataset) -> None:
    """0.1307 and 0.3081 are rounded to four digits, and the split moves them by less."""
    mean, std = mean_and_std(np.concatenate([digits.train.images, digits.validation.images]))
    assert mean == pytest.approx(digits.mean, abs=0.5e-4)
    assert std == pytest.approx(digits.std, abs=0.5e-4)
    assert polarity_of(digits.train.images) == digits.polarity == "light-on-dark"


def test_the_attribution_lies_beside_the_files() -> None:
    """CC BY-SA asks for it."""
    text = (mnist.FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "Yann LeCun" in text
    assert "Corinna Cortes" in text
    assert "CC BY-SA 3.0" in text


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    """Other digits under MNIST's name would make every published figure wrong."""
    write_set(tmp_path)
    files = mnist_like.find_files(tmp_path)
    assert files is not None
    with pytest.raises(CorruptFile, match=r"train-images-idx3-ubyte\.gz is not the published file"):
        mnist_like.load(files, mnist.FACTS, split_seed=0)


def test_mnist_has_its_own_size_and_mode() -> None:
    """What is asked for is done or refused, never ignored; its own form may be named."""
    with pytest.raises(UsageError, match="28 x 28"):
        load("mnist", image_size=32)
    with pytest.raises(UsageError, match="grey"):
        load("mnist", mode="RGB")


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_a_folder_of_four_idx_files_is_a_data_set(tmp_path: Path, suffix: str) -> None:
    """Relatives of MNIST need no pictures in class folders."""
    write_set(tmp_path, suffix=suffix)
    found = load(tmp_path, image_size=(6, 4), mode="L")
    assert found.name == tmp_path.name
    assert [len(split) for split in (found.train, found.validation, found.test)] == [110, 10, 120]
    assert found.train.class_names == ("0", "1", "2")
    assert found.polarity == "light-on-dark"
    whole = np.concatenate([found.train.images, found.validation.images])
    assert (found.mean, found.std) == mean_and_std(whole)
    with pytest.raises(UsageError, match="6 x 4"):
        load(tmp_path, image_size=28)


def test_a_folder_that_holds_mnist_is_known_by_its_checksums(digits: Dataset) -> None:
    """Its name decides nothing."""
    found = load(mnist.FOLDER)
    assert found.name == "mnist"
    assert found.mean == digits.mean
    assert found.train.digest == digits.train.digest


def test_labels_of_another_length_than_the_images_are_refused(tmp_path: Path) -> None:
    """Files of two data sets got mixed."""
    write_set(tmp_path)
    labels = np.zeros(5, np.uint8)
    content = idx.encode_header(labels.shape) + labels.tobytes()
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(CorruptFile, match="differ"):
        load(tmp_path)
