"""``edgenet slim`` as it is typed: from a trained network to a smaller one that is exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import Command, edgenet, said

LEARN = ("--epochs", "1", "--threads", "1")


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a network of its own."""
    folder = tmp_path_factory.mktemp("slim")
    shutil.copytree(trained / "runs", folder / "runs")
    return folder


def test_a_network_is_slimmed_listed_and_exported(place: Path) -> None:
    """On a folder of pictures; the run is used like any other."""
    done = edgenet(place, "slim", "runs/train/run", "--keep", "0.7", *LEARN)
    said(done, 0, "broken.png", "prune  round 10/10", "train slim", "train control")
    assert "same widths, first weights" in done.stdout
    assert "runs/slim/lenet5-relu" in edgenet(place, "runs").stdout
    said(edgenet(place, "export", "runs/slim/lenet5-relu"), 0)
    assert (place / "runs/slim/lenet5-relu/bundles/onnx-fp32/manifest.json").is_file()


@pytest.mark.slow
def test_the_same_as_json_is_one_object(place: Path) -> None:
    """By another criterion and measure, with the absence of the control in it."""
    words = ("--budget", "macs=52000", "--criterion", "magnitude", "--no-control", "--json")
    done = edgenet(place, "slim", "runs/train/run", *words, *LEARN)
    said(done, 0)
    result = json.loads(done.stdout)
    assert result["control"] is None
    assert result["slim"]["macs"] <= 52000 < result["parent"]["macs"]
    assert result["budget"] == "macs=52000"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "no network is named"),
        (("runs/train/run",), 2, "--keep 0.3"),
        (("runs/train/rum", "--keep", "0.5"), 2, "did you mean runs/train/run?"),
        (("lenet5-relu", "--keep", "0.5"), 2, "train it first"),
        (("runs/train/run", "--budget", "params=1"), 2, "the smallest that its widths allow is"),
        (("runs/train/run", "--budget", "params"), 2, "params=17000"),
        (("runs/train/run", "--keep", "0.5", "--criterion", "tailor"), 2, "did you mean 'taylor'"),
        (("runs/train/run", "--keep", "0.5", "--criterion", "batch-norm"), 2, "stays as it is"),
        (("--resume", "--keep", "0.5"), 2, "--keep"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_with_what_to_do(
    place: Path, here: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    """No folder is left behind."""
    before = sorted(place.rglob("*"))
    said(here(place, "slim", *words), code, told)
    assert sorted(place.rglob("*")) == before
