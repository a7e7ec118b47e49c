"""Whether TensorRT takes a file: the parser and the builder of TensorRT for RTX, which need no GPU.

It is the one TensorRT that can be installed from PyPI and builds on a machine without a GPU: extra
``edgenet[trt-rtx-check]``. Nothing is run, so nothing is said of its speed; its engines
are for desktop GPUs. A parser is native code, so it gets a process of its own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import NotPossible
from edgenet.launch.engines import Engine, build_engines
from edgenet.runner.tensorrt.log import Multiplication
from edgenet.verify.checks import Check
from edgenet.verify.qdq import quantized_layers

if TYPE_CHECKING:
    from edgenet.runner.bundle import Bundle

__all__ = [
    "EXTRA",
    "Engine",
    "Multiplication",
    "build",
    "build_all",
    "check_built",
    "check_tensorrt_rtx",
    "unavailable",
]

NAME = "TensorRT-RTX parser"
EXTRA = "edgenet[trt-rtx-check]"
MODULE = "tensorrt_rtx"


def unavailable() -> str | None:
    """Say why the check cannot run here, or return None."""
    if importlib.util.find_spec(MODULE) is None:
        return f"needs TensorRT for RTX: pip install '{EXTRA}'"
    return None


def build(path: Path) -> Engine:
    """Parse an ONNX file and build an engine from it, in another process.

    Args:
        path: The file. A batch that is free is built for 1 to 64 pictures.

    Raises:
        NotPossible: The library is not here or cannot be loaded.
    """
    (engine,) = build_all([path])
    return engine


def build_all(paths: Sequence[Path]) -> tuple[Engine, ...]:
    """Parse ONNX files and build an engine from each, all in one other process.

    It takes 0.2 s to load the library and 0.1 s to build a LeNet, so many files are faster so.

    Args:
        paths: The files.

    Returns:
        One for each file, in their order. One that crashes the library has the signal as its error,
        and the next ones get another process.

    Raises:
        NotPossible: The library is not here or cannot be loaded.
    """
    reason = unavailable()
    if reason is not None:
        raise NotPossible(reason)
    return build_engines(MODULE, paths)


def check_tensorrt_rtx(bundle: Bundle) -> Check:
    """Build a bundle's ONNX file; where it is quantized, its layers have to multiply in INT8."""
    import onnx

    layers = quantized_layers(onnx.load(bundle.model_path, load_external_data=False))
    if any(layer.input_dtype != "int8" for layer in layers):
        detail = "uint8 activations are for other targets: TensorRT takes int8 alone"
        return Check(name=NAME, status="not run", detail=detail)
    try:
        engine = build(bundle.model_path)
    except NotPossible as absent:
        return Check(name=NAME, status="not run", detail=absent.message)
    return check_built(engine, len(layers))


def check_built(engine: Engine, quantized: int, *, name: str = NAME) -> Check:
    """Judge an engine: it is there, and what is quantized multiplies in INT8.

    Args:
        engine: What became of the file.
        quantized: Number of layers whose input and weight are quantized in it.
        name: Of the row.
    """
    if engine.errors:
        more = f" (and {len(engine.errors) - 1} more)" if len(engine.errors) > 1 else ""
        detail = f"{engine.library} does not take it: {engine.errors[0]}{more}"
        return Check(name=name, status="failed", detail=detail)
    if engine.precisions["INT8"] < quantized:
        others = [each.node for each in engine.multiplications if each.precision != "INT8"]
        detail = (
            f"{engine.library} builds it, but multiplies in INT8 in {engine.precisions['INT8']} of "
            f"{quantized} quantized layers; in another precision: {', '.join(others) or 'none'}"
        )
        return Check(name=name, status="failed", detail=detail)
    counts = ", ".join(f"{count} in {kind}" for kind, count in sorted(engine.precisions.items()))
    detail = f"{engine.library} builds it; layers that multiply: {counts or 'none'}"
    return Check(name=name, status="ok", detail=detail)
