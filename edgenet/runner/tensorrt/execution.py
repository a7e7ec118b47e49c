"""Running an engine: TensorRT 8.2 to 11, whose two ways of execution become one session here.

Until 8.4 a tensor is a number in a list of addresses (``execute_async_v2``), from 8.5 on it has a
name (``execute_async_v3``). Everything else is the same: one stream, one pair of page-locked
buffers on the host, one pair on the device, allocated when the batch size changes.

What a query's parts hold: ``bind`` copies the pictures to page-locked memory and queues their
transfer; ``execute`` queues the network and the transfer of the logits and waits for the stream
once, so that it ends when the result is there; ``fetch`` has nothing left to do. One wait a query
is what a deployment pays. Two events around the network take the GPU's own time of it, without
the transfers.
"""

import contextlib
from typing import Any, Dict, List, Optional

import numpy as np

from edgenet.errors import CorruptFile, EdgenetError, UsageError
from edgenet.runner.cuda import Cuda, PinnedArray
from edgenet.runner.manifest import Manifest, TensorInfo
from edgenet.runner.memory import GpuMemory, resident_bytes
from edgenet.runner.tensorrt.calls import Calls, Shape, Tensor, calls_of
from edgenet.runner.tensorrt.library import version_of
from edgenet.runner.tensorrt.log import message_log
from edgenet.runner.tensorrt.refusals import failure, not_loaded


