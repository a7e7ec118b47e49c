"""Folders of pictures: every layout, size and mode, and whatever else lies in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edgenet.data import folder as pictures
from edgenet.data import load
from edgenet.errors import DataUnavailable, UsageError
from edgenet.files import cache_root

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.progress import Step


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def draw(path: Path, level: int = 200, size: tuple[int, int] = (28, 28), mode: str = "L") -> None:
    """Save a picture of (width, height) ``size``: a light square on black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 4 : -height // 4, width // 4 : -width // 4] = level
    Image.fromarray(pixels).convert(mode).save(path)


def fill(root: Path, classes: dict[str, int], size: tuple[int, int] = (28, 28)) -> None:
    """Draw so many pictures of every class."""
    for name, n in classes.items():
        for number in range(n):
            draw(root / name / f"{number}.png", 100 + number, size)


def test_one_level_is_split_by_seed_80_10_10(tmp_path: Path) -> None:
    """The classes in proportion, sorted by name."""
    fill(tmp_path, {"zebra": 20, "ant": 30})
    found = load(tmp_path)
    assert found.name == tmp_path.name
    assert found.train.class_names == ("ant", "zebra")
    counts = [np.bincount(s.labels).tolist() for s in (found.train, found.validation, found.test)]
    assert counts == [[24, 16], [3, 2], [3, 2]]
    assert found.train.images.shape == (40, 1, 28, 28)
    assert found.polarity == "light-on-dark"
    assert load(tmp_path, split_seed=1).test.digest != found.test.digest
    assert load(tmp_path).test.digest == found.test.digest


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_the_folders_own_parts_are_kept(tmp_path: Path, validation: str) -> None:
    """Nothing is drawn where the layout decides."""
    fill(tmp_path / "train", {"a": 3, "b": 4})
    fill(tmp_path / validation, {"a": 1, "b": 2})
    fill(tmp_path / "test", {"b": 2})
    found = load(tmp_path)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [7, 3, 2]
    assert found.test.labels.tolist() == [1, 1]


def test_a_part_that_is_missing_is_drawn_from_training(tmp_path: Path) -> None:
    """The test pictures stay the folder's own."""
    fill(tmp_path / "train", {"a": 20, "b": 20})
    fill(tmp_path / "test", {"a": 5, "b": 5})
    found = load(tmp_path)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [36, 4, 10]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Trains, buses and cars are an ordinary data set."""
    fill(tmp_path, {"bus": 10, "train": 10})
    assert load(tmp_path).train.class_names == ("bus", "train")


def test_parts_and_classes_side_by_side_are_refused(tmp_path: Path) -> None:
    """Test pictures would silently become a class of their own."""
    fill(tmp_path, {"cat": 10, "dog": 10, "test": 10})
    with pytest.raises(UsageError, match=r"mixes parts \(test\) and classes \(cat\)"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({}, "holds no class folders"),
        ({"a": 5}, "one class only"),
        ({"a": 5, "b": 0}, "no training picture is of the class 'b'"),
        ({"a": 0, "b": 0}, "are empty"),
        ({"a": 2, "b": 2}, "too few pictures"),
        ({"train/a": 5, "train/b": 5, "val/a": 2, "valid/a": 2}, "holds both"),
        ({"val/a": 5, "test/b": 5}, "no folder train"),
        ({"train/a": 5, "train/b": 5, "test": 3}, "test holds no class folders"),
        ({"train/a": 5, "train/b": 5, "test/c": 3}, "of the class 'c'"),
    ],
)
def test_a_layout_that_makes_no_data_set_is_explained(
    tmp_path: Path, layout: dict[str, int], message: str
) -> None:
    """Each with a hint, none with a traceback."""
    fill(tmp_path, layout)
    for name in layout:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    with pytest.raises((UsageError, DataUnavailable), match=message) as caught:
        load(tmp_path)
    assert caught.value.hint


def test_files_that_are_no_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    """Text, a cut-off file, an empty one and a dangling link; hidden files are not meant."""
    fill(tmp_path, {"a": 10, "b": 10})
    whole = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[:60])
    (tmp_path / "a" / "empty.png").touch()
    (tmp_path / "b" / "notes.txt").write_text("not a picture")
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "b" / ".hidden").write_text("not meant")
    found = load(tmp_path)
    assert len(found.train) + len(found.validation) + len(found.test) == 20
    reasons = {file.path.name: file.reason for file in found.skipped}
    assert reasons["cut.png"].startswith("it is damaged: ")
    assert reasons["empty.png"] == "it is empty"
    assert reasons["notes.txt"] == "it is not a picture that Pillow can read"
    assert reasons["gone.png"] == "cannot read it: No such file or directory"
    assert set(reasons) == {"cut.png", "empty.png", "notes.txt", "gone.png"}
    assert load(tmp_path).skipped == found.skipped


@pytest.mark.parametrize("form", [{}, {"image_size": 28, "mode": "L"}])
def test_a_folder_without_one_readable_picture_is_unavailable(
    tmp_path: Path, form: dict[str, object]
) -> None:
    """The first reason is given, and nothing is cached."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_text("not a picture")
    with pytest.raises(DataUnavailable, match="none of the 2 files") as caught:
        load(tmp_path, **form)  # type: ignore[arg-type]  # parametrised over options
    assert "a/1.png" in str(caught.value.hint)
    assert list((cache_root() / "folder").iterdir()) == []


