"""Inference loops as people write them, one a process, to measure ours against.

``python _by_hand.py LOOP MODEL PICTURES SECONDS [CORE]`` loads a model, runs it once, then over and
over for so many seconds, and prints one line of JSON. A library is imported where it is used: the
time of that is measured, too. What runs an exported file imports nothing of edgenet.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARM_UP = 0.3
"""Share of the seconds, before they begin."""

Loop = Callable[[Any], Any]
"""Takes pictures uint8 [N, C, H, W] and returns logits [N, K], NumPy's or not yet."""


def nothing(model: str) -> Loop:
    """Load nothing at all: what Python itself takes."""
    del model
    return lambda pictures: pictures


def numpy_alone(model: str) -> Loop:
    """Load NumPy, which every other loop needs for its pictures."""
    import numpy  # noqa: F401

    return nothing(model)


def onnxruntime_iobinding(model: str) -> Loop:
    """Bind NumPy's memory once, as onnxruntime's documentation shows; one thread, no spinning."""
    import numpy as np
    import onnxruntime

    session = _onnxruntime_tuned(onnxruntime, model)
    binding = session.io_binding()
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    pictures_in = np.empty((1, *taken.shape[1:]), np.uint8)
    logits = np.empty((1, given.shape[1]), np.float32)
    value_of = onnxruntime.OrtValue.ortvalue_from_numpy
    binding.bind_ortvalue_input(taken.name, value_of(pictures_in))
    binding.bind_ortvalue_output(given.name, value_of(logits))

    def run(pictures: Any) -> Any:
        np.copyto(pictures_in, pictures)
        session.run_with_iobinding(binding)
        return logits

    return run


def onnxruntime_run(model: str) -> Loop:
    """Call ``run`` of a session with one thread that does not spin."""
    import onnxruntime

    return _onnxruntime_loop(_onnxruntime_tuned(onnxruntime, model))


def onnxruntime_defaults(model: str) -> Loop:
    """Call ``run`` of a session that was told nothing: a thread a core, and they spin."""
    import onnxruntime

    providers = ["CPUExecutionProvider"]
    return _onnxruntime_loop(onnxruntime.InferenceSession(model, providers=providers))


def torch_eager(model: str) -> Loop:
    """Call the network itself, with one thread."""
    import torch

    network = _network(torch, model)

    def run(pictures: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(pictures)).numpy()

    return run


def torch_compile(model: str) -> Loop:
    """Call the network that ``torch.compile`` made code of, with one thread."""
    import torch

    compiled: Any = torch.compile(_network(torch, model), dynamic=False)

    def run(pictures: Any) -> Any:
        with torch.inference_mode():
            return compiled(torch.from_numpy(pictures)).numpy()

    return run


def litert(model: str) -> Loop:
    """Call LiteRT's interpreter, one thread, on a file that its own converter wrote."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]

    def run(pictures: Any) -> Any:
        interpreter.set_tensor(taken, pictures)
        interpreter.invoke()
        return interpreter.get_tensor(given)

    return run


LOOPS: dict[str, Callable[[str], Loop]] = {
    "nothing": nothing,
    "numpy": numpy_alone,
    "onnxruntime-iobinding": onnxruntime_iobinding,
    "onnxruntime-run": onnxruntime_run,
    "onnxruntime-defaults": onnxruntime_defaults,
    "torch-eager": torch_eager,
    "torch-compile": torch_compile,
    "litert": litert,
}


def main() -> None:
    """Run one loop and print what it took."""
    loop, model, pictures_file, seconds, *core = sys.argv[1:]
    if core:
        os.sched_setaffinity(0, {int(core[0])})
    begun = time.perf_counter_ns()
    run = LOOPS[loop](model)
    loaded = time.perf_counter_ns()
    pictures = [] if loop == "nothing" else _pictures(pictures_file)
    first_begun = time.perf_counter_ns()
    if pictures:
        run(pictures[0])
    first = time.perf_counter_ns()
    answer = {
        "begun_ns": begun,
        "first_ns": first,
        "loading_ms": (loaded - begun) / 1e6,
        "first_inference_ms": (first - first_begun) / 1e6,
        **(_timed(run, pictures, float(seconds)) if float(seconds) else {}),
        "peak_mib": _peak_mib(),
    }
    print(json.dumps(answer))


def _timed(run: Loop, pictures: list[Any], seconds: float) -> dict[str, float]:
    """Return quantiles of single calls, in microseconds."""
    now = time.perf_counter_ns
    end = now() + int(1e9 * seconds * WARM_UP)
    while now() < end:
        for one in pictures:
            run(one)
    samples = []
    end = now() + int(1e9 * seconds)
    while now() < end:
        for one in pictures:
            begun = now()
            run(one)
            samples.append(now() - begun)
    deciles = statistics.quantiles(samples, n=10)
    return {
        "p50_us": statistics.median(samples) / 1e3,
        "p90_us": deciles[-1] / 1e3,
        "queries": len(samples),
    }


def _onnxruntime_tuned(library: Any, model: str) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return library.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _onnxruntime_loop(session: Any) -> Loop:
    name = session.get_inputs()[0].name
    return lambda pictures: session.run(None, {name: pictures})[0]


def _network(torch: Any, model: str) -> Any:
    """Return the network of a checkpoint with its preprocessing, as it is deployed."""
    from edgenet.export.graph import DeployedNetwork
    from edgenet.training import checkpoint

    torch.set_num_threads(1)
    found = checkpoint.load(Path(model))
    return DeployedNetwork(found.build(), found.preprocessing).eval()


def _pictures(file: str) -> list[Any]:
    import numpy as np

    images = np.load(file)
    return [images[number : number + 1] for number in range(len(images))]


def _peak_mib() -> float | None:
    """Return the most memory that was ever resident, or None where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text("utf-8").splitlines() if status.is_file() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return found[0] / 1024 if found else None


if __name__ == "__main__":
    main()