class EngineSession:
    """One engine on one device, with a stream and buffers of its own.

    Args:
        module: ``tensorrt``, or what stands in for it.
        cuda: With the device chosen.
        plan: The serialized engine.
        manifest: What the bundle says of its input and output.
        place: Names the plan in messages.
        options: What else decides its figures.

    Attributes:
        options: As given, and what the GPU is.
        batch_range: The smallest and the largest batch that it takes.

    Raises:
        NotPossible: Another version of TensorRT, or another GPU, made the plan.
        CorruptFile: It is no engine, or not of the network that the manifest describes.
        EdgenetError: The device has not enough memory.
    """

    def __init__(
        self,
        module: Any,
        cuda: Cuda,
        plan: bytes,
        *,
        manifest: Manifest,
        place: str,
        options: Dict[str, str],
    ) -> None:
        gpu = "{}, compute capability {}.{}".format(cuda.name(), *cuda.compute_capability())
        self.options = dict(options, gpu=gpu)
        self._cuda = cuda
        self._place = place
        self._manifest = manifest
        self._shape: Optional[Shape] = None  # of what is bound
        self._calls: Optional[Calls] = None
        self._log: Any = None
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._stream = self._started = self._ended = 0
        self._held = contextlib.ExitStack()
        self._buffers = contextlib.ExitStack()
        try:
            self._load(module, plan)
        except BaseException:
            self.close()
            raise

    def bind(self, images: np.ndarray) -> None:
        """Copy pictures uint8 [N, C, H, W] to page-locked memory and queue their transfer.

        Raises:
            UsageError: The engine does not take that batch, or pictures of that shape.
            EdgenetError: The device has not enough memory for that batch.
        """
        if images.shape != self._shape:
            self._allocate(images.shape)
        np.copyto(self._images.array, images)
        self._cuda.copy_to_device(self._images_address, self._images.array, self._stream)

    def execute(self) -> None:
        """Run the network on what is bound, and wait until its logits are on the host.

        Raises:
            EdgenetError: The device failed.
        """
        if self._shape is None or self._calls is None:
            raise EdgenetError("{}: no pictures are bound".format(self._place))
        cuda, stream = self._cuda, self._stream
        cuda.record(self._started, stream)
        if not self._calls.enqueue(stream):
            raise self._failed("the engine did not run")
        cuda.record(self._ended, stream)
        cuda.copy_to_host(self._logits.array, self._logits_address, stream)
        cuda.synchronize(stream)

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K]: page-locked memory, valid until the next bind."""
        return self._logits.array

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
        self.bind(images)
        self.execute()
        return np.array(self.fetch())

    def gpu_ns(self) -> int:
        """Return what the network took on the GPU in the last `execute`, without transfers."""
        return self._cuda.elapsed_ns(self._started, self._ended)

    def gpu_memory(self) -> GpuMemory:
        """Return the device's memory now, and what was free before the engine was loaded."""
        now = self._cuda.memory()
        return GpuMemory(
            self._free_before_bytes, now.free_bytes, now.total_bytes, self._resident_before_bytes
        )

    def close(self) -> None:
        """Give all memory of device and host back; a second call does nothing."""
        self._shape = None
        if self._calls is not None:
            self._calls.close()
        self._calls = None  # what the engine reads goes after it
        self._context = None
        self._engine = None
        self._runtime = None
        self._log = None
        try:
            self._buffers.close()
        finally:
            self._held.close()

    def _load(self, module: Any, plan: bytes) -> None:
        cuda = self._cuda
        library = version_of(module)
        self._resident_before_bytes = resident_bytes()
        self._free_before_bytes = cuda.memory().free_bytes
        self._log = message_log(module)
        try:
            self._runtime = module.Runtime(self._log)
        except (TypeError, RuntimeError) as error:  # its C++ object is null
            raise self._failed("{} does not start ({})".format(library.title, error)) from None
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise not_loaded(self._place, library.title, self._log.errors)
        calls = calls_of(library)
        tensors = calls.tensors(module, library, self._engine)
        self._check_tensors(tensors)
        # Not in a variable of this function: the traceback of an error would keep it alive.
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._failed("the engine cannot be prepared")
        self._calls = calls(self._engine, self._context, tensors)
        self.batch_range = self._calls.batches
        self._input_dtype = next(tensor.dtype for tensor in tensors if tensor.is_input)
        self._stream = cuda.create_stream()
        self._held.callback(cuda.destroy_stream, self._stream)
        self._started = cuda.create_event()
        self._held.callback(cuda.destroy_event, self._started)
        self._ended = cuda.create_event()
        self._held.callback(cuda.destroy_event, self._ended)

    def _allocate(self, shape: Shape) -> None:
        """Take new buffers, for a batch of another size; without them nothing is bound."""
        calls = self._checked(shape)
        self._shape = None
        self._buffers.close()
        try:
            self._take_buffers(calls, shape)
        except BaseException:
            self._buffers.close()
            raise
        self._shape = shape

    def _take_buffers(self, calls: Calls, shape: Shape) -> None:
        logits_shape = (shape[0], int(self._manifest.output.shape[1]))
        self._images = self._pinned(shape, self._input_dtype)
        self._logits = self._pinned(logits_shape, "float32")
        self._images_address = self._malloc(self._images.array.nbytes)
        self._logits_address = self._malloc(self._logits.array.nbytes)
        found = calls.prepare(shape, self._images_address, self._logits_address)
        if found is None:
            raise self._failed("the engine does not take pictures of {}".format(list(shape)))
        if found != logits_shape:
            message = "{} gives {} for pictures of {}, its manifest says {}"
            said = (self._place, list(found), list(shape), list(logits_shape))
            raise CorruptFile(message.format(*said))

    def _pinned(self, shape: Shape, dtype: str) -> PinnedArray:
        pinned = PinnedArray(self._cuda, shape, dtype)
        self._buffers.callback(pinned.close)
        return pinned

    def _malloc(self, size_bytes: int) -> int:
        address = self._cuda.malloc(size_bytes)
        self._buffers.callback(self._cuda.free, address)
        return address

    def _checked(self, shape: Shape) -> Calls:
        """Refuse a shape that the engine does not take."""
        if self._calls is None:
            raise EdgenetError("{} is closed".format(self._place))
        if shape[1:] != self._manifest.picture_shape:
            message = "{} takes pictures of {}, not {}"
            wanted = list(self._manifest.picture_shape)
            raise UsageError(message.format(self._place, wanted, list(shape[1:])))
        smallest, largest = self.batch_range
        if not smallest <= shape[0] <= largest:
            taken = str(largest) if smallest == largest else "{} to {}".format(smallest, largest)
            raise UsageError(
                "{} takes batches of {}, not of {}".format(self._place, taken, shape[0]),
                "the largest batch is fixed when the engine is built",
            )
        return self._calls

    def _check_tensors(self, tensors: List[Tensor]) -> None:
        """Compare the engine's inputs and outputs with the manifest's."""
        for role, said in (("input", self._manifest.input), ("output", self._manifest.output)):
            found = [tensor for tensor in tensors if tensor.is_input == (role == "input")]
            if len(found) != 1 or not _fits(found[0], said):
                message = "{}: its {} is {}, the manifest says {} {} {}"
                rows = [(tensor.name, tensor.dtype, list(tensor.shape)) for tensor in found]
                raise CorruptFile(
                    message.format(
                        *(self._place, role, rows, said.name, said.dtype, list(said.shape))
                    )
                )

    def _failed(self, what: str) -> EdgenetError:
        return failure(self._place, what, self._log.errors)


def _fits(found: Tensor, said: TensorInfo) -> bool:
    """Whether an engine's tensor is what the manifest says; the batch may be free in either."""
    if found.name != said.name or found.dtype != said.dtype:
        return False
    batch, rest = found.shape[0], found.shape[1:]
    return rest == tuple(said.shape[1:]) and (batch < 0 or batch == said.shape[0])
