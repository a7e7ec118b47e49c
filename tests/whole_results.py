"""A made-up benchmark in which everything happened, and one of the first version of the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.results import (
    INVALID,
    accuracy,
    end_to_end,
    external,
    latency,
    queries,
    row,
    write,
)


def write_all(folder: Path) -> Path:
    """Write a benchmark in which everything happened, with its raw samples."""
    labels = [f"class {number}" for number in range(10)]
    confusion = [[990 if true == said else 1 for said in range(10)] for true in range(10)]
    confusion[4][9], confusion[9][4] = 12, 7
    rows, processes = [], []
    for place, (precision, size) in enumerate(
        [("fp32", 250_571), ("fp16", 127_419), ("int8", 71_700)]
    ):
        name = f"onnx-{precision}-onnxruntime"
        timings = []
        for batch in (1, 64):
            measured = queries(place * 100 + batch, 600, (34 + 17 * place) * batch**0.9)
            timings.append(latency(measured, batch))
            for number, half in enumerate(np.array_split(measured, 2)):
                place_of = f"processes/{name}-{number + 1}"
                (folder / place_of).mkdir(parents=True, exist_ok=True)
                np.save(folder / place_of / f"latency-b{batch}.npy", half)
        for number in range(2):
            events = [
                {"event": "latency", "batch": batch, "samples": f"latency-b{batch}.npy"}
                for batch in (1, 64)
            ]
            processes.append(
                {
                    "configuration": name,
                    "folder": f"processes/{name}-{number + 1}",
                    "ending": "finished",
                    "events": events,
                }
            )
        if precision == "int8":
            timings[1]["verdict"] = INVALID
        rows.append(
            row(
                name,
                precision=precision,
                size_bytes=size,
                latency=timings,
                accuracy=accuracy(
                    confusion, labels, correct=9961 + place, accuracy=0.9961 + place / 1e4
                ),
                accuracy_reason=None,
                end_to_end=end_to_end(queries(place, 300, 34)),
                end_to_end_reason=None,
                peak_mib=62.80078125 - place,
                load_ms=29.248535 + 3 * place,
                **(energy(place) if precision != "fp16" else {}),
            )
        )
    empty = dict.fromkeys(
        (
            "import_ms",
            "load_ms",
            "first_inference_ms",
            "process_to_first_ms",
            "baseline_mib",
            "peak_mib",
            "baseline_pss_mib",
            "pss_mib",
        )
    )
    crash = {
        "ending": "crash",
        "code": "failed",
        "reason": "it crashed: SIGSEGV",
        "hint": None,
        "processes": 2,
    }
    rows.append(
        row(
            "onnx-fp32-openvino",
            runtime="openvino",
            versions={},
            processes=0,
            failure=crash,
            **empty,
        )
    )
    other = {
        "timed_by": "trtexec",
        "external": [external()],
        "runtime": "trtexec",
        "device": "cuda:0",
    }
    rows.append(
        row("onnx-fp32-trtexec", accuracy_reason="trtexec gives no answers", **other, **empty)
    )
    left_out = {"torchscript": "PyTorch is not installed"}
    return write(folder, rows, processes=processes, not_measured=left_out)


def energy(place: int) -> dict[str, Any]:
    """Return the fields of a row whose energy a sensor told, and what was not in it."""
    return {
        "energy_mj": 0.412345 + 0.1 * place,
        "energy_error_mj": 0.0123456,
        "power_w": 5.4321,
        "idle_w": 3.2109,
        "energy_sensors": ["VDD_CPU"],
        "energy_reason": "the memory's own is not in it",
    }


def write_old(folder: Path) -> Path:
    """Write what the first version of the schema had: no verdicts, no classes, no samples left."""
    write_all(folder)
    file = folder / "result.json"
    content = json.loads(file.read_text("utf-8"))
    content["schema"] = "edgenet.bench/1"
    del content["not_measured"]
    content["processes"] = []
    for one in content["rows"]:
        for name in ("process_ms", "open_ms", "end_to_end", "end_to_end_reason", "cores", *_NEW):
            del one[name]
        for timing in one["latency"]:
            for name in ("p95_us", "p999_us", "withheld", "intervals", "verdict"):
                del timing[name]
        if one["accuracy"]:
            for name in ("confusion", "labels", "parent", "parent_reason"):
                del one["accuracy"][name]
    file.write_text(json.dumps(content), "utf-8")
    return folder


_NEW = ("baseline_pss_mib", "pss_mib", *energy(0))
