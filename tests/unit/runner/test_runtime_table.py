"""The table of runtimes: which takes a format, on which device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.runner import runtimes


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_runtime_of_a_gpu_is_taken_only_where_one_is_asked_for(device: str | None) -> None:
    """What a machine without a GPU runs does not change by their being in the table."""
    names = runtimes.for_format("onnx", device)
    assert names[0] == "onnxruntime"
    assert not {"tensorrt", "onnxruntime-tensorrt"} & set(names)
    assert runtimes.for_format("engine", "cpu") == []


def test_a_device_has_its_runtimes() -> None:
    """An engine has no other than a GPU's, so that none need be asked for."""
    on_gpu = runtimes.for_format("onnx", "cuda:1")
    assert on_gpu == ["onnxruntime", "tensorrt", "onnxruntime-tensorrt"]
    assert runtimes.for_format("engine") == runtimes.for_format("engine", "cuda") == ["tensorrt"]


@pytest.mark.parametrize(
    ("name", "device"), [("torchscript", "cuda"), ("tensorrt", "cpu"), ("trtexec", "cpu")]
)
def test_a_device_that_a_runtime_does_not_run_on_is_refused_by_name(name: str, device: str) -> None:
    """With those that it runs on."""
    with pytest.raises(NotPossible, match=f"{name} does not run on {device}") as caught:
        runtimes.device_of(name, device)
    assert caught.value.hint is not None
    assert runtimes.entry(name).devices[0] in caught.value.hint


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234", "cuda: 1"])
def test_what_is_no_device_is_a_usage_error(device: str) -> None:
    """A typo is the likeliest reason."""
    with pytest.raises(UsageError, match="unknown device"):
        runtimes.check_device(device, "onnxruntime")


def test_a_device_has_a_number() -> None:
    """The first where none is said."""
    devices = ("cpu", "cuda", "cuda:0", "cuda:12")
    assert [runtimes.device_number(device) for device in devices] == [0, 0, 0, 12]


def test_formats_know_their_runtimes() -> None:
    """The table is asked, nobody guesses."""
    assert runtimes.for_format("torchscript") == ["torchscript"]
    assert runtimes.for_format("unheard-of") == []


def test_an_unknown_runtime_is_an_error_with_the_nearest_name() -> None:
    """A typo is the likeliest reason."""
    with pytest.raises(UsageError) as caught:
        runtimes.load_runtime("onnxrutime")
    assert caught.value.hint == "did you mean 'onnxruntime'?"


def test_asking_the_table_loads_neither_torch_nor_onnxruntime() -> None:
    """A board has only one of them, and importing takes seconds."""
    code = (
        "import sys; from edgenet.runner import runtimes;"
        "[(runtimes.for_format(f), [runtimes.unavailable(n) for n in runtimes.TABLE])"
        " for f in ('onnx', 'torchscript')];"
        "sys.exit(any(name in sys.modules for name in ('torch', 'onnxruntime', 'onnx')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
