"""Stand-ins for TensorRT's classes that run an engine: it is an ONNX file, run in onnxruntime."""

from __future__ import annotations

import ctypes
import json
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.unit.runner.cuda.fake_base import ENTRY_BYTES, HEADER_BYTES, Counted, malloc

WEIGHTS_BYTES, SCRATCH_BYTES = 4096, 8192

# As TensorRT 8.2 and 10 write them: see test_refusals.py.
OLD_MISMATCH = (
    "1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization (Serialization "
    "assertion stdVersionRead == serializationVersion failed.Version tag does not match. Note: "
    "Current Version: 213, Serialized Engine Version: 205)"
)
NEW_MISMATCH = (
    "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine plan file is not "
    "compatible with this version of TensorRT, expecting library version {} got {}.)"
)
_ONNX_TYPES = {onnx.TensorProto.FLOAT: "FLOAT", onnx.TensorProto.UINT8: "UINT8"}


class Log(Counted):
    """The base of loggers."""

    stands_for = "ILogger"
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def __init__(self) -> None:
        """Take nothing."""


class Runtime(Counted):
    """Loads engines."""

    stands_for = "Runtime"

    def __init__(self, logger: Any) -> None:
        self._log = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        """Return an engine, or None after an error in the log."""
        module, log = self._module, self._log
        plan = bytes(serialized_engine)
        try:
            told = json.loads(plan[HEADER_BYTES : HEADER_BYTES + ENTRY_BYTES])
        except ValueError:
            log.log(module.ILogger.ERROR, "6: The engine plan file is damaged.")
            return None
        if told["version"] != module.__version__:
            new = NEW_MISMATCH.format(module.__version__, told["version"])
            old = module.fake_version == "8.2"
            log.log(module.ILogger.ERROR, OLD_MISMATCH if old else new)
            return None
        address = malloc(module, WEIGHTS_BYTES, log)
        content = plan[HEADER_BYTES + ENTRY_BYTES :]
        return None if address is None else module.ICudaEngine(self, content, told, address, log)


class Engine(Counted):
    """An ONNX file with the batches that it may be run with."""

    stands_for = "ICudaEngine"

    def __init__(self, runtime: Any, content: bytes, told: Any, address: int, log: Any) -> None:
        self._runtime, self._address, self._log = runtime, address, log
        self._batches = told["batches"]
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        graph = onnx.load_model_from_string(content).graph
        self._tensors = [(each, True) for each in graph.input] + [
            (each, False) for each in graph.output
        ]
        if self._module.fake_outputs_first:
            self._tensors.reverse()

    def __del__(self) -> None:
        """Give the weights' memory back."""
        Counted.__del__(self)
        self._module.cudart.cudaFree(ctypes.c_void_p(self._address))

    def _at(self, tensor: int | str) -> tuple[Any, bool]:
        if isinstance(tensor, int):
            return self._tensors[tensor]
        return next(each for each in self._tensors if each[0].name == tensor)

    def _shape(self, tensor: int | str) -> tuple[int, ...]:
        sizes = self._at(tensor)[0].type.tensor_type.shape.dim
        return tuple(size.dim_value if size.HasField("dim_value") else -1 for size in sizes)

    def _dtype(self, tensor: int | str) -> Any:
        name = _ONNX_TYPES[self._at(tensor)[0].type.tensor_type.elem_type]
        return getattr(self._module.DataType, name)

    def _profile(self, tensor: int | str) -> list[tuple[int, ...]]:
        return [(batch, *self._shape(tensor)[1:]) for batch in self._batches]

    num_io_tensors = num_bindings = property(lambda self: len(self._tensors))

    def get_tensor_name(self, index: int) -> str:
        """Return a tensor's name."""
        return str(self._tensors[index][0].name)

    def get_tensor_mode(self, name: str) -> Any:
        """Tell inputs from outputs."""
        modes = self._module.TensorIOMode
        return modes.INPUT if self._at(name)[1] else modes.OUTPUT

    def binding_is_input(self, index: int) -> bool:
        """Tell inputs from outputs."""
        return self._at(index)[1]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        """Return the smallest, best and largest shape."""
        assert profile_index == 0
        return self._profile(name)

    def get_profile_shape(self, profile_index: int, binding: int) -> list[tuple[int, ...]]:
        """Return the smallest, best and largest shape."""
        assert profile_index == 0
        return self._profile(binding)

    get_binding_name = get_tensor_name
    get_binding_shape = get_tensor_shape = _shape
    get_binding_dtype = get_tensor_dtype = _dtype

    def create_execution_context(self) -> Any:
        """Return a context, or None after an error in the log."""
        address = malloc(self._module, SCRATCH_BYTES, self._log)
        return None if address is None else self._module.IExecutionContext(self, address)

    def create_engine_inspector(self) -> Any:
        """Return an inspector."""
        return self._module.EngineInspector()


class Context(Counted):
    """Runs an engine on addresses."""

    stands_for = "IExecutionContext"

    def __init__(self, engine: Any, address: int) -> None:
        self._engine, self._address = engine, address
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def __del__(self) -> None:
        """Give the scratch memory back."""
        Counted.__del__(self)
        self._module.cudart.cudaFree(ctypes.c_void_p(self._address))

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Take a shape within the profile."""
        engine, shape = self._engine, tuple(shape)
        wanted = engine._shape(name)
        smallest, _, largest = engine._batches
        fits = smallest <= shape[0] <= largest if wanted[0] < 0 else shape[0] == wanted[0]
        if not fits or shape[1:] != wanted[1:]:
            error = "3: [executionContext.cpp::setInputShape] Error Code 3: API Usage Error"
            engine._log.log(self._module.ILogger.ERROR, error)
            return False
        self._shapes[name] = shape
        return True

    def set_binding_shape(self, binding: int, shape: tuple[int, ...]) -> bool:
        """Take a shape within the profile."""
        return bool(Context.set_input_shape(self, self._engine._at(binding)[0].name, shape))

    def _shape_of(self, tensor: int | str) -> tuple[int, ...]:
        described, is_input = self._engine._at(tensor)
        if is_input:
            return self._shapes[described.name]
        (given,) = self._shapes.values()
        return (given[0], *self._engine._shape(tensor)[1:])

    get_tensor_shape = get_binding_shape = _shape_of

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Take an address of the device."""
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Run the ONNX file from address to address; both must be the device's and long enough."""
        cudart = self._module.cudart
        arrays = {}
        for described, is_input in self._engine._tensors:
            dtype = np.dtype(
                "uint8" if "UINT8" in str(self._engine._dtype(described.name).name) else "float32"
            )
            shape = self._shape_of(described.name)
            length = int(np.prod(shape)) * dtype.itemsize
            address = self._addresses[described.name]
            if cudart.fake_bytes_at(ctypes.c_void_p(address)) < length:
                return False
            memory = (ctypes.c_ubyte * length).from_address(address)
            array = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
            arrays[is_input] = (described.name, array)
        (given, images), (made, logits) = arrays[True], arrays[False]
        logits[...] = self._engine._session.run([made], {given: images})[0]
        return stream_handle != 0

    def execute_async_v2(self, bindings: list[int], stream_handle: int) -> bool:
        """Run with addresses in the order of the bindings."""
        for (described, _), address in zip(self._engine._tensors, bindings, strict=True):
            self._addresses[described.name] = address
        return bool(Context.execute_async_v3(self, stream_handle))


class Inspector(Counted):
    """Says nothing of layers."""

    stands_for = "EngineInspector"

    def get_engine_information(self, format: Any) -> str:
        """Return JSON without a layer."""
        return json.dumps({"Layers": []})
