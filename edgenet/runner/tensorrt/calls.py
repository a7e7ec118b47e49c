"""TensorRT's two ways to run an engine, with the same methods here.

Until 8.4 a tensor is a number, and the addresses of all are given with each query
(``execute_async_v2``); from 8.5 on it has a name, which keeps its address (``execute_async_v3``).
"""

from typing import Any, Callable, List, NamedTuple, Optional, Tuple, Type, Union

from edgenet.runner.tensorrt.library import Library

Shape = Tuple[int, ...]


class Tensor(NamedTuple):
    """An input or output of an engine; a free size is -1."""

    name: str
    dtype: str
    shape: Shape
    is_input: bool


class NumberedCalls:
    """TensorRT 8.2 to 8.4: tensors have numbers, and addresses are given with each query."""

    @staticmethod
    def tensors(module: Any, library: Library, engine: Any) -> List[Tensor]:
        """Return the engine's tensors, in the order of their numbers."""
        return [
            Tensor(
                str(engine.get_binding_name(number)),
                _dtype(module, library, engine.get_binding_dtype(number)),
                tuple(engine.get_binding_shape(number)),
                bool(engine.binding_is_input(number)),
            )
            for number in range(engine.num_bindings)
        ]

    def __init__(self, engine: Any, context: Any, tensors: List[Tensor]) -> None:
        self._context: Any = context
        self._input = next(n for n, tensor in enumerate(tensors) if tensor.is_input)
        self._output = 1 - self._input
        self._addresses = [0, 0]
        self.batches = _batches(
            tensors[self._input], lambda: engine.get_profile_shape(0, self._input)
        )

    def prepare(self, shape: Shape, images: int, logits: int) -> Optional[Shape]:
        """Say what comes, and where it lies; return the shape of the logits, or None if refused."""
        self._addresses[self._input] = images
        self._addresses[self._output] = logits
        if not self._context.set_binding_shape(self._input, shape):
            return None
        return tuple(self._context.get_binding_shape(self._output))

    def enqueue(self, stream: int) -> bool:
        """Queue the network; return whether TensorRT took it."""
        return bool(self._context.execute_async_v2(bindings=self._addresses, stream_handle=stream))

    def close(self) -> None:
        """Let go of the context, whoever still holds this object: a traceback may."""
        self._context = None


class NamedCalls:
    """TensorRT from 8.5 on: tensors have names, which keep their addresses."""

    @staticmethod
    def tensors(module: Any, library: Library, engine: Any) -> List[Tensor]:
        """Return the engine's tensors."""
        names = [str(engine.get_tensor_name(number)) for number in range(engine.num_io_tensors)]
        return [
            Tensor(
                name,
                _dtype(module, library, engine.get_tensor_dtype(name)),
                tuple(engine.get_tensor_shape(name)),
                engine.get_tensor_mode(name) == module.TensorIOMode.INPUT,
            )
            for name in names
        ]

    def __init__(self, engine: Any, context: Any, tensors: List[Tensor]) -> None:
        self._context: Any = context
        self._input = next(tensor.name for tensor in tensors if tensor.is_input)
        self._output = next(tensor.name for tensor in tensors if not tensor.is_input)
        given = next(tensor for tensor in tensors if tensor.is_input)
        self.batches = _batches(given, lambda: engine.get_tensor_profile_shape(self._input, 0))

    def prepare(self, shape: Shape, images: int, logits: int) -> Optional[Shape]:
        """Say what comes, and where it lies; return the shape of the logits, or None if refused."""
        taken = (
            self._context.set_input_shape(self._input, shape)
            and self._context.set_tensor_address(self._input, images)
            and self._context.set_tensor_address(self._output, logits)
        )
        return tuple(self._context.get_tensor_shape(self._output)) if taken else None

    def enqueue(self, stream: int) -> bool:
        """Queue the network; return whether TensorRT took it."""
        return bool(self._context.execute_async_v3(stream_handle=stream))

    def close(self) -> None:
        """Let go of the context, whoever still holds this object: a traceback may."""
        self._context = None


def _dtype(module: Any, library: Library, dtype: Any) -> str:
    """Return NumPy's name of a tensor's type, or TensorRT's own where none here fits."""
    if dtype == module.DataType.FLOAT:
        return "float32"
    if library.supports("DataType.UINT8") and dtype == module.DataType.UINT8:
        return "uint8"
    return str(dtype)


def _batches(given: Tensor, profile: Callable[[], Any]) -> Tuple[int, int]:
    """Return the smallest and the largest batch of an engine's input."""
    if given.shape[0] >= 0:
        return given.shape[0], given.shape[0]
    smallest, _, largest = profile()
    return int(smallest[0]), int(largest[0])


Calls = Union[NumberedCalls, NamedCalls]


def calls_of(library: Library) -> Type[Calls]:
    """Return the way that a version has."""
    by_name = library.supports("IExecutionContext.execute_async_v3")
    return NamedCalls if by_name else NumberedCalls
