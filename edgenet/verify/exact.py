"""Whether a file and its checkpoint are the same function, told by arithmetic in float64.

Between float32 results a difference of a hundred thousandth is rounding; between float64 results
one of a thousand millionth is a fault: another epsilon, a slope that was rewritten, a value that
takes a way through FP16. So the graph is computed by ONNX's own reference implementation in
float64, and the network by its framework, on pictures that reach what data may not: borders that
are not black, full contrast, noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from edgenet.verify.checks import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgenet.weights import NetworkWeights

NAME = "arithmetic"

_UNIT_ROUNDOFF = 2.0**-53  # of float64
_FLOAT32_ROUNDOFF = 2.0**-24
_HALF_ROUNDOFF = 2.0**-11
_GOLDEN = 8
_EXACT = (0.0, 0.5, 1.0, 2.0, -1.0)


def probes(golden: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pictures that reach every part of a network, uint8 [N, C, H, W].

    A few golden ones as they are, negated and shifted to the border; noise of every contrast; the
    darkest and the brightest picture.

    Args:
        golden: uint8 [n, C, H, W], one at least.
    """
    draw = np.random.Generator(np.random.PCG64(5))
    rows = np.linspace(0, len(golden) - 1, min(_GOLDEN, len(golden))).round().astype(np.int64)
    chosen = golden[rows]
    shape = golden.shape[1:]
    height, width = shape[1] // 3, shape[2] // 3
    noise = draw.integers(0, 256, (3, *shape), dtype=np.uint8)
    extreme = draw.integers(0, 2, (3, *shape), dtype=np.uint8) * np.uint8(255)
    faint = draw.integers(0, 16, (1, *shape), dtype=np.uint8)
    flat = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
    moved = np.roll(chosen[:4], (height, width), axis=(2, 3))
    return np.concatenate([chosen, 255 - chosen[:4], moved, noise, extreme, faint, flat])


def float64_bound(longest_reduction: int, constants: int = 0, precision: str = "fp32") -> float:
    """Return how far two float64 computations may differ, over the picture's largest |logit|.

    It is the criterion of :func:`edgenet.verify.parity.relative_bound` with float64's unit
    roundoff. A number that an exporter brings with it, and that was rounded once when the file was
    written, moves the result by as much.

    Args:
        longest_reduction: Most products that are added into one value anywhere.
        constants: How many such numbers there are.
        precision: Of the file: what they were rounded to.
    """
    share = longest_reduction * _UNIT_ROUNDOFF
    once = _HALF_ROUNDOFF if precision == "fp16" else _FLOAT32_ROUNDOFF
    return 2 * share / (1 - share) + constants * once


def check_arithmetic(
    model: onnx.ModelProto,
    images: NDArray[np.uint8],
    expected: Sequence[NDArray[np.float64]],
    *,
    bound: float,
    strangers: Sequence[str] = (),
) -> Check:
    """Compute a graph in float64 and compare with the checkpoint's network.

    Args:
        model: Without Q/DQ; of another precision than FP32, with the checkpoint's own weights: see
            :func:`edgenet.verify.unrounded.as_fp32`.
        images: uint8 [N, C, H, W], from :func:`probes`.
        expected: The network's logits for them, float64 [N, K]; it is enough to agree with one.
        bound: From :func:`float64_bound`.
        strangers: Numbers of the graph that can come neither from the checkpoint nor from the
            network's code: limits that no picture reached, slopes that none showed.
    """
    if strangers:
        more = f" (and {len(strangers) - 1} more)" if len(strangers) > 1 else ""
        detail = f"{strangers[0]}{more}: neither the checkpoint nor the network's code has it"
        return Check(name=NAME, status="failed", detail=detail)
    try:
        found = logits_in_float64(model, images)
    except NotImplementedError as error:
        detail = f"ONNX's reference implementation lacks an operator: {error}"
        return Check(name=NAME, status="not run", detail=detail)
    except Exception as error:  # noqa: BLE001 - it raises whatever NumPy does on a graph at odds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        detail = f"ONNX's reference implementation does not run the graph: {reason}"
        return Check(name=NAME, status="failed", detail=detail)
    apart = min(_relative(found, each) for each in expected)
    detail = (
        f"in float64 the graph and the checkpoint differ by {apart:.1e} of the largest logit on "
        f"{len(images)} pictures (bound {bound:.1e})"
    )
    return Check(name=NAME, status="ok" if apart <= bound else "failed", detail=detail)


