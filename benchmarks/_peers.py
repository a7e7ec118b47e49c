"""Networks and their files for measurements beside other runtimes, and processes that measure."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _recording import HERE

from edgenet.bench.samples import read_timed
from edgenet.launch.local import run_job
from edgenet.launch.outcome import Outcome
from edgenet.models.spec import OptionValue
from edgenet.runner.affinity import choose
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inputs import timed_batches
from edgenet.runner.job import Job, Scenario
from edgenet.runner.runtimes import load_runtime
from edgenet.runner.timing import now_ns
from edgenet.workflows import ExportArguments, TrainArguments, export, train
from edgenet.workflows.runs import Run

BY_HAND = HERE.resolve() / "_by_hand.py"
Figures = dict[str, Any]
TIME_LIMIT_S = 600.0
FEWEST_QUERIES = 64


@dataclass(frozen=True)
class Network:
    """One that is measured: its name here, the table's, and what differs from that one's options.

    It is trained for one epoch: its times do not depend on how well it reads.
    """

    name: str
    model: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)


NETWORKS = (
    Network("lenet5-relu", "lenet5-relu"),
    Network("simple-cnn", "simple-cnn"),
    Network("lenet-caffe", "lenet-caffe"),
    Network("vgg-64-128-256", "simple-cnn", {"channels": [64, 128, 256]}),
)


@dataclass(frozen=True)
class Files:
    """What one network's processes load.

    Attributes:
        bundles: By format and precision, such as ``onnx-fp32``.
        checkpoint: Of the weights.
        pictures: The pictures of the timed queries, uint8 [512, C, H, W], in ours and in theirs.
        litert: LiteRT's file, or None where its converter is not installed.
    """

    bundles: Mapping[str, Path]
    checkpoint: Path
    pictures: Path
    litert: Path | None


class NotMeasuredError(Exception):
    """A runtime is not here, or its process failed; the message says which."""


def rivals() -> dict[str, str]:
    """Return the versions of what is measured beside ours, as far as it is installed."""
    versions = {}
    for name in ("openvino", "ai-edge-litert", "litert-torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def in_turns(
    rows: dict[str, Callable[[], Figures]], rounds: int, said: Callable[[Figures], str]
) -> tuple[dict[str, list[Figures]], dict[str, str]]:
    """Measure all rows in turn, in either order.

    Args:
        rows: What starts one process and returns its figures, by the row's name.
        rounds: How often.
        said: The figure that is printed as each comes.

    Returns:
        Figures by name, one a round; and why others have none.
    """
    found: dict[str, list[Figures]] = {name: [] for name in rows}
    absent: dict[str, str] = {}
    for number in range(rounds):
        for name in rows if number % 2 == 0 else reversed(rows):
            if name in absent:
                continue
            try:
                found[name].append(rows[name]())
            except NotMeasuredError as error:
                absent[name] = str(error)
                print(f"{name} is not measured: {error}", file=sys.stderr)
                continue
            print(f"round {number + 1}: {name}: {said(found[name][-1])}", flush=True)
    return {name: figures for name, figures in found.items() if name not in absent}, absent


def prepared(network: Network, place: Path, bundles: tuple[str, ...]) -> Files:
    """Train and export what is not there yet.

    Args:
        network: Of these.
        place: Folder for the files that no run keeps.
        bundles: Names such as ``onnx-int8``.
    """
    run = trained(network)
    for name in bundles:
        if not (run.bundles / name).is_dir():
            file_format, precision = name.rsplit("-", 1)
            arguments = ExportArguments(
                source=run.path, formats=(file_format,), precision=precision, measure=False
            )
            export(arguments)
    found = {name: run.bundles / name for name in bundles}
    images = open_bundle(found[bundles[0]]).golden(["inputs"])["inputs"]
    pictures = place / f"{network.name}.npy"
    np.save(pictures, np.concatenate(timed_batches(images, 1, seed=0)))
    checkpoint = run.best
    litert = place / f"{network.name}.tflite"
    return Files(found, checkpoint, pictures, litert if converted(checkpoint, litert) else None)


def trained(network: Network) -> Run:
    """Return a run of a network, trained now if it is not there."""
    run = Run(HERE / "runs" / "train" / f"peers-{network.name}")
    if not (run.best).is_file():
        arguments = TrainArguments(
            model=network.model,
            model_options=network.options,
            training={"epochs": 1},
            project=HERE / "runs",
            name=run.path.name,
            exist_ok=True,
        )
        train(arguments)
    return run


def converted(checkpoint: Path, to: Path) -> bool:
    """Write LiteRT's file, of batch 1, by its makers' converter; False where that is not here."""
    if importlib.util.find_spec("litert_torch") is None:
        return False
    script = (
        "import sys; from pathlib import Path; import litert_torch\n"
        "from edgenet.export.graph import DeployedNetwork\n"
        "from edgenet.training import checkpoint\n"
        "found = checkpoint.load(Path(sys.argv[1]))\n"
        "network = DeployedNetwork(found.build(), found.preprocessing).eval()\n"
        "litert_torch.convert(network, (network.example(1),)).export(sys.argv[2])\n"
    )
    command = [sys.executable, "-c", script, str(checkpoint), str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
    return done.returncode == 0


def ours(bundle: Path, runtime: str, place: Path, *, seconds: float) -> tuple[Outcome, Any]:
    """Run one process of the harness, one thread, pinned; and its timed queries, if it has any.

    Raises:
        NotMeasuredError: The runtime cannot be used, or the process failed.
    """
    reason = load_runtime(runtime).unavailable()
    if reason is not None:
        raise NotMeasuredError(reason)
    output = place / "process"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    timed = Scenario(1, 0.3 * seconds, seconds, FEWEST_QUERIES)
    job = Job(
        bundle=bundle.resolve(),
        runtime=runtime,
        output=output,
        latency=(timed,) if seconds else (),
        pin=True,
    )
    outcome = run_job(job, output / "job.json", time_limit_s=TIME_LIMIT_S)
    if not outcome.finished:
        raise NotMeasuredError(f"{runtime}: {outcome.reason}")
    event = outcome.find("latency")
    return outcome, None if event is None else read_timed(output, event, parts=3)


def by_hand(
    loop: str, model: Path | None, pictures: Path, *, seconds: float, pinned: bool = True
) -> dict[str, Any]:
    """Run one process of a loop written by hand and return what it printed.

    To that is added ``process_ms``, from the call to the first line of the program, and
    ``since_launch_ms``, from the call to the end of the first inference.

    Raises:
        NotMeasuredError: It failed, most often since its library is not here.
    """
    cores = choose(os.sched_getaffinity(0), 1) if pinned else None
    command = [sys.executable, str(BY_HAND), loop, str(model), str(pictures), str(seconds)]
    launched = now_ns()
    done = subprocess.run(
        [*command, *map(str, cores or ())],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise NotMeasuredError(f"{loop}: {last[0]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        **answer,
        "process_ms": (answer["begun_ns"] - launched) / 1e6,
        "since_launch_ms": (answer["first_ns"] - launched) / 1e6,
    }
