"""Which library is here, and from which version on it is one that is supported."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.runner import cuda
from edgenet.runner.tensorrt.library import (
    CLASSIC,
    RTX,
    SPANS,
    Library,
    Span,
    load,
    load_usable,
    unavailable,
    version_numbers,
    version_of,
)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Put a module ``tensorrt`` where it is imported from."""
    (folder / "tensorrt.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(__import__("sys").modules, "tensorrt", raising=False)


def module(name: str, version: str) -> types.ModuleType:
    """Return a module that says it is of a version."""
    made = types.ModuleType(name)
    vars(made)["__version__"] = version
    return made


@pytest.mark.parametrize(
    ("name", "version", "api"),
    [
        ("tensorrt", "8.2.1.8", (8, 2)),
        ("tensorrt", "10.13.3.9.post1", (10, 13)),
        ("tensorrt_bindings.tensorrt", "11.4.0.106", (11, 4)),
        ("tensorrt_rtx", "1.7.1.116", (11, 0)),
    ],
)
def test_a_library_is_told_by_its_name_and_version(
    name: str, version: str, api: tuple[int, int]
) -> None:
    """TensorRT for RTX has the names of TensorRT 11, whatever its own version."""
    found = version_of(module(name, version))
    assert (found.version, found.api) == (version, api)
    assert found.title == f"TensorRT{' for RTX' if name == RTX else ''} {version}"
    assert found.needs_gpu == found.has_timing_cache == (name != RTX)


@pytest.mark.parametrize("version", ["", "eleven", "10", "v8.2"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    """Rather than taken for one."""
    with pytest.raises(NotPossible, match="is no version of TensorRT"):
        version_numbers(version)


def test_a_name_is_used_from_its_first_version_to_before_the_one_that_lost_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both ends of a span."""
    monkeypatch.setitem(SPANS, "A.b", Span((8, 5), (11, 0)))
    supported = [
        Library(CLASSIC, "", api).supports("A.b") for api in ((8, 4), (8, 5), (10, 16), (11, 0))
    ]
    assert supported == [False, True, True, False]
    with pytest.raises(KeyError):
        Library(CLASSIC, "", (8, 5)).supports("not.listed")


def test_a_library_that_is_not_installed_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither is, and for a name that is neither."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "(the Python package tensorrt) is not installed" in str(unavailable(CLASSIC))
    with pytest.raises(NotPossible) as caught:
        load(CLASSIC)
    assert "JetPack" in str(caught.value.hint)
    with pytest.raises(NotPossible) as caught:
        load(RTX)
    assert "pip install 'edgenet[" in str(caught.value.hint)
    with pytest.raises(UsageError, match="unknown TensorRT library 'tensorflow'"):
        unavailable("tensorflow")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ImportError('libnvinfer.so.8: cannot open')", "cannot be loaded: libnvinfer"),
        ("raise OSError('wrong ELF class')", "cannot be loaded: wrong ELF class"),
        ("__version__ = '8.0.1.6'", "TensorRT 8.0.1.6 is older than 8.2"),
    ],
)
def test_a_library_that_cannot_be_used_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, words: str
) -> None:
    """Such as one of JetPack 4.6.0."""
    stand_in(tmp_path, monkeypatch, source)
    with pytest.raises(NotPossible, match=words):
        load(CLASSIC)


def test_without_a_gpu_the_classic_library_is_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known to crash there."""
    stand_in(tmp_path, monkeypatch, "raise SystemExit('imported')")
    monkeypatch.setattr(cuda, "probe", lambda: "no driver")
    with pytest.raises(NotPossible, match="there is none here: no driver"):
        load_usable(CLASSIC)
