"""Static quantization after training: from an FP32 ONNX file and pictures to an INT8 one.

Source:
    Jacob et al. 2018, Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, arXiv:1712.05877, section 2; Wu et al. 2020, Integer
    quantization for deep learning inference, arXiv:2004.09602, sections 3 and 4, for symmetric
    weights per channel and percentile calibration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx

from edgenet.compress.layers import WeightedNode, weighted_nodes
from edgenet.compress.qdq import LayerSteps, Steps, StoredWeights, insert_qdq, weight_scales
from edgenet.compress.ranges import Tails, observe
from edgenet.compress.scheme import Scheme
from edgenet.errors import NotPossible, UsageError, unknown_name
from edgenet.export.onnx_file import opset_of
from edgenet.progress import ProgressCallback, ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_LOWEST_OPSET = 13  # Q and DQ per channel


def quantize(
    model: bytes,
    images: NDArray[np.uint8],
    scheme: Scheme,
    *,
    stored: StoredWeights = "int8",
    threads: int = 1,
    progress: ProgressCallback = ignore,
) -> bytes:
    """Quantize a network by the ranges that its values have on calibration pictures.

    Args:
        model: An FP32 ONNX file's content, weights and all.
        images: uint8 [N, C, H, W] of the training split.
        scheme: How.
        stored: How the file keeps its weights, see :func:`edgenet.compress.qdq.insert_qdq`.
        threads: How many share the work of one operator.
        progress: Told of pictures.

    Returns:
        The quantized file's content; the same arguments give the same bytes.

    Raises:
        UsageError: There are no pictures, or the scheme excludes a layer that is not there.
        NotPossible: The graph has nothing to quantize or an opset below 13, or its values are not
            finite.
    """
    quantizable(model)
    observed = observe(model, images, threads=threads, progress=progress)
    return quantize_observed(model, observed, scheme, stored=stored)


def quantize_observed(
    model: bytes,
    observed: Mapping[str, Tails],
    scheme: Scheme,
    *,
    stored: StoredWeights = "int8",
) -> bytes:
    """Quantize a network by ranges that :func:`~edgenet.compress.ranges.observe` has seen before.

    See :func:`quantize`.

    Raises:
        UsageError: The scheme's ranges are learned.
    """
    if scheme.learned:
        raise UsageError(f"{scheme.name} is not for quantization after training")
    steps = {
        node.output: LayerSteps(
            input=_input_steps(observed[node.input], scheme), weight=weight_scales(node.weight)
        )
        for node in chosen_nodes(model, scheme)
    }
    return written(model, steps, stored=stored)


def written(
    model: bytes, steps: Mapping[str, LayerSteps], *, stored: StoredWeights = "int8"
) -> bytes:
    """Return a file's content with these nodes quantized, checked, and the same bytes always.

    See :func:`edgenet.compress.qdq.insert_qdq`.
    """
    result = insert_qdq(onnx.load_model_from_string(model), steps, stored=stored)
    complete = onnx.shape_inference.infer_shapes(result, strict_mode=True, data_prop=True)
    onnx.checker.check_model(complete, full_check=True)
    file: bytes = complete.SerializeToString(deterministic=True)
    return file


def quantizable(model: bytes) -> tuple[WeightedNode, ...]:
    """Return the nodes of a network that can be quantized, in topological order.

    Raises:
        NotPossible: There are none, or the opset is too old.
    """
    parsed = onnx.load_model_from_string(model)
    if opset_of(parsed) < _LOWEST_OPSET:
        raise NotPossible(
            f"the file is in ONNX opset {opset_of(parsed)}; "
            f"INT8 per channel needs {_LOWEST_OPSET} or later",
            f"export the network again, with --opset {_LOWEST_OPSET} or more",
        )
    nodes = weighted_nodes(parsed.graph)
    if not nodes:
        raise NotPossible(
            "the network has no convolution or linear layer with FP32 weights to quantize",
            "quantize the FP32 bundle; one that is quantized already cannot be quantized again",
        )
    return nodes


def chosen_nodes(model: bytes, scheme: Scheme) -> tuple[WeightedNode, ...]:
    """Return the nodes that a scheme quantizes, in topological order.

    Raises:
        UsageError: The scheme excludes a layer that is not there.
        NotPossible: See :func:`quantizable`.
    """
    nodes = quantizable(model)
    layers = {node.layer for node in nodes}
    for name in scheme.exclude:
        if name not in layers:
            raise unknown_name("layer", name, layers)
    kept = set(scheme.exclude)
    if scheme.fp32_narrow_output and nodes[-1].is_narrow:
        kept.add(nodes[-1].layer)
    return tuple(node for node in nodes if node.layer not in kept)


def _input_steps(tails: Tails, scheme: Scheme) -> Steps:
    if scheme.activations == "int8":
        return Steps.symmetric(tails.magnitude(scheme.percentile))
    return Steps.spanning(*tails.between(scheme.percentile))
