"""The binding of libcudart, and the probe, on a stand-in that counts what lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import EdgenetError, NotPossible
from edgenet.runner import cuda, cuda_library
from edgenet.runner.cuda import Cuda, PinnedArray, check_gpu, probe


def test_a_device_tells_what_it_is(cudart: Any) -> None:
    """Numbers of CUDA become the versions that people write."""
    gpu = Cuda()
    assert gpu.device_count() == 1
    assert gpu.name() == "Stand-in"
    assert gpu.compute_capability() == (8, 7)
    assert (gpu.runtime_version(), gpu.driver_version()) == ("12.2", "12.6")
    assert cuda.versions() == {"cuda": "12.2", "cuda driver": "12.6"}
    assert gpu.memory() == (4 << 30, 4 << 30)


def test_what_is_copied_to_the_device_comes_back(cudart: Any) -> None:
    """Page-locked memory of either type and any shape is a NumPy array."""
    gpu = Cuda()
    stream = gpu.create_stream()
    sent = PinnedArray(gpu, (3, 5), "float32")
    received = PinnedArray(gpu, (3, 5), "float32")
    address = gpu.malloc(sent.array.nbytes)
    assert gpu.memory().free_bytes == (4 << 30) - 60
    sent.array[:] = np.arange(15).reshape(3, 5)
    gpu.copy_to_device(address, sent.array, stream)
    gpu.copy_to_host(received.array, address, stream)
    gpu.synchronize(stream)
    assert np.array_equal(received.array, np.arange(15, dtype=np.float32).reshape(3, 5))
    for array in (sent, received, sent):  # a second close does nothing
        array.close()
    gpu.free(address)
    gpu.destroy_stream(stream)


def test_a_copy_beyond_the_end_is_refused(cudart: Any) -> None:
    """The stand-in checks what the real library checks at random."""
    gpu = Cuda()
    stream, address = gpu.create_stream(), gpu.malloc(8)
    with pytest.raises(EdgenetError, match=r"cudaMemcpyAsync failed: cudaErrorInvalidValue \(1\)"):
        gpu.copy_to_device(address, np.zeros(9, np.uint8), stream)
    gpu.free(address)
    gpu.destroy_stream(stream)


def test_the_time_between_two_events_is_told_in_nanoseconds(cudart: Any) -> None:
    """It is there when the stream was waited for, and not before."""
    gpu = Cuda()
    stream, first, second = gpu.create_stream(), gpu.create_event(), gpu.create_event()
    gpu.record(first, stream)
    gpu.record(second, stream)
    with pytest.raises(EdgenetError, match="cudaEventElapsedTime"):
        gpu.elapsed_ns(first, second)
    gpu.synchronize(stream)
    elapsed = gpu.elapsed_ns(first, second)
    assert isinstance(elapsed, int)
    assert 0 <= elapsed < 10**9
    for event in (first, second):
        gpu.destroy_event(event)
    gpu.destroy_stream(stream)


def test_too_little_memory_is_an_error_with_its_size_and_a_hint(cudart: Any) -> None:
    """Of the device and of page-locked memory alike."""
    gpu = Cuda()
    with pytest.raises(EdgenetError) as caught:
        gpu.malloc(1 << 40)
    assert caught.value.message == (
        "cudaMalloc of 1099511627776 bytes failed: cudaErrorMemoryAllocation (2): out of memory"
    )
    assert "smaller batch" in str(caught.value.hint)
    assert caught.value.exit_code == 1
    cudart.fake_fail_allocation(0)
    with pytest.raises(EdgenetError, match="cudaMallocHost of 4 bytes"):
        PinnedArray(gpu, (4,), "uint8")


def test_a_device_that_is_not_there_is_not_possible(cudart: Any) -> None:
    """They are counted from 0."""
    with pytest.raises(NotPossible, match="cudaSetDevice failed: cudaErrorInvalidDevice") as caught:
        Cuda(3)
    assert "counted from 0" in str(caught.value.hint)


def test_a_driver_that_is_too_old_is_told_with_both_versions(
    cudart: Any, cudart_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the library was named and nobody probed; no driver at all is version 0."""
    for driver, said in (("11040", "the driver is for CUDA 11.4, "), ("0", "no NVIDIA driver")):
        monkeypatch.setenv("FAKECUDART_DRIVER", driver)
        library = cuda_library.load(str(cudart_file))
        error = cuda_library.error_of(library, "cudaMalloc", 35, "libcudart.so.12")
        assert isinstance(error, NotPossible)
        assert said in error.message
        assert "update the NVIDIA driver" in str(error.hint)


