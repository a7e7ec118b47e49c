"""Finding and loading libcudart, and what its return codes mean to the one who gets them.

No NumPy here: the short-lived process that `edgenet.runner.cuda.probe` starts imports this alone.

Source:
    CUDA Runtime API, 10.2 to 13.0: "Error Handling" (names and numbers of ``cudaError_t``) and
    the declarations of ``cuda_runtime_api.h``.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type

from edgenet.errors import EdgenetError, NotPossible

LIBRARY_VARIABLE = "EDGENET_CUDART"

SUCCESS = 0
MEMORY_ALLOCATION = 2
INSUFFICIENT_DRIVER = 35
NO_DEVICE = 100

_FOLDERS = (
    "/usr/local/cuda/lib64",
    "/usr/local/cuda/targets/aarch64-linux/lib",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
)
_WHEELS = (("nvidia", "cuda_runtime", "lib"), ("nvidia", "cu13", "lib"))  # in site-packages
_BY_LINKER = (
    *("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so.10.2"),
    "libcudart.so",
)

_INT = ctypes.c_int
_POINTER = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_INT_OUT = ctypes.POINTER(ctypes.c_int)
_POINTER_OUT = ctypes.POINTER(ctypes.c_void_p)
_SIZE_OUT = ctypes.POINTER(ctypes.c_size_t)

_ARGUMENTS: Dict[str, List[Any]] = {
    "cudaGetDeviceCount": [_INT_OUT],
    "cudaSetDevice": [_INT],
    "cudaDeviceGetAttribute": [_INT_OUT, _INT, _INT],
    "cudaGetDeviceProperties": [_POINTER, _INT],
    "cudaRuntimeGetVersion": [_INT_OUT],
    "cudaDriverGetVersion": [_INT_OUT],
    "cudaMemGetInfo": [_SIZE_OUT, _SIZE_OUT],
    "cudaMalloc": [_POINTER_OUT, _SIZE],
    "cudaFree": [_POINTER],
    "cudaMallocHost": [_POINTER_OUT, _SIZE],
    "cudaFreeHost": [_POINTER],
    "cudaMemcpyAsync": [_POINTER, _POINTER, _SIZE, _INT, _POINTER],
    "cudaStreamCreate": [_POINTER_OUT],
    "cudaStreamDestroy": [_POINTER],
    "cudaStreamSynchronize": [_POINTER],
    "cudaEventCreate": [_POINTER_OUT],
    "cudaEventDestroy": [_POINTER],
    "cudaEventRecord": [_POINTER, _POINTER],
    "cudaEventElapsedTime": [ctypes.POINTER(ctypes.c_float), _POINTER, _POINTER],
}


class _Meaning(NamedTuple):
    """Which error a return code becomes, and what its reader can do."""

    error: Type[EdgenetError]
    hint: str


_DRIVER_HINT = "update the NVIDIA driver, or name an older libcudart in ${}".format(
    LIBRARY_VARIABLE
)
_MEANINGS: Dict[int, _Meaning] = {
    MEMORY_ALLOCATION: _Meaning(
        EdgenetError, "free GPU memory (other programs hold some) or take a smaller batch"
    ),
    3: _Meaning(NotPossible, "the driver does not start: look at `dmesg`, or restart the machine"),
    34: _Meaning(NotPossible, "libcuda.so.1 is the toolkit's stub: install the NVIDIA driver"),
    INSUFFICIENT_DRIVER: _Meaning(NotPossible, _DRIVER_HINT),
    46: _Meaning(NotPossible, "another program has the GPU for itself: end it, or wait"),
    NO_DEVICE: _Meaning(NotPossible, "CUDA_VISIBLE_DEVICES may hide it: see `nvidia-smi -L`"),
    101: _Meaning(NotPossible, "devices are counted from 0: see `nvidia-smi -L`"),
    803: _Meaning(NotPossible, "the driver's two halves differ: restart the machine"),
    804: _Meaning(NotPossible, _DRIVER_HINT),
}


class LibraryAnswer(NamedTuple):
    """What one libcudart says of this machine: the devices it sees, or why it sees none."""

    path: str
    devices: int
    reason: Optional[str]


def candidates(
    environment: Optional[Dict[str, str]] = None, search_path: Optional[Sequence[str]] = None
) -> List[str]:
    """Return the libraries to try, in order: paths first, then names that the linker knows.

    Args:
        environment: ``EDGENET_CUDART`` in it is the only candidate; else the folders of
            ``LD_LIBRARY_PATH`` come first. By default the process's own.
        search_path: Where Python packages lie, for the libraries of NVIDIA's wheels; by default
            ``sys.path``.
    """
    environment = dict(os.environ) if environment is None else environment
    named = environment.get(LIBRARY_VARIABLE)
    if named:
        return [named]
    folders = [
        Path(folder) for folder in environment.get("LD_LIBRARY_PATH", "").split(":") if folder
    ]
    folders.extend(Path(folder) for folder in _FOLDERS)
    for site in sys.path if search_path is None else search_path:
        folders.extend(Path(site, *parts) for parts in _WHEELS)
    found: List[str] = []
    for folder in folders:
        # The longest name first: libcudart.so.12.6.77 rather than a link to it that may dangle.
        names = sorted(str(path) for path in folder.glob("libcudart.so*") if path.is_file())
        found.extend(name for name in reversed(names) if name not in found)
    return found + list(_BY_LINKER)


def load(path: str) -> Any:
    """Load one libcudart and declare the functions used here.

    Raises:
        NotPossible: It cannot be loaded, or is no libcudart.
    """
    try:
        library = ctypes.CDLL(path)
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, name)
            function.argtypes = arguments
            function.restype = ctypes.c_int
        for name in ("cudaGetErrorName", "cudaGetErrorString"):
            function = getattr(library, name)
            function.argtypes = [ctypes.c_int]
            function.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:  # not there, or without one of the functions
        hint = "install CUDA's runtime, or name its libcudart in ${}".format(LIBRARY_VARIABLE)
        raise NotPossible("{} is no usable libcudart: {}".format(path, error), hint) from None
    return library


def error_of(library: Any, call: str, code: int, path: str) -> EdgenetError:
    """Return the error for a return code other than success.

    Args:
        library: As `load` gave it.
        call: What was called, such as ``cudaMalloc of 4096 bytes``.
        code: The ``cudaError_t``.
        path: The library's.
    """
    name = _text(library.cudaGetErrorName(code)) or "unknown error"
    said = _text(library.cudaGetErrorString(code))
    message = "{} failed: {} ({}): {}".format(call, name, code, said)
    if code == INSUFFICIENT_DRIVER:
        message += _driver_and_runtime(library, path)
    meaning = _MEANINGS.get(code, _Meaning(EdgenetError, "start again: CUDA is of no use after it"))
    return meaning.error(message, meaning.hint)


def version_text(number: int) -> str:
    """Return CUDA's number for a version, such as 12020, as people write it: ``12.2``."""
    return "{}.{}".format(number // 1000, number % 1000 // 10)


def integer_of(function: Callable[..., int], *arguments: int) -> Tuple[int, int]:
    """Call a function whose first argument takes an integer out; return code and integer."""
    value = ctypes.c_int(0)
    return function(ctypes.byref(value), *arguments), value.value


def ask(path: str) -> LibraryAnswer:
    """Ask one library how many devices it sees. It may crash this process: see `probe`."""
    try:
        library = load(path)
    except NotPossible as error:
        return LibraryAnswer(path, 0, error.message)
    code, devices = integer_of(library.cudaGetDeviceCount)
    if code == INSUFFICIENT_DRIVER and integer_of(library.cudaDriverGetVersion)[1] == 0:
        return LibraryAnswer(path, 0, "no NVIDIA driver is installed (asked {})".format(path))
    if code != SUCCESS:
        return LibraryAnswer(path, 0, error_of(library, "cudaGetDeviceCount", code, path).message)
    if devices == 0:
        return LibraryAnswer(path, 0, "{} sees no CUDA device".format(path))
    return LibraryAnswer(path, devices, None)


def ask_all(paths: Sequence[str]) -> LibraryAnswer:
    """Return the first answer with a device; else the first of a library that could be loaded."""
    refusals: List[LibraryAnswer] = []
    for path in paths:
        answer = ask(path)
        if answer.reason is None:
            return answer
        if len(paths) == 1 or "is no usable libcudart" not in answer.reason:
            refusals.append(answer)
    if refusals:
        return refusals[0]
    return LibraryAnswer("", 0, "no CUDA runtime library (libcudart) was found")


def _driver_and_runtime(library: Any, path: str) -> str:
    driver = integer_of(library.cudaDriverGetVersion)[1]
    if driver == 0:
        return "; no NVIDIA driver is installed"
    runtime = integer_of(library.cudaRuntimeGetVersion)[1]
    return "; the driver is for CUDA {}, {} is of CUDA {}".format(
        version_text(driver), path, version_text(runtime)
    )


def _text(raw: Optional[bytes]) -> str:
    return "" if raw is None else raw.decode("utf-8", "replace")
