"""A folder as people have them: colour, unbalanced, with pictures of every odd kind among them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import edgenet, said

COUNTS = {"blue things": 24, "green": 60, "red": 120}
RUN = "runs/train/odd"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working folder with ``photos``: three classes, five odd files, one run on them."""
    place = tmp_path_factory.mktemp("odd")
    generator = np.random.default_rng(0)
    for channel, (name, count) in enumerate(reversed(COUNTS.items())):
        folder = place / "photos" / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 120, (64, 64, 3), dtype=np.uint8)
            pixels[:, :, channel] += 110
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
    green = place / "photos" / "green"
    whole = (green / "000.png").read_bytes()
    (green / "corrupt.png").write_bytes(whole[: len(whole) // 2])
    wide = generator.integers(0, 1 << 16, (64, 64), dtype=np.uint16)
    Image.fromarray(wide).save(green / "sixteen bits.png")
    with Image.open(green / "001.png") as picture:
        picture.convert("CMYK").save(green / "cmyk.jpg")
    frames = [Image.new("P", (64, 64), colour) for colour in (40, 80, 120)]
    frames[0].save(green / "animated.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (1, 1), (0, 200, 0)).save(green / "one pixel.png")
    options = ("--data", "photos", "--name", "odd", "--epochs", "1", "--threads", "1")
    result = edgenet(place, "train", *options, "--batch", "20", "-o", "channels=2,3")
    said(result, 0, "corrupt.png", "damaged", "1 file could not be read")
    assert "sixteen bits.png" not in result.stderr
    return place


def test_every_picture_but_the_corrupt_one_is_learnt_from_or_tested(odd: Path) -> None:
    """Of an animation the first frame; the single pixel is stretched; the rest is converted."""
    numbers = {}
    for split in ("train", "validation", "test"):
        result = edgenet(odd, "eval", RUN, "--split", split, "--json", "--no-figures")
        numbers[split] = {
            row["name"]: row["support"] for row in json.loads(result.stdout)["classes"]
        }
    assert list(numbers["test"]) == sorted(COUNTS)
    for name, count in COUNTS.items():
        odd_ones = 4 if name == "green" else 0
        assert sum(split[name] for split in numbers.values()) == count + odd_ones


def test_an_evaluation_names_what_was_refused_and_draws_the_rest(odd: Path) -> None:
    """On stderr for a person, in the result for a program."""
    result = edgenet(odd, "eval", RUN, "--json")
    said(result, 0)
    values = json.loads(result.stdout)
    [(path, reason)] = values["skipped"]
    assert path.endswith("photos/green/corrupt.png")
    assert "damaged" in reason
    assert (odd / values["output"] / "predictions.png").is_file()
    said(edgenet(odd, "eval", RUN, "--no-figures"), 0, "corrupt.png", "1 file could not be read")


def test_an_exported_bundle_says_the_same(odd: Path) -> None:
    """With the same preprocessing, by another runtime."""
    said(edgenet(odd, "export", RUN), 0)
    of = {}
    for source in (RUN, f"{RUN}/bundles/onnx-fp32"):
        result = edgenet(odd, "eval", source, "--json", "--no-figures")
        said(result, 0)
        of[source] = json.loads(result.stdout)["confusion"]
    assert len({json.dumps(confusion) for confusion in of.values()}) == 1


@pytest.mark.slow
def test_the_run_is_explained(odd: Path) -> None:
    """Colour pictures of three classes of other sizes have maps, kernels and certainties, too."""
    result = edgenet(odd, "explain", RUN, "--json")
    said(result, 0)
    values = json.loads(result.stdout)
    assert values["figures"]
    for name in values["figures"]:
        assert (odd / values["output"] / name).is_file()
