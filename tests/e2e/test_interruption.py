"""Training that is killed and resumed, as it happens on a board whose plug is pulled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenet.training.checkpoint import load, previous_of
from edgenet.workflows.runs import Run

OPTIONS = ["--epochs", "100", "--batch", "50", "--seed", "3", "--threads", "1", "--no-augment"]
OPTIONS += ["-o", "dropout=0.2", "--model", "lenet5-relu", "--data", "bars", "--name", "run"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 400 pictures of lying and standing bars, and an undisturbed run."""
    folder = tmp_path_factory.mktemp("interruption")
    generator = np.random.default_rng(0)
    for number in range(400):
        kind = ("lying", "standing")[number % 2]
        pixels = generator.integers(0, 90, (28, 28), dtype=np.uint8)
        place = int(generator.integers(4, 24))
        pixels[(slice(None), place) if kind == "standing" else (place, slice(None))] = 220
        (folder / "bars" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "bars" / kind / f"{number}.png")
    finished = start(folder, "train", *OPTIONS, "--project", "undisturbed")
    assert finished.wait(timeout=200) == 0
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start an edgenet command in ``folder``."""
    command = [sys.executable, "-m", "edgenet", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def assert_readable(run: Run) -> None:
    """Every checkpoint that lies there is whole, whenever the process was killed."""
    for file in (run.best, run.last, previous_of(run.last)):
        if file.is_file():
            load(file)


def assert_same_weights(run: Run, other: Run) -> None:
    """Compare both final checkpoints bit for bit."""
    for file, expected in ((run.best, other.best), (run.last, other.last)):
        weights, wanted = load(file).weights, load(expected).weights
        assert weights.keys() == wanted.keys()
        assert all(bytes(weights[k].numpy()) == bytes(wanted[k].numpy()) for k in wanted)


def kill_and_resume(folder: Path, project: str, signals: Sequence[int], seed: int) -> Run:
    """Train, end the process by each signal in turn at a random moment, and finish."""
    moments = random.Random(seed)
    run = Run(folder / project / "train" / "run")
    command = ["train", *OPTIONS, "--project", project]
    for number in signals:
        process = start(folder, *command)
        while not (run.path / "args.toml").exists():
            time.sleep(0.01)
            assert process.poll() is None, "training ended before it began"
        before = run.last.stat().st_mtime if run.last.exists() else 0
        while process.poll() is None and (
            not run.last.exists() or run.last.stat().st_mtime == before
        ):
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.25))
        process.send_signal(number)
        code = process.wait(timeout=60)
        assert_readable(run)
        assert code == (-number if number == signal.SIGKILL else 128 + number)
        assert run.status()["state"] == "interrupted"
        command = ["train", "--resume", str(run.path.resolve())]
    assert start(folder, *command).wait(timeout=200) == 0
    return run


def test_a_run_ended_by_signals_is_resumed_to_the_same_weights(workplace: Path) -> None:
    """Ctrl-C, a polite stop and a kill: the final weights are those of the undisturbed run."""
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    run = kill_and_resume(workplace, "disturbed", signals, seed=1)
    assert_same_weights(run, Run(workplace / "undisturbed" / "train" / "run"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_at_random_moments_lose_nothing(workplace: Path) -> None:
    """Never an unreadable checkpoint, and the final weights equal the undisturbed run's."""
    run = kill_and_resume(workplace, "killed", [signal.SIGKILL] * 20, seed=2)
    assert_same_weights(run, Run(workplace / "undisturbed" / "train" / "run"))


def test_a_finished_run_is_not_resumed(workplace: Path) -> None:
    """The exit code says that the request cannot be."""
    run = workplace / "undisturbed" / "train" / "run"
    assert start(workplace, "train", "--resume", str(run)).wait(timeout=60) == 2
