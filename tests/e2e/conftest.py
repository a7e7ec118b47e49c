"""A folder of pictures and a small run trained on it, for all tests of commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenet.cli.app import main
from tests.commands import Command, edgenet, said

TINY = ["-o", "channels=2,3", "-o", "widths=4", "--epochs", "1", "--threads", "1", "--batch", "20"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two classes of 60 pictures, one of them broken."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    generator = np.random.default_rng(0)
    for number in range(120):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 90, (28, 28), dtype=np.uint8)
        pixels[(slice(None), 14) if kind == "standing" else (14, slice(None))] = 220
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    (folder / "lying" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    return folder


@pytest.fixture(scope="session")
def tiny(pictures: Path) -> list[str]:
    """Return the options of a training that takes a second."""
    return [*TINY, "--data", str(pictures)]


@pytest.fixture(scope="session")
def trained(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small run and its ONNX bundle; never changed by a test."""
    place = tmp_path_factory.mktemp("trained")
    said(edgenet(place, "train", *tiny, "--name", "run"), 0, "broken.png")
    said(edgenet(place, "export", "runs/train/run"), 0)
    return place


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may damage."""
    return Path(shutil.copytree(trained / "runs" / "train" / "run", tmp_path / "run"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command in this process, where its own would spend seconds on imports.

    It is for commands that are refused at once: one that trains leaves threads and caches behind.
    """

    def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        code = main(words)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, shown.out, shown.err)

    return run
