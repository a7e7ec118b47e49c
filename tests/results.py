"""Parts of a made-up benchmark, as `edgenet bench` writes them into a folder of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

MACHINE = {
    "host": {
        "cpu": {
            "model": "Example CPU",
            "isa": ["avx2", "fma"],
            "logical_cores": 4,
            "physical_cores": 2,
            "affinity": [0, 1, 2, 3],
            "governor": None,
        },
        "memory_bytes": 8_000_000_000,
        "limits": {"cores": None, "memory_bytes": None},
        "system": "Linux",
        "kernel": "6.1",
        "machine": "x86_64",
        "python": "3.11.7",
        "python_implementation": "CPython",
    },
    "now": {"load_average": [0.5, 0.25, 0.125], "temperatures_c": None},
    "packages": {"numpy": "2.0.0"},
    "edgenet": "0.1.0",
    "command": ["/opt/edgenet/__main__.py", "bench", "runs/net", "--batch", "1,64"],
    "started": "2026-01-02T03:04:05+00:00",
}
ARGUMENTS = {
    "sources": ["runs/net"],
    "runtimes": [],
    "threads": 1,
    "device": None,
    "allow_cpu_fallback": False,
    "batches": [1, 64],
    "duration_s": 2.0,
    "warmup_s": 0.5,
    "processes": 2,
    "data": "mnist",
    "split_seed": 0,
    "interpreter": None,
    "time_limit_s": None,
    "project": "runs",
    "name": None,
    "exist_ok": False,
}
EMPTY = (
    *("process_ms", "import_ms", "open_ms", "load_ms", "first_inference_ms"),
    *("process_to_first_ms", "baseline_mib", "peak_mib"),
)
VALID = {"verdict": "VALID", "reasons": []}
INVALID = {
    "verdict": "INVALID",
    "reasons": [{"code": "other-load", "detail": "other programs kept 0.87 cores busy"}],
}


def row(name: str, **changes: Any) -> dict[str, Any]:
    """Return a row without figures: what is known of a configuration before it has run."""
    return {
        "name": name,
        "bundle": f"runs/net/bundles/{name}",
        "model": "net",
        "format": "onnx",
        "precision": "fp32",
        "runtime": "onnxruntime",
        "versions": {"onnxruntime": "1.20.0"},
        "options": {},
        "threads": 1,
        "device": "cpu",
        "model_sha256": "ab" * 32,
        "size_bytes": 250_571,
        "processes": 2,
        "latency": [],
        "skipped": [],
        "import_ms": 115.198084,
        "load_ms": 29.248535,
        "first_inference_ms": 0.404811,
        "process_to_first_ms": 579.927239,
        "baseline_mib": 51.13671875,
        "peak_mib": 62.80078125,
        "accuracy": None,
        "accuracy_reason": "the bundle's data set is not known",
        "failure": None,
        "gpu_mib": None,
        "timed_by": "edgenet",
        "external": [],
        "process_ms": 310.25,
        "open_ms": 2.120017,
        "end_to_end": None,
        "end_to_end_reason": "no test pictures",
        "cores": [1],
        "cores_reason": None,
        "timer_resolution_ns": 60.0,
        "bind_overhead_ns": 91.0,
        "execute_overhead_ns": 91.0,
        "fetch_overhead_ns": 110.0,
        "baseline_pss_mib": 42.84765625,
        "pss_mib": 55.03515625,
        "energy_mj": None,
        "energy_error_mj": None,
        "power_w": None,
        "idle_w": None,
        "energy_sensors": [],
        "energy_reason": "no sensor: this machine shows neither RAPL nor a power monitor",
        **changes,
    }


def latency(queries_ns: np.ndarray[Any, Any], batch: int, **changes: Any) -> dict[str, Any]:
    """Return the entry of two processes that each measured half of the queries int64 [n, 3]."""
    total = queries_ns.sum(axis=1) / 1e3
    p50, p90, p99 = (float(np.quantile(total, share)) for share in (0.5, 0.9, 0.99))
    bind, execute, fetch = (float(np.median(part)) / 1e3 for part in queries_ns.T)
    halves = [float(np.median(half)) for half in np.array_split(total, 2)]
    return {
        "batch": batch,
        "n": len(total),
        "p50_us": p50,
        "p90_us": p90,
        "p95_us": float(np.quantile(total, 0.95)),
        "p99_us": p99,
        "p999_us": None,
        "withheld": {"p999_us": f"{len(total)} queries; a p99.9 takes 6,636"},
        "intervals": {"p50_us": [0.96 * p50, p50 / 0.96], "p90_us": [0.9 * p90, p90 / 0.9]},
        "verdict": VALID,
        "bind_p50_us": bind,
        "execute_p50_us": execute,
        "fetch_p50_us": fetch,
        "process_p50_us": halves,
        "spread": max(halves) / min(halves) - 1,
        "images_per_s": batch * len(total) / float(total.sum()) * 1e6,
        "steady": True,
        "gpu_p50_us": None,
        **changes,
    }


def end_to_end(measured: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the way from an encoded picture, 100 µs longer than the queries int64 [n, 3]."""
    longer = latency(measured + np.array([100_000, 0, 0]), 1)
    for name in ("bind_p50_us", "execute_p50_us", "fetch_p50_us", "gpu_p50_us"):
        del longer[name]
    steps = {"decode": 84.5, "resize": 15.25, "infer": 36.0, "argmax": 1.125}
    picture = {"encoding": "png", "height": 28, "width": 28, "bytes": 280}
    return {
        **longer,
        **{f"{name}_p50_us": value for name, value in steps.items()},
        "picture": picture,
    }


