"""ONNX bundles on onnxruntime's TensorRT provider, with CUDA's for what TensorRT does not take.

The session is that of `edgenet.runner.runtimes.onnxruntime`. Engines are built when a batch size
comes for the first time, which takes seconds to minutes, and kept in our cache: ``edgenet cache``
shows and clears them. Which nodes TensorRT took is among the session's options where onnxruntime
tells it (from 1.24 on).
"""

from typing import Dict, Optional

from edgenet.runner.bundle import Bundle
from edgenet.runner.runtimes import check_device, onnxruntime
from edgenet.runner.runtimes.onnxruntime_loading import library
from edgenet.runner.runtimes.onnxruntime_placement import tensorrt_placement

FORMATS = onnxruntime.FORMATS
CLOCKS = onnxruntime.CLOCKS


def unavailable() -> Optional[str]:
    """Return None, or why onnxruntime cannot run here."""
    return onnxruntime.unavailable()


def versions() -> Dict[str, str]:
    """Load onnxruntime and return its version; TensorRT's it does not tell."""
    return onnxruntime.versions()


def open_session(
    bundle: Bundle, threads: int, device: str, allow_cpu_fallback: bool = False
) -> onnxruntime.OnnxRuntimeSession:
    """Load an ONNX bundle.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator.
        device: ``cuda`` or ``cuda:N``.
        allow_cpu_fallback: Nodes that neither TensorRT nor CUDA take may run on the CPU.

    Raises:
        NotPossible: There is no GPU, or this onnxruntime cannot use TensorRT on it, or nodes would
            run on the CPU and may not.
        CorruptFile: The model refers to other files, or is not what the manifest says.
    """
    check_device(device, "onnxruntime-tensorrt")
    onnxruntime.check_file(bundle)
    version = str(library().__version__)
    placement = tensorrt_placement(bundle, device, allow_cpu_fallback, version)
    return onnxruntime.OnnxRuntimeSession(bundle, threads, placement)
