"""ONNX bundles on onnxruntime: its CPU provider (tested with 1.10 on Python 3.6 to now), or CUDA's.

Tuned for one picture at a time, and the same for everybody: threads as asked, no spinning (idle
threads that spin take the cores that the next call needs), one buffer for the input and one for
the output, bound once. On the CPU the buffers are NumPy memory that onnxruntime reads and writes in
place. On a GPU they are the GPU's, and bind and fetch are the copies there and back: a buffer of
the CPU that is bound to a GPU's session is copied when it is bound, and never again.

How a session is made is in `edgenet.runner.runtimes.onnxruntime_loading`; where its nodes run on a
GPU, and what is refused, in `edgenet.runner.runtimes.onnxruntime_placement`.

Source:
    ``IOBinding::BindInput`` in onnxruntime's ``core/session/IOBinding.cc``.
"""

import importlib.util
from typing import Any, Dict, List, Optional

import numpy as np

from edgenet.errors import CorruptFile
from edgenet.runner.bundle import Bundle
from edgenet.runner.onnx_file import check_self_contained
from edgenet.runner.runtimes import check_device, device_number, kind
from edgenet.runner.runtimes import onnxruntime_placement as placing
from edgenet.runner.runtimes.onnxruntime_loading import arithmetic, failed, library, load
from edgenet.runner.runtimes.onnxruntime_placement import Placement

FORMATS = ("onnx",)
CLOCKS = ("host",)

_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def unavailable() -> Optional[str]:
    """Return None, or why onnxruntime cannot run here."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "onnxruntime is not installed"
    return None


def versions() -> Dict[str, str]:
    """Load onnxruntime and return its version."""
    return {"onnxruntime": str(library().__version__)}


def open_session(
    bundle: Bundle, threads: int, device: str, allow_cpu_fallback: bool = False
) -> "OnnxRuntimeSession":
    """Load an ONNX bundle.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        allow_cpu_fallback: Nodes that CUDA does not take may run on the CPU.

    Raises:
        NotPossible: There is no onnxruntime here, it is too old for the file, there is no GPU, it
            cannot use it, or nodes would run on the CPU and may not.
        CorruptFile: The model refers to other files, or is not what the manifest says.
    """
    check_device(device, "onnxruntime")
    check_file(bundle)
    if kind(device) == "cpu":
        return OnnxRuntimeSession(bundle, threads, placing.cpu_placement())
    return OnnxRuntimeSession(bundle, threads, placing.cuda_placement(device, allow_cpu_fallback))


def check_file(bundle: Bundle) -> None:
    """Refuse a model that onnxruntime would read otherwise than we do.

    Raises:
        CorruptFile: It refers to other files, or its name is another format's.
    """
    if bundle.model_path.suffix != ".onnx":  # by the suffix it chooses its parser
        raise CorruptFile("{} is not named *.onnx".format(bundle.model_path))
    check_self_contained(bundle.model_path)


class OnnxRuntimeSession:
    """One loaded model with its input and output bound to memory of its own.

    Attributes:
        options: What decides its figures besides the file and the threads, by onnxruntime's names.
    """

    def __init__(self, bundle: Bundle, threads: int, placement: Placement) -> None:
        self._library = library()
        self._path = bundle.model_path
        self._on_gpu = placement.on_gpu
        placing.check_build(self._library, placement)
        self._session = load(self._library, bundle, threads, placement)
        self.options = arithmetic(bundle.manifest.precision, str(self._library.__version__))
        self.options.update(placing.told(self._library, self._session, placement))
        self._input = bundle.manifest.input
        self._output = bundle.manifest.output
        self._check_tensors(bundle)
        self._binding = self._session.io_binding()
        buffers = _GpuBuffers if placement.on_gpu else _HostBuffers
        self._buffers: Any = buffers(
            self._library.OrtValue, self._binding, bundle, device_number(placement.device)
        )

    def bind(self, images: np.ndarray) -> None:
        """Copy pictures uint8 [N, C, H, W] to the model's input."""
        self._buffers.bind(images)

    def execute(self) -> None:
        """Run the network on what is bound, to its end.

        Raises:
            CorruptFile: The file's network does not run.
            EdgenetError: There is not enough memory, or a GPU failed.
        """
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its exceptions share no base class of their own
            raise failed(error, self._path, self._on_gpu) from error

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K]: the session's own memory, valid until the next bind."""
        logits: np.ndarray = self._buffers.fetch()
        return logits

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
        self.bind(images)
        self.execute()
        return np.array(self.fetch())

    def close(self) -> None:
        """Give the model's memory back."""
        self._buffers = None
        self._binding = None
        self._session = None

    def _check_tensors(self, bundle: Bundle) -> None:
        """Compare the model's own inputs and outputs with the manifest."""
        for role, found, said in (
            ("input", self._session.get_inputs(), self._input),
            ("output", self._session.get_outputs(), self._output),
        ):
            names = [tensor.name for tensor in found]
            dtypes = [_DTYPES.get(tensor.type, tensor.type) for tensor in found]
            shapes = [list(tensor.shape) for tensor in found]
            if names != [said.name] or dtypes != [said.dtype] or not _fits(shapes[0], said.shape):
                message = "{}: its {} is {} {} {}, the manifest says {} {} {}"
                raise CorruptFile(
                    message.format(
                        *(bundle.model_path, role, names, dtypes, shapes),
                        *(said.name, said.dtype, list(said.shape)),
                    )
                )


