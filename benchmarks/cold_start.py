"""From nothing to the first answer: a fresh process for each, taking turns.

*By hand* rows are the shortest program that people write around a library (``_by_hand.py``): import
it, load LeNet-5's FP32 file, run one picture. *Ours* rows are the processes of ``edgenet bench``:
the same, and before it the bundle's manifest is read and every hash checked, the pictures are
loaded, and the core is pinned; what looking at memory and clocks takes is told apart and not
counted. Beside them Python alone, and Python with NumPy: nothing written in Python starts faster.

Times run from the call that starts the process. Files lie in the system's cache, as they do from
the second start on: a board that has just booted takes longer, by what its disk takes. Peak memory
is the most that was resident (VmHWM), the shared pages of libraries counted whole.
Run it on an idle machine: ``python benchmarks/cold_start.py --rounds 12`` (a minute on 2 cores).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _peers import NETWORKS, Figures, Files, by_hand, in_turns, ours, prepared, rivals
from _recording import record, spread

from edgenet.bench.compare import paired_ratio
from edgenet.workflows.runs import environment

BUNDLES = ("onnx-fp32", "torchscript-fp32", "pt2-fp32")
REFERENCE = "onnxruntime, ours"
_MIB = 1 << 20

Start = Callable[[Files, Path], Figures]
"""Starts one process; the folder is for what it writes."""


def main() -> None:
    """Start every row's process in turn and record what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12, help="processes of each row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        files = prepared(NETWORKS[0], Path(temporary), BUNDLES)
        started = environment()
        found, absent = in_turns(
            {name: partial(start, files, Path(temporary)) for name, start in rows().items()},
            options.rounds,
            lambda figures: f"{figures['since_launch_ms']:.0f} ms",
        )
    result = {
        "network": NETWORKS[0].name,
        "rivals": rivals(),
        "rows": {name: row(figures, found[REFERENCE]) for name, figures in found.items()},
        "not_measured": absent,
    }
    record("cold_start", result, started=started)


def rows() -> dict[str, Start]:
    """Return every row by name."""
    return {
        "Python alone": hand("nothing"),
        "Python and NumPy": hand("numpy"),
        "onnxruntime, by hand": hand("onnxruntime-run"),
        REFERENCE: harness("onnxruntime", "onnx-fp32"),
        "OpenVINO, ours": harness("openvino", "onnx-fp32"),
        "TorchScript, ours": harness("torchscript", "torchscript-fp32"),
        "pt2, ours": harness("pt2", "pt2-fp32"),
        "torch eager, by hand": hand("torch-eager"),
    }


def hand(loop: str) -> Start:
    """Return what starts a loop written by hand."""

    def start(files: Files, place: Path) -> Figures:
        del place
        onnx = files.bundles["onnx-fp32"] / "model.onnx"
        model = files.checkpoint if loop == "torch-eager" else onnx
        answer = by_hand(loop, model, files.pictures, seconds=0)
        names = ("process_ms", "loading_ms", "first_inference_ms", "since_launch_ms", "peak_mib")
        return {name: answer[name] for name in names}

    return start


def harness(runtime: str, bundle: str) -> Start:
    """Return what starts a process of ours that measures nothing but its own start."""

    def start(files: Files, place: Path) -> Figures:
        outcome, _ = ours(files.bundles[bundle], runtime, place, seconds=0)
        event = {name: dict(outcome.find(name) or {}) for name in (*_STAGES, "first-inference")}
        first = event["first-inference"]
        return {
            "process_ms": event["started"]["since_launch_ms"],
            "import_ms": event["imported"]["ms"],
            "open_and_hash_ms": event["opened"]["ms"],
            "pictures_ms": event["inputs"]["ms"],
            "loading_ms": event["loaded"]["ms"],
            "first_inference_ms": first["ms"],
            "since_launch_ms": first["since_launch_ms"] - first["observing_ms"],
            "peak_mib": first["memory"]["peak_bytes"] / _MIB,
        }

    return start


_STAGES = ("started", "imported", "opened", "inputs", "loaded")


def row(figures: list[Figures], reference: list[Figures]) -> dict[str, Any]:
    """Return medians over processes with their extremes, and the ratio to ours within rounds."""
    whole = [[one["since_launch_ms"] for one in each] for each in (reference, figures)]
    return {
        **{name: spread([one[name] for one in figures]) for name in figures[0]},
        "ratio_to_ours": paired_ratio(*whole).to_json(),
    }


if __name__ == "__main__":
    main()
