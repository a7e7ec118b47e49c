"""What one busy core costs: training on an idle machine, and beside a process that never rests.

A small network's step is a few milliseconds, cut into pieces that threads share; at the end of each
piece they wait for the slowest by spinning. Beside a neighbour one thread is often not running at
all, and the others spin until the scheduler gives it a turn: torch's default number of threads then
takes many times as long. ``edgenet train`` measures a few steps before it begins and takes the
number of threads that is fastest there and then.

Ours is the whole verb, one epoch of 55,000 pictures of the default recipe with all that belongs to
it: loading, probe, validation, checkpoint, test, figure; the epoch alone is given beside it, since
the rest has little to share between threads. The named peer is the loop that everybody writes first
(see ``train_speed.py``) with torch's default number of threads, over fewer pictures. Idle and busy
alternate; a slowdown is busy over idle within one round. The neighbour is one Python process in an
endless loop, at the same priority, free to move between the cores.
Run it on an idle machine: ``python benchmarks/busy_core.py``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from _recording import record, spread
from _reference import BATCH, reference_epoch, unpack_for_torchvision

from edgenet.models import DEFAULT
from edgenet.runner.timing import now_ns
from edgenet.workflows import TrainArguments, train
from edgenet.workflows.runs import environment

MARK = 1.5
STATES = ("idle", "busy")


def main() -> None:
    """Train in turn beside nobody and beside a busy core, and record the slowdowns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--reference-pictures", type=int, default=100 * BATCH, help="of one run of the peer"
    )
    options = parser.parse_args()
    started = environment()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        unpack_for_torchvision(place)
        loops: dict[str, Callable[[], dict[str, Any]]] = {
            "ours": lambda: ours(place),
            "reference": lambda: reference(place, options.reference_pictures),
        }
        for loop in loops.values():
            loop()  # the imports
        runs: dict[str, dict[str, list[dict[str, Any]]]] = {
            name: {state: [] for state in STATES} for name in loops
        }
        for number in range(options.rounds):
            for state in STATES if number % 2 == 0 else reversed(STATES):
                with busy_core() if state == "busy" else contextlib.nullcontext():
                    for name, loop in loops.items():
                        runs[name][state].append(loop())
                        print(f"round {number + 1}, {state}, {name}: {runs[name][state][-1]}")
    whole, epoch = (slowdown(runs["ours"], part) for part in ("seconds", "epoch_s"))
    result = {
        "model": DEFAULT,
        "dtype": "float32",
        "cores": os.cpu_count(),
        "reference_pictures": options.reference_pictures,
        "slowdown": {
            "ours": whole,
            "ours, the epoch alone": epoch,
            "reference": slowdown(runs["reference"], "seconds"),
        },
        "mark": MARK,
        "met": max(whole["median"], epoch["median"]) <= MARK,
        "runs": runs,
    }
    record("busy_core", result, started=started)


def ours(project: Path) -> dict[str, Any]:
    """Train one epoch with ``edgenet train`` and return the seconds and the threads it chose."""
    begun = now_ns()
    result = train(TrainArguments(training={"epochs": 1}, project=project, exist_ok=True))
    seconds = (now_ns() - begun) / 1e9
    return {
        "seconds": seconds,
        "epoch_s": result.seconds,
        "threads": result.threads,
        "probe": result.threads_reason,
    }


def reference(folder: Path, pictures: int) -> dict[str, Any]:
    """Train the ordinary way with torch's default number of threads and return the seconds."""
    seconds = reference_epoch(DEFAULT, folder, pictures=pictures)
    return {"seconds": seconds, "threads": torch.get_num_threads()}


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy within the block."""
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


def slowdown(runs: dict[str, list[dict[str, Any]]], part: str) -> dict[str, float]:
    """Return busy over idle within rounds, of one of the times: median, spread and n."""
    pairs = zip(runs["idle"], runs["busy"], strict=True)
    return spread([busy[part] / idle[part] for idle, busy in pairs])


if __name__ == "__main__":
    main()
