"""ONNX bundles on onnxruntime's CPU execution provider (tested with 1.10 on Python 3.6 to now).

Tuned for one picture at a time, and the same for everybody: threads as asked, no spinning (idle
threads that spin take the cores that the next call needs), one buffer for the input and one for
the output, bound once. The buffers are NumPy memory that onnxruntime reads and writes in place.

Quantized bundles run in onnxruntime's exact mode. On x86 processors without VNNI its INT8 kernels
otherwise add pairs of products into 16 bits, where they saturate, and the same file gives other
answers than on any other machine (docs/decisions/0008). On such a processor it costs 5 to 6 % of a
U8S8 network's time, and of an S8S8 one's nothing that could be seen (LeNet-5 and the ResNet
teacher, batch 1, one thread, onnxruntime 1.31.1 on an AMD EPYC with AVX2: medians of 60 blocks of
200 calls, both modes taking turns). FP32 networks are not told. Versions before 1.13 accept the
entry as they accept any, and still saturate: there the session's options say that it is unknown.

Source:
    onnxruntime's ``session.x64quantprecision``, github.com/microsoft/onnxruntime/pull/12088.
"""

import importlib.util
import re
from typing import Any, Dict, List, Optional

import numpy as np

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.onnx_file import check_self_contained
from edgenet.runner.runtimes import check_device

FORMATS = ("onnx",)
CLOCKS = ("host",)

_LOG_ERRORS_ONLY = 3
_EXACT_INT8 = "session.x64quantprecision"
_EXACT_INT8_SINCE = (1, 13)
_FLOAT_PRECISIONS = ("fp32", "fp16")
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def unavailable() -> Optional[str]:
    """Return None, or why onnxruntime cannot run here."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "onnxruntime is not installed"
    return None


def versions() -> Dict[str, str]:
    """Load onnxruntime and return its version."""
    return {"onnxruntime": str(_library().__version__)}


def open_session(bundle: Bundle, threads: int, device: str) -> "OnnxRuntimeSession":
    """Load an ONNX bundle.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator.
        device: ``cpu``.

    Raises:
        NotPossible: There is no onnxruntime here, it is too old for the file, or the device is
            another.
        CorruptFile: The model refers to other files, or is not what the manifest says.
    """
    check_device(device)
    if bundle.model_path.suffix != ".onnx":  # by the suffix it chooses its parser
        raise CorruptFile("{} is not named *.onnx".format(bundle.model_path))
    check_self_contained(bundle.model_path)
    return OnnxRuntimeSession(bundle, threads)


class OnnxRuntimeSession:
    """One loaded model with its input and output bound to memory of its own.

    Attributes:
        options: What decides its figures besides the file and the threads, by onnxruntime's names.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._library = _library()
        self.options = _arithmetic(bundle.manifest.precision, str(self._library.__version__))
        self._session = _load(self._library, bundle, threads)
        self._input = bundle.manifest.input
        self._output = bundle.manifest.output
        self._check_tensors(bundle)
        self._binding = self._session.io_binding()
        self._images = np.empty((0,), self._input.dtype)
        self._logits = np.empty((0,), np.float32)

    def bind(self, images: np.ndarray) -> None:
        """Copy pictures uint8 [N, C, H, W] to the model's input."""
        if images.shape != self._images.shape:
            self._allocate(images.shape)
        np.copyto(self._images, images)

    def execute(self) -> None:
        """Run the network on what is bound."""
        self._session.run_with_iobinding(self._binding)

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K]: the session's own memory, valid until the next bind."""
        return self._logits

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
        self.bind(images)
        self.execute()
        return np.array(self.fetch())

    def close(self) -> None:
        """Give the model's memory back."""
        self._binding = None
        self._session = None

    def _allocate(self, shape: Any) -> None:
        """Bind new buffers, for a batch of another size."""
        self._images = np.empty(shape, self._input.dtype)
        self._logits = np.empty((shape[0], int(self._output.shape[1])), np.float32)
        value_of = self._library.OrtValue.ortvalue_from_numpy  # shares memory on the CPU
        self._binding.bind_ortvalue_input(self._input.name, value_of(self._images))
        self._binding.bind_ortvalue_output(self._output.name, value_of(self._logits))

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


def _fits(found: List[Any], said: Any) -> bool:
    """Whether a model's shape, whose free sizes are names or None, allows the manifest's."""
    if len(found) != len(said):
        return False
    return all(not isinstance(size, int) or size == wanted for size, wanted in zip(found, said))


def _library() -> Any:
    """Import onnxruntime.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    try:
        import onnxruntime
    except ImportError as error:
        hint = "install it for this interpreter: pip install onnxruntime"
        raise NotPossible("onnxruntime cannot be loaded: {}".format(error), hint) from error
    return onnxruntime


def _arithmetic(precision: str, version: str) -> Dict[str, str]:
    """Return what onnxruntime is told, or cannot be told, about arithmetic in a precision."""
    if precision in _FLOAT_PRECISIONS:
        return {}
    known = tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= _EXACT_INT8_SINCE
    return {_EXACT_INT8: "1" if known else "unknown to onnxruntime {}".format(version)}


def _load(library: Any, bundle: Bundle, threads: int) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if bundle.manifest.precision not in _FLOAT_PRECISIONS:
        options.add_session_config_entry(_EXACT_INT8, "1")
    try:
        return library.InferenceSession(
            str(bundle.model_path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no base class of their own
        raise _explained(error, bundle, library) from error


def _explained(error: Exception, bundle: Bundle, library: Any) -> EdgenetError:
    """Turn onnxruntime's refusal of a file whose hash is right into ours."""
    if type(error).__name__ in ("InvalidProtobuf", "InvalidGraph"):
        return CorruptFile("{} is not a valid network: {}".format(bundle.model_path, error))
    message = "onnxruntime {} does not load {}: {}"
    hint = "it may be too old for the file: export with a lower --opset, or update onnxruntime"
    return NotPossible(message.format(library.__version__, bundle.model_path, error), hint)
