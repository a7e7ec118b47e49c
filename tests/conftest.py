"""What holds for every test: no network, caches of their own, and no skip that nobody allowed."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

# Set before torch is imported anywhere: beside a busy neighbour, two threads make a test's small
# steps tens of times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The only reasons for which a test may be skipped in continuous integration.
ALLOWED_SKIPS = (
    "no CUDA device here",
    "there is a GPU here",
    "no C compiler here",
    "TensorRT is not installed",
    "OpenVINO is not installed",
    "trtexec is not installed",
    "onnxruntime has no CUDA provider",
    "onnxruntime has no TensorRT provider",
    "a tmpfs cannot be mounted here",
    "root may write everywhere",
    "no Python 3.6 to 3.9 here",
    "Chromium is not installed",
    "Debian's package dataset-fashion-mnist is not installed",
    "TensorRT for RTX has no wheel for this platform",
    "this PyTorch keeps the weights in .pt2 files as pickles",
)

_forbidden_skips: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none; torch is imported only to answer that."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu:
        import torch

        if not torch.cuda.is_available():
            for item in on_gpu:
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note every skip whose reason is not on the list."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note every skipped module, too."""
    _note(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in continuous integration when a test was skipped for another reason."""
    if _forbidden_skips and os.environ.get("CI") == "true" and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that are not allowed."""
    if _forbidden_skips:
        terminalreporter.section("skips that are not on the list in tests/conftest.py")
        for line in _forbidden_skips:
            terminalreporter.write_line(line)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(ALLOWED_SKIPS):
        _forbidden_skips.append(f"{report.nodeid}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep the tests and the commands that they start away from the user's caches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # the commands' edgenet too
        patch.delenv("NO_COLOR", raising=False)
        patch.delenv("FORCE_COLOR", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Any:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            _refuse(address)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse(address: Any) -> NoReturn:
    raise OSError(f"a test tried to reach {address}: tests use no network")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, for commands that write to ``runs/``."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
