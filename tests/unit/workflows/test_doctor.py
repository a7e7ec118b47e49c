"""The diagnosis of the machine that runs the tests, and how packages are found."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgenet.errors import UsageError
from edgenet.runner import cuda
from edgenet.workflows import DoctorArguments, doctor, doctor_machine
from edgenet.workflows.doctor_machine import read_machine
from edgenet.workflows.doctor_packages import WANTED, read_packages, read_providers, torch_cuda
from tests.machines import BOARDS, write_board, write_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture(autouse=True)
def _onnxruntime_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the process that asks onnxruntime to the one test that is about it."""
    monkeypatch.setattr(doctor_machine, "read_providers", lambda: (("CPUExecutionProvider",), None))
    monkeypatch.setattr(cuda, "probe", lambda: "no CUDA library was found")


def test_this_machine_is_diagnosed_and_json() -> None:
    """Without a name, against the row that fits it best: it has that row's hardware."""
    result = doctor(DoctorArguments())
    assert result.target == result.fitting
    assert result.same_hardware
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert told["machine"]["gpu"]["reason"] == "no CUDA library was found"
    assert {"comparison", "works", "target"} <= set(told)


def test_another_target_is_compared_and_what_works_stays_this_machines() -> None:
    """A Jetson Nano's missing INT8 is no fact of a desktop's."""
    result = doctor(DoctorArguments(target="jetson-nano"))
    assert result.target.name == "jetson-nano"
    assert not result.same_hardware
    assert result.uses == doctor(DoctorArguments()).uses
    with pytest.raises(UsageError, match="unknown target"):
        doctor(DoctorArguments(target="jetson-nanoo"))


def test_a_boards_files_are_read_below_a_root(tmp_path: Path) -> None:
    """The system's Python, TensorRT and trtexec, too."""
    root = write_board(tmp_path, BOARDS[0])
    write_files(
        root,
        {
            "usr/lib/python3.6/dist-packages/tensorrt/__init__.py": "",
            "usr/lib/aarch64-linux-gnu/libnvinfer.so.8.2.1": "",
            "usr/src/tensorrt/bin/trtexec": "",
            "usr/bin/python3.6": "",
        },
    )
    (root / "usr/bin/python3").symlink_to("python3.6")
    (root / "usr/src/tensorrt/bin/trtexec").chmod(0o755)
    found = read_machine(root)
    assert found.board is not None
    assert found.board.jetpack == "4.6.1"
    assert (found.system_python, found.system_tensorrt) == ("3.6", True)
    assert str(found.trtexec).endswith("usr/src/tensorrt/bin/trtexec")
    assert found.tensorrt == "8.2.1"


def test_a_machine_that_tells_nothing_is_diagnosed_all_the_same(tmp_path: Path) -> None:
    """Everything is None or empty."""
    result = doctor(DoctorArguments(root=tmp_path))
    assert result.machine.facts["memory_bytes"] is None
    json.dumps(result.to_json(), allow_nan=False)


def test_the_packages_are_those_of_pyproject() -> None:
    """A dependency that is added there is missed here until it is added, with its extra."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {("", _name(text)) for text in project["dependencies"]}
    asked |= {
        (extra, _name(text))
        for extra, texts in extras.items()
        for text in texts
        if extra not in ("test", "dev") and _name(text) != "edgenet"
    }
    known = {(wanted.extra, name) for wanted in WANTED for name in wanted.distributions}
    assert asked - {("", "tomli")} <= known
    ours = {(wanted.extra, wanted.distributions[0]) for wanted in WANTED}
    assert {pair for pair in ours if pair[0] is not None} <= asked


def _name(requirement: str) -> str:
    return requirement.partition(";")[0].partition(">")[0].partition("[")[0].strip()


def test_versions_are_read_from_records_and_nothing_is_imported() -> None:
    """An import of torch takes seconds, on a board half a minute."""
    code = (
        "import sys; from edgenet.workflows.doctor_packages import read_packages, torch_cuda;"
        "found = {each.module: each.version for each in read_packages()}; torch_cuda();"
        "print([name for name in found if name in sys.modules and name != 'numpy'],"
        "found['onnxruntime'])"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.split() == ["[]", importlib.metadata.version("onnxruntime")]


def test_a_package_without_a_record_is_installed_in_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TensorRT's module can be that a vendor put there."""
    monkeypatch.syspath_prepend(write_files(tmp_path, {"tensorrt/__init__.py": "1 / 0"}))
    (found,) = [each for each in read_packages() if each.module == "tensorrt"]
    assert (found.installed, found.version, found.extra) == (True, None, None)


@pytest.mark.parametrize(
    ("version_file", "built_for"),
    [
        ("cuda: Optional[str] = '12.8'\n", "12.8"),
        ("__version__ = '2.9'\ncuda = '11.8'\n", "11.8"),
        ("cuda: Optional[str] = None\n", None),
        ("", None),
    ],
)
def test_what_torch_was_built_for_is_in_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version_file: str, built_for: str | None
) -> None:
    """It is read as text."""
    files = {"torch/__init__.py": "1 / 0", "torch/version.py": version_file}
    origin = write_files(tmp_path, files) / "torch" / "__init__.py"
    spec = importlib.machinery.ModuleSpec("torch", None, origin=str(origin))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert torch_cuda() == built_for


def test_onnxruntime_is_asked_in_another_process() -> None:
    """It has the CPU's provider wherever it is."""
    providers, fault = read_providers()
    assert fault is None
    assert "CPUExecutionProvider" in (providers or ())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
        ("raise ImportError('libstdc++.so.6: version not found')", "version not found"),
    ],
)
def test_an_onnxruntime_that_does_not_load_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    """As 1.21.0 on a Cortex-A57: the doctor must survive its patient."""
    monkeypatch.syspath_prepend(write_files(tmp_path, {"onnxruntime/__init__.py": code}))
    providers, fault = read_providers()
    assert providers is None
    assert words in str(fault)
