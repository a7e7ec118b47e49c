"""Whether the scales of a file quantized after training are those that its pictures give.

The integers can be right and every range fit, and a scale be off by a hundredth all the same: of an
older calibration, of another percentile, rounded on the way. So the file is quantized again, from
its own graph with the checkpoint's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from edgenet.compress.execution import logits_of
from edgenet.compress.ptq import quantize
from edgenet.compress.scheme import Scheme
from edgenet.errors import EdgenetError
from edgenet.verify.checks import Check
from edgenet.verify.parity import relative_bound
from edgenet.verify.qdq import quantized_layers
from edgenet.verify.quantized import load_graph
from edgenet.verify.unrounded import as_fp32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from edgenet.compress.qdq import StoredWeights
    from edgenet.runner.bundle import Bundle
    from edgenet.verify.qdq import QuantizedLayer
    from edgenet.weights import NetworkWeights

NAME = "scales"


def check_scales(
    bundle: Bundle,
    quantization: Mapping[str, Any],
    weights: NetworkWeights,
    pictures: NDArray[np.uint8],
    *,
    threads: int,
) -> Check:
    """Quantize again on the calibration pictures, and compare layers, scales and zero points.

    Where the FP32 graph gives the logits that are recorded of it, bit for bit, this machine adds up
    as that of the export did, and the scales have to be the same bits. Elsewhere they may differ by
    as much as two float32 computations.

    Args:
        bundle: Quantized after training.
        quantization: What its manifest says of that.
        weights: Of its FP32 network.
        pictures: Those that it was calibrated on, uint8 [N, C, H, W].
        threads: CPU threads of the runtime.
    """
    model = load_graph(bundle.model_path)
    content = as_fp32(model, weights).SerializeToString()
    try:
        scheme = _scheme(quantization.get("scheme"))
        stored: StoredWeights = "fp32" if quantization.get("stored") == "fp32" else "int8"
        repeated = quantize(content, pictures, scheme, stored=stored, threads=threads)
    except EdgenetError as error:
        detail = f"it cannot be quantized again: {error.message}"
        return Check(name=NAME, status="failed", detail=detail)
    except Exception as error:  # noqa: BLE001 - onnxruntime raises kinds of its own
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        detail = f"the graph without its Q and DQ does not run: {reason}"
        return Check(name=NAME, status="failed", detail=detail)
    golden = bundle.golden(["inputs", "parent_logits"])
    logits = logits_of(content, golden["inputs"], threads=threads)
    same = "parent_logits" in golden and logits.tobytes() == golden["parent_logits"].tobytes()
    bound = 0.0 if same else relative_bound(bundle.manifest.longest_reduction)
    again = onnx.load_model_from_string(repeated)
    wanted = quantized_layers(again)
    lines = tuple(_differences(wanted, quantized_layers(model), bound))
    if not lines and _roundings(model) != _roundings(again):
        lines = (f"it has {_roundings(model)} Q and DQ, the scheme makes {_roundings(again)}",)
    if lines:
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        return Check(name=NAME, status="failed", detail=lines[0] + more)
    how = "bit for bit" if same else f"within {bound:.1e}, as this machine adds up otherwise"
    detail = f"those of {len(wanted)} layers are what {len(pictures):,} pictures give, {how}"
    return Check(name=NAME, status="ok", detail=detail)


def _roundings(model: onnx.ModelProto) -> int:
    return sum(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)


def _scheme(recorded: object) -> Scheme:
    """Read a scheme from a manifest.

    Raises:
        EdgenetError: It is none.
    """
    values = dict(recorded) if isinstance(recorded, dict) else {}
    values.pop("name", None)
    try:
        return Scheme(**{**values, "exclude": tuple(values.get("exclude", ()))})
    except TypeError as error:
        raise EdgenetError("the manifest records no scheme that edgenet knows") from error


def _differences(
    wanted: tuple[QuantizedLayer, ...], found: tuple[QuantizedLayer, ...], bound: float
) -> Iterator[str]:
    names = [layer.name for layer in wanted]
    if names != [layer.name for layer in found]:
        missing = sorted(set(names) - {layer.name for layer in found})
        yield (
            f"the scheme quantizes {', '.join(missing)}, the file does not"
            if missing
            else f"the file quantizes {len(found)} layers, the scheme {len(names)}"
        )
        return
    for ours, theirs in zip(wanted, found, strict=True):
        place = f"layer {ours.name!r}"
        if abs(ours.input_scale - theirs.input_scale) > bound * ours.input_scale:
            yield f"{place}: its input's scale is {theirs.input_scale!r}, not {ours.input_scale!r}"
        steps = abs(ours.input_zero_point - theirs.input_zero_point)
        if ours.input_dtype != theirs.input_dtype or steps > (bound > 0):
            yield (
                f"{place}: its input's zero point is {theirs.input_dtype} "
                f"{theirs.input_zero_point}, not {ours.input_dtype} {ours.input_zero_point}"
            )
        if not np.array_equal(ours.weight_scales, theirs.weight_scales):
            channel = int(np.flatnonzero(ours.weight_scales != theirs.weight_scales)[0])
            yield (
                f"{place}: the scale of its weight's output channel {channel} is "
                f"{theirs.weight_scales[channel]!s}, not {ours.weight_scales[channel]!s}"
            )
