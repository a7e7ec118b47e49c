"""Plans: what they are bound to, what they say of themselves, and when they are built again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner.fields import FieldError
from edgenet.runner.tensorrt import plan as plans
from edgenet.runner.tensorrt.builder import BuildOptions
from edgenet.runner.tensorrt.library import CLASSIC, RTX, Library
from edgenet.runner.tensorrt.plan import (
    CachedPlan,
    Machine,
    cached_plan,
    check_claim,
    check_header,
    check_machine,
    machine_of,
    read_header,
)
from tests.unit.runner.tensorrt.recorder import FakeTensorRT, version_text

NANO = Machine(CLASSIC, "8.2.1.8", "5.3", "10.2")
FLOAT = (("CONVOLUTION", "FLOAT", "conv"),)


def plan_bytes(magic: bytes, *version: int) -> bytes:
    """Return what a plan of that version begins with, and some more."""
    return magic.ljust(24, b"\0") + bytes(version) + b"rest"


def library(name: str, version: str) -> Library:
    """Return a library of a version."""
    major, minor = map(int, version.split(".")[:2])
    return Library(name, version, (major, minor))


def test_a_key_goes_through_json_and_back() -> None:
    """As it stands in a manifest."""
    for machine in (NANO, Machine(RTX, "1.7.1.116")):
        assert Machine.from_json(json.loads(json.dumps(machine.to_json())), "key") == machine
    assert NANO.title == ("TensorRT 8.2.1.8, compute capability 5.3, a driver for CUDA 10.2")


@pytest.mark.parametrize(
    "change",
    [
        {"library": "tensorflow"},
        {"version": "new"},
        {"version": None},
        {"compute_capability": 5.3},
        {"driver": "10.2; rm"},
        {"more": 1},
    ],
)
def test_a_key_that_nobody_wrote_is_refused(change: dict[str, Any]) -> None:
    """A manifest may come from anywhere."""
    with pytest.raises(FieldError, match="key"):
        Machine.from_json({**NANO.to_json(), **change}, "key")


@pytest.mark.parametrize(
    "change",
    [{"library": RTX}, {"version": "8.2.1.9"}, {"compute_capability": "7.2"}, {"driver": "11.4"}],
)
def test_an_engine_of_another_machine_is_refused_with_both(change: dict[str, str]) -> None:
    """Whatever of the key differs; TensorRT itself may load it and answer wrongly, or crash."""
    check_machine(NANO, NANO)
    with pytest.raises(NotPossible) as caught:
        check_machine(NANO, NANO._replace(**change))
    assert NANO.title in caught.value.message
    assert "built on the machine that runs them" in str(caught.value.hint)


def test_an_engine_that_is_bound_to_no_gpu_runs_on_any() -> None:
    """As those of TensorRT for RTX are."""
    here = Machine(RTX, "1.7.1.116", "8.9", "13.0")
    check_machine(Machine(RTX, "1.7.1.116"), here)
    assert machine_of(Library(RTX, "1.7.1.116", (11, 0))) == Machine(RTX, "1.7.1.116")


def test_a_header_names_library_and_version() -> None:
    """Four letters, and one byte each from 24 on."""
    assert read_header(plan_bytes(b"vtrt", 1, 7, 1, 116)) == (RTX, (1, 7, 1, 116))
    assert read_header(plan_bytes(b"ftrt", 10, 3, 0, 26)) == (CLASSIC, (10, 3, 0, 26))
    assert read_header(plan_bytes(b"trt?", 10, 3, 0, 26)) is None
    assert read_header(b"ftrt") is None
    assert read_header(b"") is None


@pytest.mark.parametrize(
    ("plan", "here"),
    [
        (plan_bytes(b"ftrt", 10, 3, 0, 26), library(CLASSIC, "10.3.0")),
        (plan_bytes(b"ftrt", 11, 4, 0, 106), library(CLASSIC, "11.4.0.106")),
        (plan_bytes(b"vtrt", 1, 7, 1, 116), library(RTX, "1.7.1.116")),
        (plan_bytes(b"ptrt", 0, 0, 0, 0), library(CLASSIC, "8.2.1.8")),
        (plan_bytes(b"ftrt", 0, 0, 0, 0), library(CLASSIC, "8.6.1.6")),
        (plan_bytes(b"wtrt", 11, 4, 0, 106), library(CLASSIC, "11.4.0.106")),
    ],
)
def test_a_plan_of_this_version_is_taken(plan: bytes, here: Library) -> None:
    """In 8 and 11 the header is of no form that is known."""
    check_header(plan, here, "model.engine")
    check_claim(plan, Machine(here.name, here.version), "model.engine")


@pytest.mark.parametrize(
    ("plan", "here"),
    [
        (plan_bytes(b"ftrt", 10, 3, 0, 26), library(CLASSIC, "10.13.3.9")),
        (plan_bytes(b"ftrt", 10, 3, 0, 26), library(CLASSIC, "8.6.1.6")),
        (plan_bytes(b"ftrt", 10, 3, 0, 26), library(CLASSIC, "11.4.0.106")),
        (plan_bytes(b"vtrt", 1, 7, 1, 116), library(CLASSIC, "10.3.0.26")),
        (plan_bytes(b"vtrt", 1, 7, 1, 116), library(RTX, "1.8.0.1")),
    ],
)
def test_a_plan_of_another_version_is_not_given_to_native_code(plan: bytes, here: Library) -> None:
    """As a fault of the place; where a manifest claims the version, as one of the file."""
    with pytest.raises(NotPossible, match=r"model\.engine was written by"):
        check_header(plan, here, "model.engine")
    with pytest.raises(CorruptFile, match=r"model\.engine was written by"):
        check_claim(plan, Machine(here.name, here.version), "model.engine")


@pytest.mark.parametrize(
    ("plan", "here"),
    [
        (b"", library(CLASSIC, "8.2.1.8")),
        (b"short", library(CLASSIC, "8.2.1.8")),
        (b"\x08\x0a an ONNX file, longer than a header", library(CLASSIC, "10.3.0.26")),
        (b"\x08\x0a an ONNX file, longer than a header", library(RTX, "1.7.1.116")),
    ],
)
def test_what_is_no_plan_is_a_corrupt_file(plan: bytes, here: Library) -> None:
    """Exit code 6."""
    with pytest.raises(CorruptFile, match=r"model\.engine is no engine of"):
        check_header(plan, here, "model.engine")


def _cached(folder: Path, label: str = "8.2", content: bytes = b"onnx", **given: Any) -> CachedPlan:
    module = FakeTensorRT(label, layers=FLOAT, plan=given.pop("plan", b"plan"))
    machine = given.pop("machine", NANO._replace(version=version_text(label)))
    return cached_plan(module, content, given.pop("options", BuildOptions()), machine, folder)


def test_a_plan_is_built_once_and_then_found(tmp_path: Path) -> None:
    """With the times of its kernels, for the next network."""
    first = _cached(tmp_path)
    assert (first.plan, first.built is None) == (b"plan", False)
    again = _cached(tmp_path, plan=b"another")
    assert (again.plan, again.built) == (b"plan", None)
    kinds = sorted(path.suffix for path in tmp_path.iterdir())
    assert kinds == [".json", ".plan", ".timing"]
    other = _cached(tmp_path, content=b"another network")
    assert other.built is not None
    assert other.built.timing_cache == "used"


@pytest.mark.parametrize(
    "change",
    [
        {"label": "8.6"},
        {"machine": NANO._replace(version=version_text("8.2"), driver="11.4")},
        {"machine": NANO._replace(version=version_text("8.2"), compute_capability="7.2")},
        {"content": b"another network"},
        {"options": BuildOptions(batches=(1, 1, 1))},
        {"options": BuildOptions(without_cublas_cudnn=True)},
        {"options": BuildOptions(workspace_bytes=1 << 20)},
    ],
)
def test_whatever_of_the_key_differs_makes_another_plan(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """The first one stays for the machine that it is of."""
    _cached(tmp_path)
    assert _cached(tmp_path, plan=b"another", **change).plan == b"another"
    assert _cached(tmp_path).plan == b"plan"


def _damage(path: Path) -> None:
    path.write_bytes(b"plam")


def _forget(path: Path) -> None:
    path.with_suffix(".json").unlink()


def _confuse(path: Path) -> None:
    path.with_suffix(".json").write_text('{"key": 1, "sha256": ')


def _grow(path: Path) -> None:
    os.truncate(path.with_suffix(".json"), 1 << 17)


@pytest.mark.parametrize("fault", [_damage, _forget, _confuse, _grow, Path.unlink])
def test_a_plan_that_is_damaged_is_built_again(
    tmp_path: Path, fault: Callable[[Path], object]
) -> None:
    """And put in its place."""
    _cached(tmp_path)
    (path,) = tmp_path.glob("*.plan")
    fault(path)
    assert _cached(tmp_path, plan=b"again").plan == b"again"
    assert _cached(tmp_path, plan=b"third").plan == b"again"


def test_a_file_that_is_not_built_leaves_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the caller's to tell; caches lie below the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module = FakeTensorRT("8.2", layers=FLOAT, plan=None)
    found = cached_plan(module, b"onnx", machine=NANO)
    assert found.plan is None
    assert found.built is not None
    assert found.built.errors == ("it is not built",)
    assert not list(tmp_path.rglob("*.plan"))
    module = FakeTensorRT("8.2", layers=FLOAT)
    cached_plan(module, b"onnx", machine=NANO)
    assert len(list((tmp_path / "edgenet" / "plans").glob("*.plan"))) == 1


def test_a_classic_engine_is_bound_to_the_gpu_and_its_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As CUDA tells them."""

    class Cuda:
        def __init__(self, device: int) -> None:
            assert device == 2

        def compute_capability(self) -> tuple[int, int]:
            return 8, 7

        def driver_version(self) -> str:
            return "12.6"

    monkeypatch.setattr("edgenet.runner.cuda.Cuda", Cuda)
    found = plans.machine_of(library(CLASSIC, "10.3.0.30"), 2)
    assert found == Machine(CLASSIC, "10.3.0.30", "8.7", "12.6")