def accuracy(confusion: list[list[int]] | None, labels: list[str] | None, **changes: Any) -> Any:
    """Return the accuracy of a network that was right in 9,961 of 10,000 pictures."""
    told = {"confusion": confusion, "labels": labels}
    parent = {
        "gained": 4,
        "lost": 3,
        "differing": 9,
        "change": 1e-4,
        "low": -4e-4,
        "high": 6e-4,
        "p": 1.0,
    }
    return {
        "correct": 9961,
        "n": 10_000,
        "accuracy": 0.9961,
        "low": 0.9946733576853884,
        "high": 0.9971456391312261,
        "digest": "dc" * 32,
        "not_finite": 0,
        "parent": parent,
        "parent_reason": None,
        **told,
        **changes,
    }


def external(**changes: Any) -> dict[str, Any]:
    """Return what another program says of batch 1."""
    return {
        "timed_by": "trtexec",
        "batch": 1,
        "n": 3000,
        "p50_us": 11.25,
        "p90_us": 12.5,
        "p99_us": 20.0,
        "h2d_p50_us": 2.0,
        "compute_p50_us": 7.25,
        "d2h_p50_us": 2.0,
        "enqueue_p50_us": 5.0,
        "process_p50_us": [11.0, 11.5],
        "spread": 0.0455,
        "images_per_s": 88_888.9,
        "agrees": True,
        "command": ["trtexec", "--onnx=model.onnx", "--iterations=3000"],
        "modes": {},
        "warnings": ["the clock is not locked"],
        **changes,
    }


def queries(seed: int, n: int, typical_us: float) -> np.ndarray[Any, Any]:
    """Return bind, execute and fetch of each query, int64 [n, 3] ns, some of them far out."""
    generator = np.random.default_rng(seed)
    execute = typical_us * 1e3 * generator.lognormal(0, 0.03, n)
    execute[generator.random(n) < 0.02] *= 40
    parts = np.stack([np.full(n, 1500.0), execute, np.full(n, 240.0)], axis=1)
    return parts.astype(np.int64)


def write(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """Write ``result.json`` and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": "edgenet.bench/2",
        "complete": True,
        "rows": rows,
        "environment": MACHINE,
        "arguments": ARGUMENTS,
        "processes": [],
        "not_measured": {},
        **changes,
    }
    (folder / "result.json").write_text(json.dumps(content), "utf-8")
    return folder
