"""Which TensorRT is here, and which of its names each version has.

Two libraries share one API: ``tensorrt`` (the classic one, 8.2 on a Jetson Nano to 11 today) and
``tensorrt_rtx`` (TensorRT for RTX, desktop GPUs, whose version 1 has the names of TensorRT 11).
They are imported by name, when they are asked for, and handed on as values, so that a test can
hand in another.

**How names are checked.** A variable that holds one of TensorRT's objects is called by one of the
names in `OBJECTS`; the library itself is called ``module``. A name that is not used with every
version is in `SPANS` with the versions that it is used with, and is asked for with `supports`. A
test reads the source of this package and of the runtime, and looks up every such attribute in the
name tables of each version (tests/contract/tensorrt_api).
"""

import importlib
import importlib.util
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

from edgenet.errors import NotPossible, unknown_name

CLASSIC = "tensorrt"
RTX = "tensorrt_rtx"

OLDEST = (8, 2)
"""Of the classic library: what JetPack 4.6.1 has. The first with an engine inspector."""

TITLES = {CLASSIC: "TensorRT", RTX: "TensorRT for RTX"}
_INSTALL = {
    CLASSIC: (
        "on a Jetson it comes with JetPack (apt install python3-libnvinfer); elsewhere: "
        "pip install tensorrt, of the version that will run the engine"
    ),
    RTX: "pip install 'edgenet[trt-rtx-check]'",
}
_RTX_API = (11, 0)

OBJECTS = {
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "fault": "ParserError",
    "host_memory": "IHostMemory",
    "inspector": "EngineInspector",
    "itensor": "ITensor",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
}
"""The class of TensorRT that a variable of this name is of; a leading underscore does not count."""


class Span(NamedTuple):
    """Versions that a name is used with: from ``since`` on, and before ``before``."""

    since: Tuple[int, int] = OLDEST
    before: Optional[Tuple[int, int]] = None


SPANS: Dict[str, Span] = {
    # The precision is the graph's. TensorRT 8 wants flags that agree with it; 10 can be told to
    # follow the graph alone, and 11 always does.
    "BuilderFlag.FP16": Span(before=(10, 0)),
    "BuilderFlag.INT8": Span(before=(10, 0)),
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH": Span(before=(10, 0)),
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED": Span((10, 0), (11, 0)),
    "IBuilderConfig.max_workspace_size": Span(before=(8, 4)),
    "IBuilderConfig.set_memory_pool_limit": Span((8, 4)),
    "MemoryPoolType.WORKSPACE": Span((8, 4)),
    "TacticSource.CUBLAS": Span(before=(11, 0)),
    "TacticSource.CUBLAS_LT": Span(before=(11, 0)),
    "TacticSource.CUDNN": Span(before=(11, 0)),
    "ParserError.node_name": Span((10, 0)),
    "ILayer.metadata": Span((8, 6)),
    "LayerType.FULLY_CONNECTED": Span(before=(10, 0)),
    "Builder.platform_has_fast_int8": Span(before=(10, 0)),
    # Bindings by number until 8.4, tensors by name from 8.5 on.
    "ICudaEngine.num_bindings": Span(before=(8, 5)),
    "ICudaEngine.get_binding_name": Span(before=(8, 5)),
    "ICudaEngine.get_binding_shape": Span(before=(8, 5)),
    "ICudaEngine.get_binding_dtype": Span(before=(8, 5)),
    "ICudaEngine.get_profile_shape": Span(before=(8, 5)),
    "ICudaEngine.binding_is_input": Span(before=(8, 5)),
    "IExecutionContext.set_binding_shape": Span(before=(8, 5)),
    "IExecutionContext.get_binding_shape": Span(before=(8, 5)),
    "IExecutionContext.execute_async_v2": Span(before=(8, 5)),
    "ICudaEngine.num_io_tensors": Span((8, 5)),
    "ICudaEngine.get_tensor_name": Span((8, 5)),
    "ICudaEngine.get_tensor_mode": Span((8, 5)),
    "ICudaEngine.get_tensor_shape": Span((8, 5)),
    "ICudaEngine.get_tensor_dtype": Span((8, 5)),
    "ICudaEngine.get_tensor_profile_shape": Span((8, 5)),
    "IExecutionContext.set_input_shape": Span((8, 5)),
    "IExecutionContext.get_tensor_shape": Span((8, 5)),
    "IExecutionContext.set_tensor_address": Span((8, 5)),
    "IExecutionContext.execute_async_v3": Span((8, 5)),
    "TensorIOMode.INPUT": Span((8, 5)),
    "DataType.UINT8": Span((8, 5)),
}


