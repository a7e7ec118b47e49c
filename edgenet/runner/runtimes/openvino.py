"""ONNX bundles on OpenVINO's CPU plugin: a rival to put beside, run only where asked for by name.

OpenVINO reads the ONNX file itself. It is compiled for each batch size that it gets, the first time
it gets it, since a free batch costs every call: on LeNet-5 at batch 1, 56 µs against 45 (AMD EPYC
with AVX2, one thread, version 2026.4.1, medians of 1,500 calls). Loading compiles batch 1, or the
one that the bundle is fixed to. The other settings keep the arithmetic that of the file, where
OpenVINO's own choice depends on the processor (it runs FP32 in BF16 where the processor has that),
and leave the cores to whoever started the process.

INT8 is computed exactly, as by onnxruntime's runner. On x86 processors without VNNI OpenVINO adds
pairs of products of fully connected layers in 16 bits, where they saturate; there it is told to
leave its INT8 kernels and compute in FP32 (docs/decisions/0015). That setting is not documented: a
version without it refuses to compile, and so do we.

Importing OpenVINO loads a converter that reports the import to its makers over the network, by its
dependency openvino-telemetry. Running needs no converter, so that it is kept from being loaded.

Source:
    ``openvino/tools/ovc/__init__.py`` of version 2026.4.1; oneDNN's developer guide, "Nuances of
    int8 Computations".
"""

import importlib
import importlib.util
import platform
import sys
from collections import OrderedDict
from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner import host
from edgenet.runner.bundle import Bundle
from edgenet.runner.onnx_file import check_self_contained
from edgenet.runner.runtimes import check_device

FORMATS = ("onnx",)
CLOCKS = ("host",)
SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": "1",
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    "ENABLE_CPU_PINNING": "NO",
}
"""What it is told of every network besides the threads, in its own words."""

_CONVERTER = "openvino.tools.ovc"
_INSTALL = "pip install 'edgenet[rivals]'"
_DTYPES = {"u8": "uint8", "f32": "float32"}
_KEPT_SHAPES = 4
_FLOAT_PRECISIONS = ("fp32", "fp16")
_VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


def unavailable() -> Optional[str]:
    """Return None, or why OpenVINO cannot run here."""
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed ({})".format(_INSTALL)
    return None


def versions() -> Dict[str, str]:
    """Load OpenVINO and return its version."""
    return {"openvino": _version(_library())}


def open_session(bundle: Bundle, threads: int, device: str) -> "OpenVinoSession":
    """Load an ONNX bundle and compile it for the smallest batch.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator.
        device: ``cpu``.

    Raises:
        NotPossible: There is no OpenVINO here, it cannot run the network, it gives fewer threads
            than were asked for, or the device is another.
        CorruptFile: The model refers to other files, or is not what the manifest says.
    """
    check_device(device)
    check_self_contained(bundle.model_path)
    return OpenVinoSession(bundle, threads)


class _Compiled(NamedTuple):
    """A network of one batch size, with the memory that its input and output are bound to."""

    request: Any
    images: np.ndarray
    logits: np.ndarray


