"""A GPU that is none: libcudart's and TensorRT's stand-ins in the place of the real ones."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgenet.runner import cuda, cuda_library
from tests.unit.runner.cuda.fake_tensorrt import make_tensorrt


@pytest.fixture(scope="session")
def cudart_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for libcudart, compiled."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    made = tmp_path_factory.mktemp("cudart") / "libcudart.so.12"
    source = Path(__file__).with_name("fakecudart.c")
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", str(made), str(source)], check=True)
    return made


@pytest.fixture
def cudart(cudart_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, found by `edgenet.runner.cuda` as the only one; nothing may be left in it."""
    monkeypatch.setenv(cuda_library.LIBRARY_VARIABLE, str(cudart_file))
    monkeypatch.setattr(cuda, "_answers", {})  # what an earlier test was told
    library = ctypes.CDLL(str(cudart_file))
    library.fake_bytes_at.restype = ctypes.c_size_t
    library.fake_allocations.restype = ctypes.c_long
    library.fake_fail_allocation.argtypes = [ctypes.c_long]
    assert library.fake_live_all() == 0
    yield library
    library.fake_fail_allocation(-1)
    library.fake_fault(0)
    left = library.fake_live_all()
    assert left == 0, f"{left} handles are left behind"


@pytest.fixture
def tensorrt(cudart: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Puts a stand-in for a version in the place of the module ``tensorrt``."""
    made = []

    def install(version: str) -> Any:
        module = make_tensorrt(version, cudart)
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        made.append(module)
        return module

    yield install
    for module in made:
        left = {name: count for name, count in module.live.items() if count}
        assert not left, f"objects of TensorRT are left behind: {left}"
