"""Every name of TensorRT's that our code uses is in each version that it is used with.

The names are read from the source: `edgenet.runner.tensorrt.library` says how variables that hold
TensorRT's objects are called, and which names are used with some versions only. The tables of what
each version has are in tests/contract/tensorrt_api; most are NVIDIA's own bindings, listed by
``regenerate.py`` there.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgenet
from edgenet.runner.tensorrt import library
from edgenet.runner.tensorrt.library import CLASSIC, OBJECTS, OLDEST, RTX, SPANS, Library

TABLES = Path(__file__).parent / "tensorrt_api"
LABELS = ("8.2", "8.5", "8.6", "10.3", "10.13", "11.4", "rtx")
RUNNER = Path(edgenet.__file__).parent / "runner"
SOURCES = sorted([*(RUNNER / "tensorrt").glob("*.py"), RUNNER / "runtimes" / "tensorrt.py"])

_OWN = {"Builder", "OnnxParser", "Runtime"}
"""Classes that are made by a call, so that no name of theirs is needed beside the class itself."""


def names(label: str) -> dict[str, set[str]]:
    """Return a version's names by class."""
    table = json.loads((TABLES / f"{label}.json").read_text())["names"]
    return {kind: set(members) for kind, members in table.items()}


def library_of(label: str) -> Library:
    """Return the library that a table is of, as the code sees it."""
    version = str(json.loads((TABLES / f"{label}.json").read_text())["version"])
    if label == "rtx":
        return Library(RTX, version, (11, 0))
    major, minor = map(int, label.split("."))
    return Library(CLASSIC, version, (major, minor))


def uses(source: str) -> Iterator[str]:
    """Yield every name of TensorRT's that a piece of source uses, such as ``Builder.reset``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("__"):
            continue
        kind = _kind_of(node.value)
        if kind is not None:
            yield f"{kind}.{node.attr}"
        elif _is_module(node.value):
            yield node.attr


def _is_module(node: ast.expr) -> bool:
    """Whether an expression is the library: ``module``, ``self._module``."""
    return _called(node) == "module"


def _kind_of(node: ast.expr) -> str | None:
    """Return the class of what a name is looked up in, or None."""
    if isinstance(node, ast.Attribute) and _is_module(node.value):
        return node.attr
    return OBJECTS.get(_called(node))


def _called(node: ast.expr) -> str:
    """Return what a variable or an attribute is called, without a leading underscore."""
    name = getattr(node, "id", None) or getattr(node, "attr", None) or ""
    return str(name).lstrip("_")


ALL_USES = {name: path.name for path in SOURCES for name in uses(path.read_text("utf-8"))}


def test_names_are_read_from_the_source_whichever_way_they_are_written() -> None:
    """What is not read is not checked."""
    source = (
        "builder.reset()\nself._engine.num_layers\nmodule.Builder(log)\nother.thing\n"
        "x = self._module.BuilderFlag.FP16\nmodule.__version__\n[layer.type for layer in all]\n"
    )
    found = {"Builder.reset", "ICudaEngine.num_layers", "Builder", "BuilderFlag.FP16"}
    assert set(uses(source)) == {*found, "BuilderFlag", "ILayer.type"}


def test_the_source_uses_what_it_is_known_to_use() -> None:
    """The search itself works on the real files, the runtime's included."""
    known = {"Builder.build_serialized_network", "BuilderFlag.INT8", "ILogger.ERROR", "Runtime"}
    assert known <= set(ALL_USES)
    assert {"IExecutionContext.execute_async_v3", "IExecutionContext.execute_async_v2"} <= set(
        ALL_USES
    )
    assert len(ALL_USES) > 60


@pytest.mark.parametrize("label", LABELS)
def test_every_name_that_is_used_with_a_version_is_in_it(label: str) -> None:
    """A name that a version lacks would be an AttributeError on a board, and there alone."""
    table, here = names(label), library_of(label)
    missing = []
    for name, file in ALL_USES.items():
        if name in SPANS and not here.supports(name):
            continue
        kind, _, member = name.partition(".")
        there = member in table.get(kind, set()) if member else kind in table
        # A class whose members are all for other versions may be unknown to this one.
        if not there and not (not member and _all_elsewhere(kind, here)):
            missing.append(f"{name} ({file})")
    assert missing == []


def _all_elsewhere(kind: str, here: Library) -> bool:
    members = [name for name in ALL_USES if name.startswith(f"{kind}.")]
    return bool(members) and not any(name not in SPANS or here.supports(name) for name in members)


def test_a_name_that_is_used_with_some_versions_only_has_a_reason() -> None:
    """Where every version has it, asking for it would hide nothing but code that never runs."""
    strict = {}
    for name, span in SPANS.items():
        kind, _, member = name.partition(".")
        without = [label for label in LABELS if member not in names(label).get(kind, set())]
        strict[name] = bool(without)
        for label in without:
            assert not library_of(label).supports(name), f"{name} is not in {label}: {span}"
    assert not [name for name, limited in strict.items() if not limited]


def test_every_name_of_the_table_is_used_somewhere() -> None:
    """A row that nothing asks for would be a promise that nothing keeps."""
    assert set(SPANS) - set(ALL_USES) == set()


@pytest.mark.parametrize("label", LABELS)
def test_a_table_says_where_it_is_from(label: str) -> None:
    """Version and source; the classes are those of the regenerating script."""
    content = json.loads((TABLES / f"{label}.json").read_text())
    assert content["version"]
    assert content["source"].startswith(("PyPI, ", "github.com/NVIDIA/TensorRT"))
    assert set(content["names"]) >= _OWN
    assert library.version_numbers(str(content["version"]))[:2] >= (1, 0)
    assert label == "rtx" or library_of(label).api >= OLDEST
