"""OpenVINO's runner without OpenVINO: what it keeps out, what it says, and when it is taken.

The library itself is run in tests/contract/test_openvino.py.
"""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgenet.bench.plan import configurations
from edgenet.errors import NotPossible
from edgenet.runner import host, runtimes
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import choose_runtime
from edgenet.runner.runtimes import openvino
from tests.bundles import edit_manifest, write_onnx_bundle

_PACKAGE = {
    "openvino/__init__.py": (
        "__version__ = '2026.4.1-22982-e213a147257'\n"
        "class Core: pass\n"
        "try:\n"
        "    from openvino.tools.ovc import convert_model\n"
        "except ImportError:\n"
        "    pass\n"
    ),
    "openvino/tools/__init__.py": "",
    "openvino/tools/ovc/__init__.py": "print('reported')\nconvert_model = None\n",
}
"""OpenVINO as far as its import goes: what it does at its end, and the report that this makes."""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Return a small ONNX bundle."""
    return open_bundle(write_onnx_bundle(tmp_path / "bundle"))


def _run(tmp_path: Path, code: str) -> str:
    """Return what code prints in a process whose OpenVINO is the stand-in."""
    for name, content in _PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"
    root = Path(__file__).parents[3]
    return subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)


def test_the_stand_in_reports_its_import_as_openvino_does(tmp_path: Path) -> None:
    """Without this the next test would show nothing."""
    assert _run(tmp_path, "import openvino") == "reported\n"


def test_loading_openvino_does_not_load_what_reports_it(tmp_path: Path) -> None:
    """A measurement sends nothing to anybody; and what was kept out can be imported afterwards."""
    load = "from edgenet.runner.runtimes import openvino as ours; print(ours.versions());"
    later = "print('later'); import openvino.tools.ovc"
    assert _run(tmp_path, load + later) == "{'openvino': '2026.4.1'}\nlater\nreported\n"


def test_where_openvino_is_absent_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """Before it is loaded, and by what loads it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    reason = runtimes.unavailable("openvino")
    assert reason is not None
    assert "openvino is not installed" in reason
    assert "edgenet[rivals]" in reason
    with pytest.raises(NotPossible, match="openvino cannot be loaded") as caught:
        openvino.open_session(bundle, threads=1, device="cpu")
    assert "edgenet[rivals]" in str(caught.value.hint)


def test_an_openvino_of_before_2023_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """It kept its interface in another module."""
    monkeypatch.setitem(sys.modules, "openvino", ModuleType("openvino"))
    with pytest.raises(NotPossible, match="too old"):
        openvino.versions()


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_another_device_is_refused_and_never_replaced(bundle: Bundle, device: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(NotPossible, match=device):
        openvino.open_session(bundle, threads=1, device=device)


class _Library(ModuleType):
    """OpenVINO that compiles every network, and gives two threads at most."""

    __version__ = "1.2.3-build"

    def Core(self) -> Any:  # noqa: N802 - the library's name
        return _Core()


class _Tensor:
    def __init__(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> None:
        self._name, self._dtype, self._shape = name, dtype, shape

    def get_names(self) -> set[str]:
        return {self._name}

    def get_element_type(self) -> Any:
        return self

    def get_type_name(self) -> str:
        return self._dtype

    def get_partial_shape(self) -> Any:
        return _Shape(_Size(size) for size in self._shape)


class _Shape(list["_Size"]):
    @property
    def rank(self) -> _Size:
        return _Size(len(self))


class _Size:
    def __init__(self, size: int | None) -> None:
        self.is_dynamic = size is None
        self.get_length = lambda: size


class _Core:
    inputs = (_Tensor("input", "u8", (None, 1, 6, 5)),)
    outputs = (_Tensor("logits", "f32", (None, 3)),)
    threads = "0"

    def read_model(self, content: bytes, weights: bytes) -> Any:
        return self

    def reshape(self, shape: list[int]) -> None:
        pass

    def compile_model(self, model: Any, device: str, told: dict[str, str]) -> Any:
        self.threads = told["INFERENCE_NUM_THREADS"]
        return self

    def get_property(self, name: str) -> int:
        return min(int(self.threads), 2)


def test_fewer_threads_than_were_asked_for_are_an_error(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """OpenVINO takes no more than there are cores and says nothing; the row would say eight."""
    monkeypatch.setitem(sys.modules, "openvino", _Library("openvino"))
    with pytest.raises(NotPossible, match="on 2 threads here, not on 8") as caught:
        openvino.open_session(bundle, threads=8, device="cpu")
    assert caught.value.hint == "use --threads 2"


@pytest.mark.parametrize(
    ("machine", "isa", "precision", "told"),
    [
        ("x86_64", ["avx2"], "int8", True),
        ("x86_64", ["avx2", "avx512f"], "int8", True),
        ("x86_64", ["avx2", "avx_vnni"], "int8", False),
        ("x86_64", ["avx512_vnni"], "int8", False),
        ("aarch64", ["asimd"], "int8", False),
        ("x86_64", ["avx2"], "fp32", False),
        ("x86_64", ["avx2"], "fp16", False),
    ],
)
def test_int8_kernels_are_left_on_the_processors_where_their_sums_saturate(
    monkeypatch: pytest.MonkeyPatch, machine: str, isa: list[str], precision: str, *, told: bool
) -> None:
    """And on no other: where they are exact, they are what the user came for."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(host, "instruction_sets", lambda: isa)
    assert openvino.int8_settings(precision) == ({"LP_TRANSFORMS_MODE": "NO"} if told else {})


def test_a_rival_is_taken_only_where_it_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """Not even where no other runtime is installed: the figure would be another program's."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(openvino, "unavailable", lambda: None)
    assert "openvino" not in runtimes.for_format("onnx")
    assert "openvino" not in runtimes.for_format("onnx", "cpu")
    with pytest.raises(NotPossible, match="onnxruntime is not installed"):
        choose_runtime(bundle)
    assert choose_runtime(bundle, "openvino") == "openvino"


def test_a_rival_is_measured_beside_ours_in_one_plan(tmp_path: Path) -> None:
    """The bundles that it does not take are left to ours."""
    paths = [write_onnx_bundle(tmp_path / name) for name in ("a", "b")]
    edit_manifest(paths[1], lambda manifest: manifest.update(format="torchscript"))
    planned = configurations(
        [open_bundle(path) for path in paths], ["onnxruntime", "openvino", "torchscript"]
    )
    assert [one.name for one in planned] == ["a-onnxruntime", "a-openvino", "b-torchscript"]
