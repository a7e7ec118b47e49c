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
"""

import importlib
from types import ModuleType
from typing import List, Optional

from edgenet.errors import NotPossible, unknown_name

TABLE = {
    "onnxruntime": "edgenet.runner.runtimes.onnxruntime",
    "torchscript": "edgenet.runner.runtimes.torchscript",
}


def load_runtime(name: str) -> ModuleType:
    """Return the module of a runtime; its library is not loaded yet.

    Raises:
        UsageError: No runtime has that name.
    """
    if name not in TABLE:
        raise unknown_name("runtime", name, TABLE)
    return importlib.import_module(TABLE[name])


def for_format(model_format: str) -> List[str]:
    """Return the names of the runtimes that take a format, in the table's order."""
    return [name for name in TABLE if model_format in load_runtime(name).FORMATS]


def unavailable(name: str) -> Optional[str]:
    """Return None, or why a runtime cannot run under this interpreter."""
    reason: Optional[str] = load_runtime(name).unavailable()
    return reason


def check_device(device: str) -> None:
    """Refuse a device that no runtime here runs on.

    Raises:
        NotPossible: It is a device edgenet knows, but nothing here can run on it.
        UsageError: It is no device.
    """
    if device == "cpu":
        return
    if device == "cuda" or (device.startswith("cuda:") and device[len("cuda:") :].isdigit()):
        hint = "use --device cpu; it is never chosen in silence"
        raise NotPossible("no runtime here can run on {}".format(device), hint)
    raise unknown_name("device", device, ["cpu", "cuda"])
