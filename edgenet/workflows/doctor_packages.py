"""The Python packages that edgenet uses: which are here, and what onnxruntime and torch offer.

None is imported. Versions are read from the packages' records, and onnxruntime is asked for its
execution providers in a process of its own, since a build for another processor ends the process.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgenet.launch.local import run_command

_TIME_LIMIT_S = 60.0
_PROVIDERS = (
    "import json, os; lines = os.dup(1); os.dup2(2, 1); import onnxruntime; "
    "answer = {'event': 'finished', 'providers': onnxruntime.get_available_providers()}; "
    "os.write(lines, (json.dumps(answer) + chr(10)).encode())"
)


class Wanted(NamedTuple):
    """A package that edgenet uses.

    Attributes:
        module: As it is imported.
        distributions: Names under which it is installed.
        extra: The extra of edgenet's that brings it; empty where edgenet always does; None where
            no extra does.
    """

    module: str
    distributions: tuple[str, ...]
    extra: str | None = ""


WANTED = (
    Wanted("torch", ("torch",)),
    Wanted("torchvision", ("torchvision",)),
    Wanted("onnx", ("onnx",)),
    Wanted("onnxscript", ("onnxscript",)),
    Wanted("onnxruntime", ("onnxruntime", "onnxruntime-gpu")),
    Wanted("numpy", ("numpy",)),
    Wanted("safetensors", ("safetensors",)),
    Wanted("typer", ("typer",)),
    Wanted("rich", ("rich",)),
    Wanted("matplotlib", ("matplotlib",)),
    Wanted("PIL", ("pillow",)),
    Wanted("tomli_w", ("tomli-w",)),
    Wanted("tensorrt_rtx", ("tensorrt-rtx-cu12", "tensorrt-rtx-cu13"), "trt-rtx-check"),
    Wanted("openvino", ("openvino",), "rivals"),
    Wanted(
        "tensorrt",
        ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-bindings"),
        None,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that edgenet uses, here.

    Attributes:
        name: Of the distribution.
        module: As it is imported.
        installed: Python finds the module; it was not imported.
        version: As its record says; None where there is no record.
        extra: As in `Wanted`.
    """

    name: str
    module: str
    installed: bool
    version: str | None
    extra: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))


def read_packages() -> tuple[Package, ...]:
    """Look for every package of `WANTED`."""
    return tuple(map(_package, WANTED))


def _package(wanted: Wanted) -> Package:
    found = {name: _version(name) for name in wanted.distributions}
    name = next((name for name in wanted.distributions if found[name]), wanted.distributions[0])
    return Package(
        name=name,
        module=wanted.module,
        installed=_has(wanted.module),
        version=found[name],
        extra=wanted.extra,
    )


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # something put a module without a record of its own there
        return False


def read_providers() -> tuple[tuple[str, ...] | None, str | None]:
    """Ask onnxruntime in another process; return its providers, or why it did not answer."""
    search = os.pathsep.join(map(os.path.abspath, sys.path))
    with tempfile.TemporaryDirectory(prefix="edgenet-") as folder:
        outcome = run_command(
            [sys.executable, "-c", _PROVIDERS],
            folder=Path(folder),
            environment={**os.environ, "PYTHONPATH": search},
            time_limit_s=_TIME_LIMIT_S,
        )
    answer = outcome.find("finished")
    if answer is not None:
        return tuple(answer["providers"]), None
    last = outcome.stderr_tail.strip().rpartition("\n")[2]
    return None, ": ".join(filter(None, (outcome.reason, last or outcome.hint)))


def torch_cuda() -> str | None:
    """Return the CUDA that torch was built for, from a file of its own, without importing it."""
    spec = importlib.util.find_spec("torch") if _has("torch") else None
    if spec is None or spec.origin is None:
        return None
    try:
        content = Path(spec.origin).with_name("version.py").read_text("utf-8")
    except (OSError, ValueError):
        return None
    found = re.search(r"^cuda\b[^=\n]*=\s*'([\d.]+)'", content, re.MULTILINE)
    return found[1] if found else None