class Library(NamedTuple):
    """One of the two libraries in one version.

    Attributes:
        name: As it is imported: ``tensorrt`` or ``tensorrt_rtx``.
        version: As it calls itself, such as ``8.2.1.8``.
        api: The version of the classic library whose names it has, such as (8, 2).
    """

    name: str
    version: str
    api: Tuple[int, int]

    @property
    def has_timing_cache(self) -> bool:
        """Whether builds can share what was timed; TensorRT for RTX times nothing to build."""
        return self.name == CLASSIC

    @property
    def needs_gpu(self) -> bool:
        """Whether building needs a GPU: the classic library times its kernels on it."""
        return self.name == CLASSIC

    @property
    def title(self) -> str:
        """What reports call it, such as ``TensorRT 8.2.1.8``."""
        return "{} {}".format(TITLES[self.name], self.version).strip()

    def supports(self, name: str) -> bool:
        """Whether a name such as ``BuilderFlag.FP16`` is used with this version.

        Raises:
            KeyError: `SPANS` does not have the name: it is used with every version, unasked.
        """
        span = SPANS[name]
        return span.since <= self.api and (span.before is None or self.api < span.before)


def unavailable(name: str) -> Optional[str]:
    """Return None, or why a library is not here; it is not loaded for that.

    Raises:
        UsageError: It is neither of the two.
    """
    if name not in TITLES:
        raise unknown_name("TensorRT library", name, TITLES)
    if importlib.util.find_spec(name) is None:
        return "{} (the Python package {}) is not installed".format(TITLES[name], name)
    return None


def load(name: str) -> Any:
    """Import a library.

    Before anything is asked of the classic one, a GPU has to be there: without one it is known to
    crash. See `load_usable`.

    Raises:
        UsageError: It is neither of the two.
        NotPossible: It is not installed, does not load, or is too old.
    """
    missing = unavailable(name)
    if missing is not None:
        raise NotPossible(missing, _INSTALL[name])
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library of it
        reason = " ".join(str(error).split())
        message = "{} cannot be loaded: {}".format(TITLES[name], reason)
        raise NotPossible(message, _INSTALL[name]) from error
    library = version_of(module)
    if library.api < OLDEST:
        hint = "install JetPack 4.6.1 or later, or run the ONNX bundle with onnxruntime"
        message = "{} is older than {}.{}, the first that is supported"
        raise NotPossible(message.format(library.title, *OLDEST), hint)
    return module


def load_usable(name: str) -> Any:
    """Import a library where it can be used: the classic one only where there is a GPU.

    Raises:
        UsageError: It is neither of the two.
        NotPossible: It is not here, is too old, or needs a GPU.
    """
    if name == CLASSIC:
        from edgenet.runner.cuda import probe

        reason = probe()
        if reason is not None:
            raise NotPossible(
                "TensorRT needs a GPU, and there is none here: {}".format(reason),
                "build the engine on the machine that is to run it",
            )
    return load(name)


def version_of(module: Any) -> Library:
    """Return what a loaded library is.

    Args:
        module: ``tensorrt``, ``tensorrt_rtx``, or what stands in for one of them.

    Raises:
        NotPossible: Its version cannot be read.
    """
    name = str(module.__name__).rpartition(".")[2]
    return library_of(RTX if name.startswith(RTX) else CLASSIC, str(module.__version__))


def library_of(name: str, version: str) -> Library:
    """Return one of the two libraries in a version.

    Raises:
        NotPossible: The version cannot be read.
    """
    numbers = version_numbers(version)
    return Library(name, version, _RTX_API if name == RTX else (numbers[0], numbers[1]))


def version_numbers(version: str) -> Tuple[int, ...]:
    """Return the numbers of a version: ``10.13.3.9.post1`` is (10, 13, 3, 9).

    Raises:
        NotPossible: It does not begin with two numbers.
    """
    match = re.match(r"\d+(\.\d+)+", version)
    if match is None:
        raise NotPossible("{!r} is no version of TensorRT".format(version[:80]))
    return tuple(int(number) for number in match.group().split("."))