def logits_in_float64(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute a graph with every float in it as float64; takes uint8 [N, C, H, W], gives [N, K]."""
    from onnx.reference import ReferenceEvaluator

    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    del graph.value_info[:]
    _drop_unread(graph)
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            _widen(attribute.t)
            if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    entrance = graph.input[0]
    takes_bytes = entrance.type.tensor_type.elem_type == TensorProto.UINT8
    pictures = images if takes_bytes else images.astype(np.float64)
    size = entrance.type.tensor_type.shape.dim[0].dim_value or len(pictures)
    evaluator = ReferenceEvaluator(wide)
    answers = []
    for first in range(0, len(pictures), size):
        rows = np.arange(first, first + size) % len(pictures)  # a fixed batch is filled up
        with np.errstate(all="ignore"):
            (logits, *_) = evaluator.run(None, {entrance.name: pictures[rows]})
        answers.append(np.asarray(logits, np.float64))
    found: NDArray[np.float64] = np.concatenate(answers)[: len(pictures)]
    return found


def own_constants(
    model: onnx.ModelProto, weights: NetworkWeights
) -> dict[str, NDArray[np.float32]]:
    """Return, by place, the float numbers that a graph uses and its checkpoint does not hold.

    They come from the network's code or from the exporter. Those that any format holds exactly, as
    1 or 0.5, are left out.
    """
    held = {_key(values) for values in weights.others.values()}
    for layer in weights.layers:
        held |= {_key(values) for values in (layer.weight, layer.weight.T, layer.bias)}
    read = {name for node in model.graph.node for name in node.input}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in read]
    used = [(tensor.name, numpy_helper.to_array(tensor)) for tensor in stored]
    for node in model.graph.node:
        used += [(f"{node.name}.{name}", values) for name, values in _floats(node)]
    return {place: values.astype(np.float32) for place, values in used if _is_own(values, held)}


def _floats(node: onnx.NodeProto) -> Iterator[tuple[str, NDArray[Any]]]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.FLOAT:
            yield attribute.name, np.asarray(attribute.f)
        elif attribute.type == onnx.AttributeProto.FLOATS:
            yield attribute.name, np.asarray(attribute.floats)
        elif attribute.type == onnx.AttributeProto.TENSOR:
            yield attribute.name, numpy_helper.to_array(attribute.t)


def _is_own(values: NDArray[Any], held: set[bytes]) -> bool:
    if values.dtype.kind != "f" or not values.size or np.isin(values, _EXACT).all():
        return False
    return _key(values) not in held


def _key(values: NDArray[Any] | None) -> bytes:
    """Return what equal numbers in any shape have in common."""
    return b"" if values is None else np.ascontiguousarray(values, np.float32).tobytes()


def _relative(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Return the largest |Δ| over the largest |logit| of its picture; infinite for other shapes."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = np.abs(expected).max(axis=1)
    error = np.abs(found - expected).max(axis=1)
    share = np.divide(error, largest, out=np.where(error > 0, np.inf, 0.0), where=largest > 0)
    return float(share.max())


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Drop what no logit depends on: exporters up to torch 2.5 leave the positions of maxima."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not needed.intersection(node.output):
            continue
        while node.output[-1] not in needed:
            node.output.pop()
        needed.update(node.input)
        kept.append(node)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(nodes)


def _widen(tensor: onnx.TensorProto) -> None:
    """Give a stored tensor of floats as the same numbers in float64."""
    if tensor.data_type == TensorProto.FLOAT:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