def test_a_release_that_repeats_a_fault_of_the_device_is_no_second_error(cudart: Any) -> None:
    """CUDA answers every call after a fault with that fault; the first error is the one to read."""
    gpu = Cuda()
    stream, address = gpu.create_stream(), gpu.malloc(4)
    cudart.fake_fault(700)
    with pytest.raises(EdgenetError, match=r"cudaErrorIllegalAddress \(700\)"):
        gpu.synchronize(stream)
    gpu.free(address)
    gpu.destroy_stream(stream)


def test_a_fault_that_was_not_told_yet_is_told_by_the_release(cudart: Any) -> None:
    """Nothing is passed over in silence."""
    gpu = Cuda()
    address = gpu.malloc(4)
    cudart.fake_fault(700)
    with pytest.raises(EdgenetError, match="cudaFree failed"):
        gpu.free(address)


def test_the_probe_finds_the_gpu(cudart: Any) -> None:
    """None is the good answer."""
    assert probe() is None
    check_gpu()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"FAKECUDART_CODE": "100"}, "cudaErrorNoDevice (100): no CUDA-capable device"),
        ({"FAKECUDART_DEVICES": "0"}, "sees no CUDA device"),
        (
            {"FAKECUDART_CODE": "35", "FAKECUDART_DRIVER": "0"},
            "no NVIDIA driver is installed (asked ",
        ),
        (
            {"FAKECUDART_CODE": "35", "FAKECUDART_DRIVER": "11040"},
            "the driver is for CUDA 11.4, ",
        ),
        ({"FAKECUDART_CODE": "46"}, "(46)"),
        ({"FAKECUDART_CRASH": "1"}, "crashed (signal 11) when asked"),
    ],
)
def test_the_probe_says_why_there_is_no_usable_gpu(
    cudart: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], reason: str
) -> None:
    """In one sentence, and a crash of the library is one of the answers."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    said = probe()
    assert said is not None
    assert reason in said
    assert "\n" not in said
    with pytest.raises(NotPossible, match="there is no usable GPU") as caught:
        Cuda()
    assert caught.value.exit_code == 5
    assert "--device cpu" in str(caught.value.hint)


def test_a_library_that_does_not_load_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user named it."""
    path = tmp_path / "libcudart.so"
    path.write_bytes(b"no library")
    monkeypatch.setenv(cuda_library.LIBRARY_VARIABLE, str(path))
    assert str(path) in str(probe())


def test_the_question_is_put_once(cudart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again where what decides the answer has changed."""
    asked = []

    def ask(paths: list[str]) -> cuda_library.LibraryAnswer:
        asked.append(paths)
        return cuda_library.LibraryAnswer("", 0, "none")

    monkeypatch.setattr(cuda, "_ask_apart", ask)
    assert [probe(), probe(), probe()] == ["none"] * 3
    assert len(asked) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    probe()
    assert len(asked) == 2


def test_the_candidates_are_looked_for_in_a_known_order(tmp_path: Path) -> None:
    """The folders of LD_LIBRARY_PATH, then the packages of pip, then the linker's names."""
    own, site = tmp_path / "own", tmp_path / "site" / "nvidia" / "cuda_runtime" / "lib"
    for folder in (own, site):
        folder.mkdir(parents=True)
        (folder / "libcudart.so.12").write_bytes(b"")
    environment = {"LD_LIBRARY_PATH": f":{own}:/nowhere"}
    found = cuda_library.candidates(environment, [str(tmp_path / "site")])
    assert found[0] == str(own / "libcudart.so.12")
    assert found.index(str(site / "libcudart.so.12")) < found.index("libcudart.so.13")
    assert found[-1] == "libcudart.so"
    named = {**environment, cuda_library.LIBRARY_VARIABLE: "/x/libcudart.so"}
    assert cuda_library.candidates(named, []) == ["/x/libcudart.so"]


def test_a_library_with_a_device_is_taken_before_one_without(
    cudart_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A libcudart that is newer than the driver, or none, does not hide the one that works."""
    broken = tmp_path / "libcudart.so"
    broken.write_bytes(b"no library")
    assert cuda_library.ask_all([str(broken), str(cudart_file)]).path == str(cudart_file)
    both = cuda_library.ask_all([str(broken), "libc.so.6"])
    assert both.reason == "no CUDA runtime library (libcudart) was found"


def test_the_probe_loads_neither_numpy_nor_a_library_of_cuda_here(cudart: Any) -> None:
    """What may crash does so elsewhere, and the question is cheap."""
    code = (
        "import sys; from edgenet.runner.cuda import probe; assert probe() is None;"
        "sys.exit('libcudart' in open('/proc/self/maps').read())"
    )
    root = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
    code = "import sys, edgenet.runner.cuda_library; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
