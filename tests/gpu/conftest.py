"""A trained network as bundles of each precision, for the tests that need a GPU."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt import library
from edgenet.workflows import ExportArguments, export
from tests.trained import train_on_mnist_part

PRECISIONS = ("fp32", "fp16", "int8")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LeNet-5 that was trained for a few seconds, on the CPU."""
    return train_on_mnist_part(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def onnx_bundles(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Its ONNX bundles for a desktop GPU, by precision."""
    project = tmp_path_factory.mktemp("exported")
    bundles = {}
    for precision in PRECISIONS:
        arguments = ExportArguments(
            source=run,
            precision=precision,
            target="cuda",
            project=project,
            max_drop=None if precision == "fp32" else 0.02,  # 500 pictures prove no less
            measure=False,
        )
        (exported,) = export(arguments).bundles
        assert exported.path is not None, exported.verification
        bundles[precision] = open_bundle(exported.path)
    return bundles


@pytest.fixture
def tensorrt() -> None:
    """TensorRT, or the reason to skip."""
    if library.unavailable(library.CLASSIC) is not None:
        pytest.skip("TensorRT is not installed")


@pytest.fixture
def trtexec() -> None:
    """trtexec, or the reason to skip."""
    if shutil.which("trtexec") is None and not Path("/usr/src/tensorrt/bin/trtexec").exists():
        pytest.skip("trtexec is not installed")