def test_a_class_or_part_whose_pictures_are_all_broken_is_refused(tmp_path: Path) -> None:
    """It must not vanish from the table of classes, nor be replaced by another draw."""
    fill(tmp_path / "one", {"a": 30, "b": 0})
    (tmp_path / "one" / "b").mkdir()
    (tmp_path / "one" / "b" / "1.png").write_text("broken")
    with pytest.raises(UsageError, match="no training picture of the class 'b' can be read"):
        load(tmp_path / "one")
    fill(tmp_path / "two" / "train", {"a": 30, "b": 30})
    (tmp_path / "two" / "test" / "a").mkdir(parents=True)
    (tmp_path / "two" / "test" / "a" / "1.png").write_text("broken")
    with pytest.raises(UsageError, match="no picture of test can be read"):
        load(tmp_path / "two")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), (28, 28)),
        ((32, 32), (32, 32)),
        ((8, 8), (16, 16)),
        ((640, 480), (48, 64)),
        ((50, 61), (60, 48)),
    ],
)
def test_the_size_is_the_median_in_multiples_of_four_up_to_64(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """One odd picture does not decide."""
    fill(tmp_path, {"a": 10, "b": 10}, size)
    draw(tmp_path / "a" / "odd.png", size=(100, 10))
    assert load(tmp_path).train.images.shape[2:] == expected


def test_the_mode_is_grey_only_when_every_picture_is(tmp_path: Path) -> None:
    """One picture in colour makes three channels; the mode may be chosen instead."""
    fill(tmp_path, {"a": 10, "b": 10})
    draw(tmp_path / "a" / "grey.png", mode="LA")
    assert load(tmp_path).mean == pytest.approx(load(tmp_path, mode="RGB").mean[:1])
    draw(tmp_path / "b" / "colour.png", mode="RGB")
    found = load(tmp_path)
    assert found.train.images.shape[1] == 3
    assert len(found.mean) == len(found.std) == 3
    assert load(tmp_path, mode="L", image_size=(20, 30)).train.images.shape[1:] == (1, 20, 30)


def test_pictures_are_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run, another seed and the same form named outright all come from the cache."""
    fill(tmp_path, {"a": 60, "b": 60})
    steps: list[Step] = []
    load(tmp_path, progress=steps.append)
    assert [(s.task, s.done) for s in steps if s.task == "convert pictures"] == [
        ("convert pictures", 50),
        ("convert pictures", 100),
        ("convert pictures", 120),
    ]
    assert steps[-1].final
    monkeypatch.setattr(pictures, "decode", None)
    load(tmp_path, split_seed=5)
    load(tmp_path, image_size=28, mode="L")


def test_a_changed_picture_is_seen(tmp_path: Path) -> None:
    """By its time, when its length stays."""
    fill(tmp_path, {"a": 10, "b": 10})
    before = load(tmp_path)
    path = tmp_path / "a" / "0.png"
    draw(path, 250)
    os.utime(path, ns=(1, 1))
    after = load(tmp_path)
    digests = [{s.digest for s in (d.train, d.validation, d.test)} for d in (before, after)]
    assert len(digests[0] & digests[1]) == 2


def test_linked_pictures_and_folders_inside_a_class_count(tmp_path: Path) -> None:
    """Data sets are often arranged by links."""
    fill(tmp_path / "store", {"a": 10, "b": 10})
    data = tmp_path / "data"
    (data / "a").mkdir(parents=True)
    for path in (tmp_path / "store" / "a").iterdir():
        (data / "a" / path.name).symlink_to(path)
    (data / "b").mkdir()
    (tmp_path / "store" / "b").rename(data / "b" / "inner")
    found = load(data)
    assert len(found.train) + len(found.validation) + len(found.test) == 20
    assert found.skipped == ()


def test_more_pictures_than_memory_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first is converted."""
    fill(tmp_path, {"a": 10, "b": 10})
    monkeypatch.setattr(pictures, "_available_bytes", lambda: 10_000)
    with pytest.raises(UsageError, match="20 pictures of 28 x 28 need") as caught:
        load(tmp_path)
    assert "smaller image size" in str(caught.value.hint)


def test_dark_on_light_and_mixed_borders_are_told_apart(tmp_path: Path) -> None:
    """The polarity warns `predict` of inverted pictures; a mixture warns of nothing."""
    for number in range(20):
        for name in ("a", "b"):
            path = tmp_path / "light" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (28, 28), 255).save(path)
    assert load(tmp_path / "light").polarity == "dark-on-light"
    fill(tmp_path / "light", {"b": 15})
    assert load(tmp_path / "light").polarity is None


def test_a_constant_picture_still_has_a_deviation_to_divide_by(tmp_path: Path) -> None:
    """All-black training pictures would otherwise normalise to NaN."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("L", (28, 28)).save(tmp_path / name / f"{number}.png")
    assert load(tmp_path).std == (1 / 255,)