class _HostBuffers:
    """Input and output in NumPy memory, which onnxruntime reads and writes in place."""

    def __init__(self, values: Any, binding: Any, bundle: Bundle, number: int) -> None:
        del number
        self._values = values
        self._binding = binding
        self._input, self._output = bundle.manifest.input, bundle.manifest.output
        self._images = np.empty((0,), self._input.dtype)
        self._logits = np.empty((0,), np.float32)

    def bind(self, images: np.ndarray) -> None:
        if images.shape != self._images.shape:
            self._allocate(images.shape)
        np.copyto(self._images, images)

    def fetch(self) -> np.ndarray:
        return self._logits

    def _allocate(self, shape: Any) -> None:
        """Bind new buffers, for a batch of another size."""
        self._images = np.empty(shape, self._input.dtype)
        self._logits = np.empty((shape[0], int(self._output.shape[1])), np.float32)
        value_of = self._values.ortvalue_from_numpy  # shares memory on the CPU
        self._binding.bind_ortvalue_input(self._input.name, value_of(self._images))
        self._binding.bind_ortvalue_output(self._output.name, value_of(self._logits))


class _GpuBuffers:
    """Input and output in the GPU's memory; bind and fetch are the copies there and back."""

    def __init__(self, values: Any, binding: Any, bundle: Bundle, number: int) -> None:
        self._values = values
        self._binding = binding
        self._input, self._output = bundle.manifest.input, bundle.manifest.output
        self._place = ("cuda", number)
        self._updates = hasattr(values, "update_inplace")  # since 1.11
        self._shape: Any = None
        self._images: Any = None
        self._logits: Any = None

    def bind(self, images: np.ndarray) -> None:
        if images.shape != self._shape:
            self._allocate(images.shape)
        pixels = np.ascontiguousarray(images, self._input.dtype)
        if self._updates:
            self._images.update_inplace(pixels)
        else:  # binding anew is what copies
            self._binding.bind_cpu_input(self._input.name, pixels)
        self._binding.synchronize_inputs()

    def fetch(self) -> np.ndarray:
        self._binding.synchronize_outputs()
        logits: np.ndarray = self._logits.numpy()
        return logits

    def _allocate(self, shape: Any) -> None:
        make = self._values.ortvalue_from_shape_and_type
        if self._updates:
            self._images = make(list(shape), np.dtype(self._input.dtype).type, *self._place)
            self._binding.bind_ortvalue_input(self._input.name, self._images)
        self._logits = make([shape[0], int(self._output.shape[1])], np.float32, *self._place)
        self._binding.bind_ortvalue_output(self._output.name, self._logits)
        self._shape = shape


def _fits(found: List[Any], said: Any) -> bool:
    """Whether a model's shape, whose free sizes are names or None, allows the manifest's."""
    if len(found) != len(said):
        return False
    return all(not isinstance(size, int) or size == wanted for size, wanted in zip(found, said))
