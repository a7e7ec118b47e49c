"""What can be done on a target, asked of (target, format, precision)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgenet.targets.target import Target

RUNTIME_OF = {"onnx": "onnxruntime", "engine": "tensorrt"}
"""The runtime of a target that decides about a format; formats of PyTorch's have none there."""

_NAMES = {"fp32": "FP32", "fp16": "FP16", "int8": "INT8"}
_FP32_ALONE = ("torchscript", "pt2")
_RTX_TARGETS = ("cuda",)


@dataclass(frozen=True, kw_only=True)
class Possibility:
    """Whether something can be done; where not, why, and what can be done instead."""

    possible: bool
    reason: str | None = None
    instead: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))


def possible(target: Target | None, format: str, precision: str) -> Possibility:
    """Tell whether a network in a format and precision can run on a target.

    Args:
        target: None is any machine.
        format: A name of the table of formats, such as ``onnx``.
        precision: ``fp32``, ``fp16`` or ``int8``.
    """
    name = _NAMES.get(precision, precision)
    if format in _FP32_ALONE and precision != "fp32":
        return Possibility(
            possible=False,
            reason=f"{name} is written as ONNX, not as {format}",
            instead=f"use --format onnx --precision {precision}",
        )
    if target is None:
        return Possibility(possible=True)
    if format == "rtx" and target.name not in _RTX_TARGETS:
        return Possibility(
            possible=False,
            reason=f"TensorRT for RTX is for desktop GPUs; {target.title} has none",
            instead=_instead(target, precision),
        )
    wanted = RUNTIME_OF.get(format)
    if wanted is None:
        return Possibility(possible=True)
    runtime = target.runtime(wanted)
    if runtime is None:
        return Possibility(
            possible=False,
            reason=f"{target.title} has no TensorRT: it has no NVIDIA GPU",
            instead=_instead(target, precision),
        )
    if precision not in runtime.precisions:
        capability = target.compute_capability
        of_gpu = (
            "" if capability is None else f" (compute capability {'{}.{}'.format(*capability)})"
        )
        return Possibility(
            possible=False,
            reason=f"the GPU of {target.title}{of_gpu} has no {name}: TensorRT refuses the network",
            instead=_instead(target, precision),
        )
    return Possibility(possible=True)


def _instead(target: Target, precision: str) -> str:
    """Say which export comes nearest."""
    ways = []
    tensorrt = target.runtime("tensorrt")
    if tensorrt is not None and precision not in tensorrt.precisions:
        nearest = "fp16" if "fp16" in tensorrt.precisions else "fp32"
        ways.append(f"--format engine --precision {nearest} for its GPU")
    elif tensorrt is not None:
        ways.append(f"--format engine --precision {precision} for its GPU")
    onnxruntime = target.runtime("onnxruntime")
    if onnxruntime is not None and precision in onnxruntime.precisions:
        ways.append(f"--format onnx --precision {precision} for its CPU")
    return "use " + ", or ".join(ways)
