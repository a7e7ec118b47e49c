"""A stand-in for the module ``tensorrt`` of any version, whose engines run in onnxruntime.

It has the names of TensorRT's own tables (tests/contract/tensorrt_api) and no others: what a
version does not have, its stand-in does not have either, and a method here that no version has is
an error. Memory comes from the stand-in for libcudart, as TensorRT's comes from CUDA, so that both
count together what is left behind and run out of memory together.
"""

from __future__ import annotations

import collections
import enum
import importlib.machinery
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.unit.runner.cuda.fake_base import VERSIONS, Counted
from tests.unit.runner.cuda.fake_builder import (
    Builder,
    Cache,
    Config,
    Network,
    Parser,
    Profile,
    Tensor,
)
from tests.unit.runner.cuda.fake_engine import Context, Engine, Inspector, Log, Runtime

TABLES = Path(__file__).parents[3] / "contract" / "tensorrt_api"
CLASSES = (
    Log,
    Runtime,
    Engine,
    Context,
    Inspector,
    Builder,
    Network,
    Config,
    Profile,
    Parser,
    Tensor,
    Cache,
)


def make_tensorrt(version: str, cudart: Any) -> Any:
    """Return a module ``tensorrt``.

    Args:
        version: A key of `VERSIONS`.
        cudart: The loaded stand-in for libcudart.

    Returns:
        A module with TensorRT's names, and beside them ``live``, a count of objects by class.
    """
    module = ModuleType("tensorrt")
    module.__spec__ = importlib.machinery.ModuleSpec("tensorrt", None)
    table = json.loads((TABLES / f"{version}.json").read_text())["names"]
    space: dict[str, Any] = {
        "__version__": VERSIONS[version],
        "fake_version": version,
        "fake_builds": 0,
        "fake_outputs_first": False,
        "cudart": cudart,
        "live": collections.Counter(),
        "Dims": tuple,
    }
    vars(module).update(space)
    for name in set(table) - {base.stands_for for base in CLASSES}:
        members = [each for each in table[name] if each.isupper()]
        if members:
            vars(module)[name] = enum.IntEnum(name, members, start=0)
    for base in CLASSES:
        known = _names_of_all_versions()[base.stands_for]
        strange = {name for name in vars(base) if not name.startswith("_")} - known - {"stands_for"}
        assert not strange, f"no version of {base.stands_for} has {strange}"
        vars(module)[base.stands_for] = _as_in(table[base.stands_for], base, module)
    return module


def _names_of_all_versions() -> dict[str, set[str]]:
    names: dict[str, set[str]] = collections.defaultdict(set)
    for version in VERSIONS:
        table = json.loads((TABLES / f"{version}.json").read_text())["names"]
        for kind, members in table.items():
            names[kind] |= set(members)
    return names


def _as_in(names: list[str], base: type[Counted], module: Any) -> type:
    """Return a class without what this version's does not have."""
    kept = {
        name: value
        for name, value in vars(base).items()
        if name.startswith("_") or name == "stands_for" or name in names
    }
    kept.pop("__dict__", None)
    kept.pop("__weakref__", None)
    return type(base.stands_for, (Counted,), {**kept, "_module": module, "_names": names})
