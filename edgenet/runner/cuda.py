"""CUDA's runtime library through ctypes: the calls that running an engine needs, and a probe.

The one binding that works from Python 3.6 and CUDA 10.2 (a Jetson Nano) to today. Every return
code is looked at. Pointers, streams and events are integers, as TensorRT's Python API takes them.

`probe` is what to call first: it says whether there is a GPU without endangering the process,
since libraries of NVIDIA can crash where there is none.
"""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

import edgenet
from edgenet.errors import NotPossible
from edgenet.runner import cuda_library
from edgenet.runner.cuda_library import LIBRARY_VARIABLE, LibraryAnswer, version_text

_HOST_TO_DEVICE = 1
_DEVICE_TO_HOST = 2
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76

_PROPERTIES_BYTES = 1 << 14  # the structure has grown from 700 bytes to 1,000 since CUDA 10
_LONGEST_NAME = 256  # its first field, in all versions

_PROBE_SECONDS = 60  # the first CUDA call of a Jetson takes seconds
# What decides the answer, and so the key under which it is kept.
_VARIABLES = (LIBRARY_VARIABLE, "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
_PROBE = (
    "import json, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
    "paths, root = json.loads(sys.argv[1]); sys.path.insert(0, root);"
    "from edgenet.runner.cuda_library import ask_all; print(json.dumps(ask_all(paths)))"
)
_answers: Dict[Tuple[Optional[str], ...], LibraryAnswer] = {}


class DeviceMemory(NamedTuple):
    """A device's memory as CUDA counts it, for all processes; on a Jetson it is the machine's."""

    free_bytes: int
    total_bytes: int


def probe() -> Optional[str]:
    """Return None where there is a usable GPU, else one sentence that says why there is none.

    The question is put in a process of its own, which may crash; the answer is kept for this
    process as long as the environment variables that decide it are the same.
    """
    return _answer().reason


def check_gpu() -> None:
    """Refuse to go on where there is no usable GPU.

    Raises:
        NotPossible: There is none.
    """
    reason = probe()
    if reason is not None:
        raise NotPossible("there is no usable GPU: {}".format(reason), _NO_GPU_HINT)


def versions() -> Dict[str, str]:
    """Return the versions of CUDA's runtime and of what the driver serves, such as ``12.2``.

    Raises:
        NotPossible: There is no usable GPU.
    """
    cuda = Cuda()
    return {"cuda": cuda.runtime_version(), "cuda driver": cuda.driver_version()}


class Cuda:
    """The CUDA runtime, with one device chosen.

    Args:
        device: The device's number, counted from 0.
        path: The libcudart; by default the one with which `probe` found a device.

    Attributes:
        device: As given.
        path: The library in use.

    Raises:
        NotPossible: There is no usable GPU, or no such device.
    """

    def __init__(self, device: int = 0, path: Optional[str] = None) -> None:
        if path is None:
            check_gpu()
            path = _answer().path
        self.path = path
        self.device = device
        self._library = cuda_library.load(path)
        self._failed_with: Optional[int] = None
        self._call("cudaSetDevice", device)

    def device_count(self) -> int:
        """Return how many devices there are."""
        return self._integer("cudaGetDeviceCount")

    def runtime_version(self) -> str:
        """Return the version of CUDA that the library is of, such as ``10.2``."""
        return version_text(self._integer("cudaRuntimeGetVersion"))

    def driver_version(self) -> str:
        """Return the newest version of CUDA that the driver serves, such as ``12.6``."""
        return version_text(self._integer("cudaDriverGetVersion"))

    def compute_capability(self) -> Tuple[int, int]:
        """Return the device's, such as (8, 7)."""
        return (
            self._integer("cudaDeviceGetAttribute", _COMPUTE_CAPABILITY_MAJOR, self.device),
            self._integer("cudaDeviceGetAttribute", _COMPUTE_CAPABILITY_MINOR, self.device),
        )

    def name(self) -> str:
        """Return what the device is called, such as ``NVIDIA GeForce RTX 3080``."""
        properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
        self._call("cudaGetDeviceProperties", properties, self.device)
        return properties.raw[:_LONGEST_NAME].split(b"\0")[0].decode("utf-8", "replace")

    def memory(self) -> DeviceMemory:
        """Return how much memory the device has, and how much of it is free."""
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        self._call("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
        return DeviceMemory(free.value, total.value)

    def malloc(self, size_bytes: int) -> int:
        """Take memory of the device; return its address.

        Raises:
            EdgenetError: There is not enough.
        """
        return self._handle("cudaMalloc", size_bytes)

    def free(self, address: int) -> None:
        """Give memory of `malloc` back."""
        self._release("cudaFree", address)

    def malloc_host(self, size_bytes: int) -> int:
        """Take page-locked memory of the host, which the device copies without a detour."""
        return self._handle("cudaMallocHost", size_bytes)

    def free_host(self, address: int) -> None:
        """Give memory of `malloc_host` back; no array over it may be touched any more."""
        self._release("cudaFreeHost", address)

    def copy_to_device(self, address: int, array: np.ndarray, stream: int) -> None:
        """Queue a copy of a whole C-ordered array to the device."""
        self._copy(address, array.ctypes.data, array.nbytes, _HOST_TO_DEVICE, stream)

    def copy_to_host(self, array: np.ndarray, address: int, stream: int) -> None:
        """Queue a copy from the device that fills a whole C-ordered array."""
        self._copy(array.ctypes.data, address, array.nbytes, _DEVICE_TO_HOST, stream)

    def create_stream(self) -> int:
        """Return a new stream."""
        return self._handle("cudaStreamCreate")

    def destroy_stream(self, stream: int) -> None:
        """Destroy a stream."""
        self._release("cudaStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """Wait until all that is queued in a stream is done.

        Raises:
            EdgenetError: Something that was queued failed.
        """
        self._call("cudaStreamSynchronize", stream)

    def create_event(self) -> int:
        """Return a new event that takes the time."""
        return self._handle("cudaEventCreate")

    def destroy_event(self, event: int) -> None:
        """Destroy an event."""
        self._release("cudaEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        """Queue an event: it takes the device's time when the stream reaches it."""
        self._call("cudaEventRecord", event, stream)

    def elapsed_ns(self, start: int, end: int) -> int:
        """Return the time between two events, both reached; its resolution is about 500 ns."""
        elapsed_ms = ctypes.c_float(0)
        self._call("cudaEventElapsedTime", ctypes.byref(elapsed_ms), start, end)
        return round(elapsed_ms.value * 1e6)

    def _copy(self, to: int, origin: int, size_bytes: int, kind: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", to, origin, size_bytes, kind, stream)

    def _integer(self, name: str, *arguments: int) -> int:
        code, value = cuda_library.integer_of(getattr(self._library, name), *arguments)
        self._check(name, code)
        return value

    def _handle(self, name: str, *arguments: int) -> int:
        """Call a function whose first argument takes a pointer out; return the pointer."""
        handle = ctypes.c_void_p()
        code = getattr(self._library, name)(ctypes.byref(handle), *arguments)
        self._check(" of ".join([name] + ["{} bytes".format(size) for size in arguments]), code)
        return handle.value or 0

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(name, getattr(self._library, name)(*arguments))

    def _release(self, name: str, handle: int) -> None:
        """Destroy something.

        After a fault on the device CUDA answers every call with that fault: the release that only
        repeats what was already raised raises nothing.
        """
        code = getattr(self._library, name)(handle)
        if code != self._failed_with:
            self._check(name, code)

    def _check(self, call: str, code: int) -> None:
        if code != cuda_library.SUCCESS:
            self._failed_with = code
            raise cuda_library.error_of(self._library, call, code, self.path)


class PinnedArray:
    """A NumPy array over page-locked memory of the host.

    Args:
        cuda: Whose memory it is.
        shape: Of the array; no size is 0.
        dtype: Of its elements.

    Attributes:
        array: The array; not to be touched after `close`.
    """

    def __init__(self, cuda: Cuda, shape: Tuple[int, ...], dtype: str) -> None:
        size_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        self._cuda = cuda
        self._address = cuda.malloc_host(size_bytes)
        memory = (ctypes.c_ubyte * size_bytes).from_address(self._address)
        self.array: np.ndarray = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)

    def close(self) -> None:
        """Give the memory back."""
        self.array = np.empty((0,), self.array.dtype)
        address, self._address = self._address, 0
        if address:
            self._cuda.free_host(address)


_NO_GPU_HINT = "run it on the machine with the GPU; `--device cpu` needs none"


def _answer() -> LibraryAnswer:
    key = tuple(os.environ.get(variable) for variable in _VARIABLES)
    if key not in _answers:
        _answers[key] = _ask_apart(cuda_library.candidates())
    return _answers[key]


def _ask_apart(paths: List[str]) -> LibraryAnswer:
    """Put the question in a process of its own."""
    root = str(Path(edgenet.__file__).parent.parent)  # a folder, or the zipapp
    command = [sys.executable, "-E", "-S", "-c", _PROBE, json.dumps([paths, root])]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return LibraryAnswer("", 0, "CUDA gave no answer within {} s".format(_PROBE_SECONDS))
    except OSError as error:
        return LibraryAnswer("", 0, "the question to CUDA could not be put: {}".format(error))
    if finished.returncode < 0:
        ended = "CUDA's library crashed (signal {}) when asked".format(-finished.returncode)
        return LibraryAnswer("", 0, ended)
    try:
        path, devices, reason = json.loads(finished.stdout.decode("utf-8").splitlines()[-1])
    except (ValueError, IndexError):
        said = finished.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing"]
        return LibraryAnswer("", 0, "CUDA's library gave no answer, it said: {}".format(said[0]))
    return LibraryAnswer(path, devices, reason)
