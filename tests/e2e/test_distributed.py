"""Training in several processes, started as torchrun starts them; nothing leaves this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edgenet.training.checkpoint import load
from edgenet.workflows.runs import Run
from tests.commands import edgenet, said

# 96 pictures train: 3 batches of 30 and one of 6. Normalisation, dropout, augmentation and noise.
OPTIONS = ["-o", "channels=2,3", "-o", "widths=4", "--model", "simple-cnn", "--batch", "30"]
OPTIONS += ["--epochs", "2", "--optimizer", "sgd", "--lr", "0.01", "--set", "augmentation.noise=.1"]
UPDATES = 2 * 4


def torchrun(
    folder: Path, processes: int, *arguments: str, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run edgenet in so many processes, each after the Python statements ``before``."""
    started = ["-m", "edgenet"]
    if before:
        (folder / "start.py").write_text(
            f"import os, sys\n{before}\nfrom edgenet.cli.app import main\nsys.exit(main())\n"
        )
        started = ["start.py"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes), *started, *arguments),
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.fixture(scope="module")
def alone(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of one process."""
    folder = tmp_path_factory.mktemp("distributed")
    data = ["--data", str(pictures)]
    said(edgenet(folder, "train", *OPTIONS, *data, "--name", "alone", "--threads", "1"), 0)
    return folder


@pytest.mark.parametrize(
    "processes",
    [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)],
)
def test_several_processes_train_as_one(alone: Path, pictures: Path, processes: int) -> None:
    """One run, one result, and the weights of one process up to the order of additions.

    A weight's gradient is a sum of 30 · 28 · 28 products at most. In another order it differs by
    at most that many ε of the sum of their magnitudes, which is taken as 1 here; an update adds
    0.01 of it, and there are 8, each of which rounds the weight once more.
    """
    name = f"by-{processes}"
    data = ["--data", str(pictures)]
    finished = torchrun(alone, processes, "train", *OPTIONS, *data, "--name", name, "--json")
    said(finished, 0)
    result = json.loads(finished.stdout)
    assert result["processes"] == processes
    assert finished.stderr.count("epoch 2/2") == 1
    runs = alone / "runs" / "train"
    assert not (runs / f"{name}-2").exists()
    eps = torch.finfo(torch.float32).eps
    expected, own = (load(Run(runs / one).last) for one in ("alone", name))
    for key, tensor in expected.weights.items():
        torch.testing.assert_close(
            own.weights[key],
            tensor,
            rtol=UPDATES * eps,
            atol=UPDATES * 0.01 * 30 * 28 * 28 * eps,
        )
    for record, wanted in zip(own.records, expected.records, strict=True):
        assert record.train_loss == pytest.approx(wanted.train_loss, rel=1e-5)
        assert record.validation_accuracy == wanted.validation_accuracy


@pytest.mark.slow
def test_a_run_of_several_processes_is_resumed_by_several(alone: Path, pictures: Path) -> None:
    """Ended after its first epoch, it comes to the weights of the undisturbed run."""
    stop = (
        "import edgenet.workflows.train_session as session\n"
        "keep = session.Session._keep\n"
        "def kept(self, run, state, status):\n"
        "    keep(self, run, state, status)\n"
        "    os._exit(7)\n"
        "session.Session._keep = kept"
    )
    data = ["--data", str(pictures)]
    ended = torchrun(alone, 2, "train", *OPTIONS, *data, "--name", "ended", before=stop)
    assert ended.returncode != 0
    run = Run(alone / "runs" / "train" / "ended")
    assert len(load(run.last).records) == 1
    said(torchrun(alone, 2, "train", "--resume"), 0)
    said(torchrun(alone, 2, "train", *OPTIONS, *data, "--name", "undisturbed"), 0)
    expected = load(Run(alone / "runs" / "train" / "undisturbed").last).weights
    weights = load(run.last).weights
    assert all(torch.equal(tensor, weights[name]) for name, tensor in expected.items())


def test_a_mistake_is_told_once_and_every_process_ends_with_its_code(alone: Path) -> None:
    """Torchrun reports the codes; its own is 1."""
    mistaken = torchrun(alone, 2, "train", "--model", "lenet5", "--data", "nowhere")
    assert mistaken.returncode == 1
    assert mistaken.stdout == ""
    assert mistaken.stderr.count("error: unknown data set 'nowhere'") == 1
    assert "exitcode  : 2" in mistaken.stderr


@pytest.mark.slow
def test_an_error_in_another_process_is_told_by_the_first(alone: Path, pictures: Path) -> None:
    """Without waiting for the one that has failed."""
    fail = (
        "from edgenet import data, errors\n"
        "def load(*arguments, **options):\n"
        "    raise errors.DataUnavailable('the disk is not mounted')\n"
        "if os.environ['RANK'] == '1':\n"
        "    data.load = load"
    )
    failed = torchrun(alone, 2, "train", *OPTIONS, "--data", str(pictures), before=fail)
    assert failed.returncode == 1
    assert failed.stderr.count("error: process 1: the disk is not mounted") == 1


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others(alone: Path, pictures: Path) -> None:
    """The run has failed or was interrupted, and can be resumed."""
    die = (
        "import edgenet.training.epoch as epoch\n"
        "def backward(*arguments, **options):\n"
        "    os.kill(os.getpid(), 9)\n"
        "if os.environ['RANK'] == '1':\n"
        "    epoch.backward = backward"
    )
    data = ["--data", str(pictures)]
    killed = torchrun(alone, 2, "train", *OPTIONS, *data, "--name", "killed", before=die)
    assert killed.returncode == 1
    assert Run(alone / "runs" / "train" / "killed").status()["state"] in ("failed", "interrupted")


def test_one_process_imports_nothing_for_several(alone: Path) -> None:
    """Torch loads parts of torch.distributed by itself; a process group and gloo it does not."""
    script = (
        "import torch, sys\n"
        "before = {m for m in sys.modules if m.startswith('torch.distributed')}\n"
        "import edgenet.training.loop, edgenet.training.distributed as d\n"
        "with d.joined() as ranks: assert ranks.size == 1\n"
        "after = {m for m in sys.modules if m.startswith('torch.distributed')}\n"
        "assert after == before, after - before\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=alone, check=True, timeout=100)
