"""What can run a model file: one file a runtime, one line in the table.

A runtime's module imports nothing but NumPy; its library is loaded by the first call that needs
it, since many runtimes are not there on any one machine. The module offers:

``FORMATS``
    The bundle formats it takes, such as ``("onnx",)``.
``CLOCKS``
    The clocks that can time it (see `edgenet.runner.timing`): ``("host",)``.
``unavailable() -> Optional[str]``
    None, or why it cannot run here, found without loading the library.
``versions() -> Dict[str, str]``
    Loads the library and returns the versions that matter.
``open_session(bundle, threads, device) -> session``
    Loads the model. A session has ``bind(images)`` for uint8 [N, C, H, W] in C order,
    ``execute()``, ``fetch()`` for float32 [N, K] (the session's own memory, valid until the next
    ``bind``), ``run(images)`` for all three with a result that is the caller's, and ``close()``.
    Its ``options`` are what decides its figures besides file, device and threads: text by name.
    On a GPU ``execute`` returns when the GPU is done; with the clock ``cuda-event`` a session has
    ``gpu_ns()`` and ``gpu_memory()``, and an engine's its smallest and largest batch in
    ``batch_range``. A runtime that can leave parts of a network
    to the CPU takes ``allow_cpu_fallback``, too, and refuses to by default.

A program that times itself is no runtime: `TIMERS` has its module, which offers ``FORMATS`` and
``run_job(job, emit)``. Its figures are never put beside those of a runtime.
"""

import importlib
import re
from types import ModuleType
from typing import List, NamedTuple, Optional, Tuple

from edgenet.errors import NotPossible, unknown_name

CPU = "cpu"
CUDA = "cuda"


class Entry(NamedTuple):
    """A line of the table.

    Attributes:
        module: Its dotted name.
        devices: The kinds that it runs on; the first is taken where none is asked for.
        leaves_nodes: On a GPU it may leave parts of a network to the CPU, if that is allowed.
        rival: One to put beside the others, run only where it is asked for by name.
    """

    module: str
    devices: Tuple[str, ...] = (CPU,)
    leaves_nodes: bool = False
    rival: bool = False


_HERE = "edgenet.runner.runtimes."
_NUMBERED = re.compile(r"cuda:[0-9]{1,3}\Z")

TABLE = {
    "onnxruntime": Entry(_HERE + "onnxruntime", (CPU, CUDA), leaves_nodes=True),
    "torchscript": Entry(_HERE + "torchscript"),
    "pt2": Entry(_HERE + "pt2"),
    "tensorrt": Entry(_HERE + "tensorrt", (CUDA,)),
    "onnxruntime-tensorrt": Entry(_HERE + "onnxruntime_tensorrt", (CUDA,), leaves_nodes=True),
    "openvino": Entry(_HERE + "openvino", rival=True),
}

TIMERS = {
    "trtexec": Entry("edgenet.runner.trtexec_job", (CUDA,)),
}


def load_runtime(name: str) -> ModuleType:
    """Return the module of a runtime; its library is not loaded yet.

    Raises:
        UsageError: No runtime has that name.
    """
    if name not in TABLE:
        raise unknown_name("runtime", name, TABLE)
    return importlib.import_module(TABLE[name].module)


def load_timer(name: str) -> ModuleType:
    """Return the module of a program that times itself.

    Raises:
        UsageError: None has that name.
    """
    if name not in TIMERS:
        raise unknown_name("runtime", name, TIMERS)
    return importlib.import_module(TIMERS[name].module)


def entry(name: str) -> Entry:
    """Return the line of a runtime or of a program that times itself.

    Raises:
        UsageError: There is none of that name.
    """
    found = TABLE.get(name) or TIMERS.get(name)
    if found is None:
        raise unknown_name("runtime", name, [*TABLE, *TIMERS])
    return found


def formats(name: str) -> Tuple[str, ...]:
    """Return the bundle formats that a runtime, or a program that times itself, takes."""
    module = load_timer(name) if name in TIMERS else load_runtime(name)
    found: Tuple[str, ...] = module.FORMATS
    return found


def for_format(model_format: str, device: Optional[str] = None) -> List[str]:
    """Return the names of the runtimes that take a format, in the table's order, without rivals.

    Args:
        model_format: Of the bundle.
        device: The one that they must run on; None takes those that run on the CPU, and only
            where there is none of them the others.
    """
    ours = [name for name, row in TABLE.items() if not row.rival]
    names = [name for name in ours if model_format in load_runtime(name).FORMATS]
    wanted = CPU if device is None else kind(device)
    suited = [name for name in names if wanted in TABLE[name].devices]
    return names if device is None and not suited else suited


def unavailable(name: str) -> Optional[str]:
    """Return None, or why a runtime cannot run under this interpreter."""
    reason: Optional[str] = load_runtime(name).unavailable()
    return reason


def device_of(name: str, asked: Optional[str] = None) -> str:
    """Return the device that a runtime is run on: the one asked for, else its own first.

    Raises:
        UsageError: There is no such runtime or no such device.
        NotPossible: It does not run on the device that was asked for.
    """
    devices = entry(name).devices
    if asked is None:
        return devices[0]
    if kind(asked) not in devices:
        raise NotPossible(
            "{} does not run on {}".format(name, asked), "it runs on " + " and ".join(devices)
        )
    return asked


def kind(device: str) -> str:
    """Return the kind of a device, ``cpu`` or ``cuda``.

    Raises:
        UsageError: It is no device.
    """
    if device in (CPU, CUDA):
        return device
    if _NUMBERED.match(device):
        return CUDA
    raise unknown_name("device", device, [CPU, CUDA])


def device_number(device: str) -> int:
    """Return which GPU a device is: 1 for ``cuda:1``; the first for ``cuda``, and for ``cpu`` 0.

    Raises:
        UsageError: It is no device.
    """
    return int(device[len("cuda:") :]) if kind(device) == CUDA and ":" in device else 0


def check_device(device: str, name: Optional[str] = None) -> None:
    """Refuse a device that a runtime does not run on, and a GPU that is not there.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        name: The runtime; None stands for one that runs on the CPU alone.

    Raises:
        NotPossible: The runtime does not run on it, or there is no usable GPU.
        UsageError: It is no device.
    """
    found = kind(device)
    if name is not None:
        device_of(name, device)
    elif found != CPU:
        hint = "use --device cpu; it is never chosen in silence"
        raise NotPossible("this runtime does not run on {}".format(device), hint)
    if found == CUDA:
        from edgenet.runner.cuda import probe

        reason = probe()
        if reason is not None:
            hint = "run it on the machine with the GPU; --device cpu is never chosen in silence"
            raise NotPossible("{} cannot be used: {}".format(device, reason), hint)
