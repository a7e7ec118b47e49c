"""Whether a quantized file has the numbers of its FP32 network: integers, and all that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgenet.export.onnx_weights import weights_of
from edgenet.verify.quantized import check_integers, load_graph
from edgenet.verify.unrounded import as_fp32
from edgenet.verify.weights import differences

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.verify.checks import Check
    from edgenet.weights import NetworkWeights


def check_int8_weights(path: Path, weights: NetworkWeights) -> Check:
    """Compare every number of a quantized ONNX file with the FP32 one that it is or stands for.

    Integers have to be the weights, rounded by their channel's scale. Biases, layers that were left
    in FP32 and all other constants have to be the same bits.

    Args:
        path: The file.
        weights: What it was quantized from.
    """
    check = check_integers(path, weights)
    if check.status != "ok":
        return check
    lines = differences(weights, weights_of(as_fp32(load_graph(path), weights)))
    if not lines:
        return replace(check, detail=f"{check.detail}; what is not quantized is equal bit for bit")
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return replace(check, status="failed", detail=lines[0] + more)
