"""What the tests on a GPU do, step by step.

Each step is a plain function, so that a machine without a GPU can take it with stand-ins for CUDA
and TensorRT (tests/unit/runner/cuda/test_gpu_steps.py) and the first day with a GPU is not the
first on which it runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenet.runner import build, cuda
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference
from edgenet.runner.job import Job, Scenario
from edgenet.runner.measure import run_job
from edgenet.runner.runtimes import load_runtime, load_timer
from edgenet.runner.tensorrt import library
from edgenet.runner.tensorrt.builder import Built, build_plan
from edgenet.verify.half import rounding_units
from edgenet.verify.parity import Agreement, compare, half_bound, relative_bound, rounding_bound
from edgenet.verify.quantized import load_graph, roundings

Logits = NDArray[np.float32]
Events = dict[str, list[dict[str, Any]]]


def logits_of(
    bundle: Bundle, images: NDArray[np.uint8], runtime: str, device: str, batch: int
) -> Logits:
    """Run a bundle on pictures, ``batch`` at a time."""
    session = load_runtime(runtime).open_session(bundle, 1, device)
    with closing(Inference(session, bundle.manifest.fixed_batch)) as inference:
        logits: Logits = inference.logits(images, batch)
    return logits


def bound_of(bundle: Bundle, graph: Path) -> float:
    """Return how far two right computations of a bundle may lie apart, over the largest |logit|.

    The bounds of `edgenet verify`, by precision; INT8 and FP16 files compute the rest in float32,
    whose own bound is added.
    """
    exact = relative_bound(bundle.manifest.longest_reduction)
    if bundle.manifest.precision == "int8":
        return exact + rounding_bound(roundings(load_graph(graph)))
    if bundle.manifest.precision == "fp16":
        return exact + half_bound(rounding_units(load_graph(graph)))
    return exact


def agreement(reference: Logits, candidate: Logits, bound: float) -> Agreement:
    """Compare logits."""
    return compare(reference, candidate, bound)


def decides_alike(reference: Logits, candidate: Logits, bound: float) -> bool:
    """Whether all decisions are equal but those that errors within the bound may change.

    Two logits that each move by the bound can change places where they lie less than twice the
    bound apart.
    """
    ordered = np.sort(reference, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * bound * np.abs(reference).max()
    same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    return bool(same[clear].all())


def build_bundle(source: Path, output: Path, *options: str) -> tuple[Bundle, dict[str, Any]]:
    """Build an engine bundle as a board does; return it and the last event."""
    events: list[dict[str, Any]] = []
    build.run([str(source), "--output", str(output), *options], events.append)
    return open_bundle(output), events[-1]


def inspected(content: bytes) -> Built:
    """Build an engine and let the inspector describe it."""
    cuda.check_gpu()
    return build_plan(library.load(library.CLASSIC), content)


def layers_of(built: Built) -> list[Any]:
    """Return the layers of the inspector's JSON."""
    layers: list[Any] = json.loads(built.inspected or "")["Layers"]
    return layers


def measured(
    bundle: Path, output: Path, runtime: str, device: str, batches: Sequence[int]
) -> Events:
    """Measure a bundle as `edgenet bench` does; return the events by name."""
    output.mkdir()
    scenarios = tuple(Scenario(batch, 0.2, 0.5, 200) for batch in batches)
    job = Job(bundle=bundle, runtime=runtime, output=output, latency=scenarios, device=device)
    events: Events = {}
    run_job(job, lambda event: events.setdefault(event["event"], []).append(event))
    return events


def timed_by_trtexec(bundle: Path, output: Path, batches: Sequence[int]) -> Events:
    """Let trtexec measure a bundle; return the events by name."""
    output.mkdir()
    scenarios = tuple(Scenario(batch, 0.2, 0.5, 200) for batch in batches)
    job = Job(bundle=bundle, runtime="trtexec", output=output, latency=scenarios, device="cuda")
    events: Events = {}
    load_timer("trtexec").run_job(
        job, lambda event: events.setdefault(event["event"], []).append(event)
    )
    return events


def gpu_ns_of(events: Events, output: Path) -> dict[int, NDArray[np.int64]]:
    """Return the GPU's times by batch size."""
    return {event["batch"]: np.load(output / event["gpu_samples"]) for event in events["latency"]}


def wall_ns_of(events: Events, output: Path) -> dict[int, NDArray[np.int64]]:
    """Return the host's times of bind, execute and fetch by batch size."""
    return {event["batch"]: np.load(output / event["samples"]) for event in events["latency"]}


def free_bytes_after_sessions(bundle: Bundle, images: NDArray[np.uint8], count: int) -> list[int]:
    """Load, run and close a bundle again and again; return the device's free memory after each."""
    gpu = cuda.Cuda()
    free = []
    for _ in range(count):
        logits_of(bundle, images, "tensorrt", "cuda", len(images))
        free.append(gpu.memory().free_bytes)
    return free