class OpenVinoSession:
    """One loaded model, compiled for the batch sizes that it was given last.

    Attributes:
        options: What it was told, by OpenVINO's names, and that each batch size has a network of
            its own.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._told = dict(SETTINGS, **int8_settings(bundle.manifest.precision))
        self.options = dict(self._told, shape="fixed")
        self._library = _library()
        self._path = bundle.model_path
        self._input, self._output = bundle.manifest.input, bundle.manifest.output
        self._picture_shape = bundle.manifest.picture_shape
        self._threads = threads
        self._core = self._library.Core()
        self._model = self._read(bundle.model_content())
        self._check_tensors()
        self._compiled: "OrderedDict[int, _Compiled]" = OrderedDict()
        self._bound: Any = self._compiled_for(bundle.manifest.fixed_batch or 1)

    def bind(self, images: np.ndarray) -> None:
        """Copy pictures uint8 [N, C, H, W] to the input of the network for N.

        Raises:
            NotPossible: OpenVINO cannot compile the network for this N.
        """
        if len(images) != len(self._bound.images):
            self._bound = self._compiled_for(len(images))
        np.copyto(self._bound.images, images)

    def execute(self) -> None:
        """Run the network on what is bound, to its end."""
        self._bound.request.infer(share_outputs=True, decode_strings=False)

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K]: the session's own memory, valid until the next bind."""
        logits: np.ndarray = self._bound.logits
        return logits

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
        self.bind(images)
        self.execute()
        return np.array(self.fetch())

    def close(self) -> None:
        """Give the model's memory back."""
        self._compiled.clear()
        self._bound = None
        self._model = None
        self._core = None

    def _read(self, content: bytes) -> Any:
        try:
            return self._core.read_model(content, b"")
        except RuntimeError as error:
            raise self._refusal(error) from error

    def _check_tensors(self) -> None:
        """Compare the model's own inputs and outputs with the manifest."""
        for role, found, said in (
            ("input", self._model.inputs, self._input),
            ("output", self._model.outputs, self._output),
        ):
            names = [sorted(tensor.get_names()) for tensor in found]
            types = [tensor.get_element_type().get_type_name() for tensor in found]
            dtypes = [_DTYPES.get(name, name) for name in types]
            shapes = [tensor.get_partial_shape() for tensor in found]
            fits = len(found) == 1 and said.name in names[0] and dtypes == [said.dtype]
            if not fits or not _allows(shapes[0], said.shape):
                message = "{}: its {} is {} {} {}, the manifest says {} {} {}"
                raise CorruptFile(
                    message.format(
                        *(self._path, role, names, dtypes, [str(shape) for shape in shapes]),
                        *(said.name, said.dtype, list(said.shape)),
                    )
                )

    def _compiled_for(self, batch: int) -> _Compiled:
        """Return the network for a batch size; a few are kept, those used last."""
        found = self._compiled.pop(batch, None) or self._compile(batch)
        self._compiled[batch] = found
        if len(self._compiled) > _KEPT_SHAPES:
            self._compiled.popitem(last=False)
        return found

    def _compile(self, batch: int) -> _Compiled:
        shape = (batch, *self._picture_shape)
        told = dict(self._told, INFERENCE_NUM_THREADS=str(self._threads))
        try:
            self._model.reshape(list(shape))
            compiled = self._core.compile_model(self._model, "CPU", told)
        except RuntimeError as error:
            raise self._refusal(error) from error
        given = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        if given != self._threads:
            message = "OpenVINO runs on {} threads here, not on {}".format(given, self._threads)
            raise NotPossible(message, "use --threads {}".format(given))
        logits = np.empty((batch, int(self._output.shape[1])), np.float32)
        if not _allows(compiled.output(0).get_partial_shape(), logits.shape):
            message = "{} does not give float32 {}".format(self._path, list(logits.shape))
            raise CorruptFile(message)
        images = np.empty(shape, self._input.dtype)
        request = compiled.create_infer_request()
        request.set_input_tensor(self._library.Tensor(images, shared_memory=True))
        request.set_output_tensor(self._library.Tensor(logits, shared_memory=True))
        return _Compiled(request, images, logits)

    def _refusal(self, error: RuntimeError) -> EdgenetError:
        """Turn OpenVINO's page about a file whose hash is right into one line of ours."""
        lines = [line.strip() for line in str(error).split("\n")]
        told = [line for line in lines if line and not line.startswith(_PREAMBLE)]
        reason = " ".join(told)[:300]
        if reason.startswith("Unable to read the model"):
            return CorruptFile("{} is not a valid network".format(self._path))
        message = "OpenVINO {} does not load {}: {}"
        hint = "onnxruntime may run it; or export with a lower --opset, or update OpenVINO"
        return NotPossible(message.format(_version(self._library), self._path, reason), hint)


_PREAMBLE = ("Exception from ", "Check 'false' failed", "FrontEnd API failed", "Summary:")


def _library() -> Any:
    """Import OpenVINO, and not what comes with it to convert models and to report that.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    kept_out = _CONVERTER not in sys.modules
    if kept_out:
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # the import system's "halted"
    try:
        library = importlib.import_module("openvino")
    except ImportError as error:
        hint = "install it for this interpreter: {}".format(_INSTALL)
        raise NotPossible("openvino cannot be loaded: {}".format(error), hint) from error
    finally:
        if kept_out:
            del sys.modules[_CONVERTER]
    if not hasattr(library, "Core"):  # before 2023 it was openvino.runtime that had it
        raise NotPossible("this openvino is too old", _INSTALL)
    return library


def _version(library: Any) -> str:
    return str(library.__version__).split("-")[0]


def int8_settings(precision: str) -> Dict[str, str]:
    """Return what OpenVINO has to be told so that sums in a precision are exact on this processor.

    Args:
        precision: Of the bundle; nothing is to be told about ``fp32`` and ``fp16``.
    """
    if precision in _FLOAT_PRECISIONS or platform.machine() != "x86_64":
        return {}
    if set(_VNNI) & set(host.instruction_sets()):
        return {}
    return {"LP_TRANSFORMS_MODE": "NO"}


def _allows(found: Any, said: Any) -> bool:
    """Tell whether a model's shape, whose free sizes are dynamic, allows the manifest's."""
    if found.rank.is_dynamic or len(found) != len(said):
        return False
    return all(size.is_dynamic or size.get_length() == wanted for size, wanted in zip(found, said))
