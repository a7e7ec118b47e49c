"""The machine and the versions of a measurement, as named facts with the reason where one lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgenet.report.document import Document
from edgenet.report.format import bytes_text, plain
from edgenet.report.table import FACTS, Cell, Table

_NO_CPUFREQ = "this system shows no clock control of its CPU; virtual machines often do not"
_NO_REVISION = "edgenet did not run from a repository, or these results are older than the field"
_UNTOLD = "the system does not tell"
_WHY = {
    "governor": _NO_CPUFREQ,
    "lowest_khz": _NO_CPUFREQ,
    "highest_khz": _NO_CPUFREQ,
    "boost": _NO_CPUFREQ,
    "board": "no device tree names one",
    "jetson": "this is no Jetson",
    "temperatures_c": "this system shows no temperature",
    "revision": _NO_REVISION,
    "memory limit": "none is set",
    "core limit": "none is set",
}
_SHOWN = ("host", "now", "after", "packages", "edgenet", "command", "started", "revision")
_HOST = (
    *("cpu", "memory_bytes", "swap_bytes", "limits", "numa_nodes", "system", "kernel", "machine"),
    *("board", "jetson", "libc", "python", "python_implementation", "numpy", "thread_variables"),
    *("distribution", "gpus", "gpu_driver"),
)


def machine_name(document: Document) -> str:
    """Return the processor in a few words."""
    host = _object(document.environment.get("host"))
    cpu = _object(host.get("cpu"))
    name = host.get("board") or cpu.get("model") or host.get("machine") or "an unknown machine"
    cores = cpu.get("logical_cores")
    return plain(f"{name}, {cores} cores" if cores else str(name))


def environment(document: Document) -> tuple[Table, ...]:
    """Return the machine, its state at the start, the software and the measured files."""
    told = document.environment
    states = [
        _facts("When it started", {"started": told.get("started"), **_state(told.get("now"))})
    ]
    if told.get("after") is not None:
        states.append(_facts("When it ended", _state(told.get("after"))))
    return (
        _facts("Machine", _machine(document)),
        *states,
        _facts("Software", _software(document)),
        _files(document),
    )


def _machine(document: Document) -> dict[str, Any]:
    host = _object(document.environment.get("host"))
    cpu, limits = _object(host.get("cpu")), _object(host.get("limits"))
    told = {
        "CPU": cpu.get("model"),
        "instruction sets": _words(cpu.get("isa")),
        "cores": _cores(cpu),
        "usable cores": _words(cpu.get("affinity")),
        "governor": cpu.get("governor"),
        "clock driver": cpu.get("driver"),
        "SMT": cpu.get("smt"),
        "lowest_khz": cpu.get("lowest_khz"),
        "highest_khz": cpu.get("highest_khz"),
        "boost": cpu.get("boost"),
        "memory": _bytes(host.get("memory_bytes")),
        "swap": _bytes(host.get("swap_bytes")),
        "core limit": limits.get("cores"),
        "memory limit": _bytes(limits.get("memory_bytes")),
        "NUMA nodes": host.get("numa_nodes"),
        "system": " ".join(
            str(host[name]) for name in ("system", "kernel", "machine") if host.get(name)
        ),
        "distribution": host.get("distribution"),
        "C library": host.get("libc"),
        "GPUs": _words(host.get("gpus"), ", "),
        "GPU driver": host.get("gpu_driver"),
        "board": host.get("board"),
        "jetson": host.get("jetson"),
    }
    return {**told, **{name: host[name] for name in host if name not in _HOST}}


def _state(snapshot: Any) -> dict[str, Any]:
    now = _object(snapshot)
    return {
        "load average": _words(now.get("load_average"), ", "),
        "running tasks": now.get("running_tasks"),
        "clocks_khz": _words(now.get("frequencies_khz"), ", "),
        "gpu_clock_khz": now.get("gpu_frequency_khz"),
        "temperatures_c": now.get("temperatures_c"),
        "memory available": _bytes(now.get("memory_available_bytes")),
    }


def _software(document: Document) -> dict[str, Any]:
    told = document.environment
    host = _object(told.get("host"))
    python = (host.get("python_implementation"), host.get("python"))
    runtimes = {
        name: version for row in document.rows for name, version in sorted(row.versions.items())
    }
    return {
        "edgenet": told.get("edgenet"),
        "revision": told.get("revision"),
        "Python": " ".join(str(word) for word in python if word),
        **dict(sorted(_object(told.get("packages")).items())),
        **{f"{name} that ran": version for name, version in runtimes.items()},
        "thread variables": host.get("thread_variables"),
        "results": document.schema,
        **{name: told[name] for name in told if name not in _SHOWN},
    }


def _files(document: Document) -> Table:
    rows = tuple(
        (
            plain(row.name),
            plain(row.facts["bundle"]),
            plain(row.facts["model_sha256"]),
            plain(row.accuracy.digest) if row.accuracy else None,
        )
        for row in document.rows
    )
    return Table(
        caption="Files",
        columns=("configuration", "bundle", "SHA-256 of the model", "digest of the test set"),
        rows=rows,
    )


def _facts(caption: str, facts: Mapping[str, Any]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, value in facts.items():
        if value is None or value == "":
            rows.append((plain(name), f"null: {_WHY.get(name, _UNTOLD)}"))
        else:
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            rows.append((plain(name), plain(text)))
    return Table(caption=caption, columns=FACTS, rows=tuple(rows))


def _cores(cpu: Mapping[str, Any]) -> str | None:
    logical, physical = cpu.get("logical_cores"), cpu.get("physical_cores")
    if logical is None:
        return None
    return f"{logical} logical, {'unknown' if physical is None else physical} physical"


def _words(values: Any, between: str = " ") -> str | None:
    return between.join(map(str, values)) if isinstance(values, list) and values else None


def _bytes(value: Any) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else bytes_text(int(value))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
