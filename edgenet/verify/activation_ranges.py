"""Whether the steps of a quantized file fit the values that its layers are given.

A file in the right form, with the right integers, can still round by wrong scales: of another
layer, of other pictures, off by a factor. The network's own values tell which layer it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgenet.verify.checks import Check
from edgenet.verify.qdq_graph import LAYERS, QdqGraph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "activation ranges"

TOLERATED_SATURATION = 0.02
"""Share of the values that may lie outside of the steps: ten times what a scheme intends.

A percentile from 99.9 on leaves out 0.1 % at each end, on the calibration pictures. On others, the
layers of LeNet-5, the simple CNN, the MLP and the teacher saturate 0.13 % or less (256 pictures of
MNIST; 0.5 % on a single one), with every scheme, calibrated on 32 or 500.
"""
TOLERATED_BEYOND = 0.5
"""How far outside more values than that may lie, over the reach of the steps.

A layer with a handful of inputs, as attention has, goes beyond what few calibration pictures showed
more often, but not by much: with 20 of them 2.5 % of the values, by 0.1 at most.
"""
TOLERATED_WIDTH = 8.0
"""How often the values' range may go into that of the steps: three of eight bits are then unused.

With the same networks it is at most 1.4 (2.3 on a single picture).
"""

_BATCH = 50
_LOG_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class RangeFit:
    """How one layer's steps fit its input.

    Attributes:
        layer: The layer's name.
        covers: The reach of the steps over that of the values: the largest magnitude for int8, the
            distance from end to end for uint8. 1 fits. Infinite where all values are 0.
        saturated: Share of the values that lie outside of the steps by more than half a step.
        beyond: How far outside the farthest of them is, over the reach of the steps.
    """

    layer: str
    covers: float
    saturated: float
    beyond: float = 0.0

    @property
    def fits(self) -> bool:
        """Few values saturate, or none by much, and the steps are not much wider than they."""
        holds = self.saturated <= TOLERATED_SATURATION or self.beyond <= TOLERATED_BEYOND
        return holds and (self.covers <= TOLERATED_WIDTH or math.isinf(self.covers))

    def describe(self) -> str:
        """Return the figures as one line."""
        line = f"layer {self.layer!r}: the input's scale covers {self.covers:.2g} times its range"
        return line + (f", {100 * self.saturated:.2g} % of it saturate" if self.saturated else "")


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """How the input of one layer is rounded, and the name of the value that is."""

    layer: str
    source: str
    scale: float
    zero_point: int
    dtype: np.dtype[Any]

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value that a step stands for."""
        limits = np.iinfo(self.dtype)
        low, high = int(limits.min) - self.zero_point, int(limits.max) - self.zero_point
        return low * self.scale, high * self.scale

    def reach(self, low: float, high: float) -> float:
        """Return how far steps of this type have to reach to hold [low, high]."""
        return max(-low, high) if self.dtype == np.int8 else high - low


class _Seen:
    """What the values of one layer's input were."""

    def __init__(self, steps: _Steps) -> None:
        self._steps = steps
        self._low = self._high = 0.0
        self._count = self._outside = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Note the values of one batch."""
        half = self._steps.scale / 2
        least, most = self._steps.span
        self._low = float(np.minimum(self._low, values.min()))  # unlike min(), keeps a NaN
        self._high = float(np.maximum(self._high, values.max()))
        self._outside += int(((values < least - half) | (values > most + half)).sum())
        self._count += values.size

    @property
    def fit(self) -> RangeFit:
        """What came of it."""
        wanted = self._steps.reach(self._low, self._high)
        least, most = self._steps.span
        # −128 is a step more than 127, which the form leaves unused.
        given = most if self._steps.dtype == np.int8 else most - least
        if not given > 0:
            return RangeFit(layer=self._steps.layer, covers=0.0, saturated=1.0, beyond=math.inf)
        return RangeFit(
            layer=self._steps.layer,
            covers=given / wanted if wanted else math.inf,
            saturated=self._outside / self._count,
            beyond=max(least - self._low, self._high - most, 0.0) / given,
        )


def range_fits(model: onnx.ModelProto, images: NDArray[np.uint8]) -> tuple[RangeFit, ...]:
    """Compare the steps of every quantized layer's input with the values that it takes.

    The values come from the file itself with its activations left unrounded, so that one layer's
    wrong scale does not show in the next one's values.

    Args:
        model: A quantized graph with its weights; its only input takes pictures.
        images: uint8 [N, C, H, W], at least one.
    """
    steps = tuple(_activation_steps(QdqGraph(model.graph)))
    if not steps:
        return ()
    watched = _unrounded(model, steps)
    seen = [_Seen(each) for each in steps]
    for values in _batches(watched, images):
        for each, value in zip(seen, values, strict=True):
            each.add(value)
    return tuple(each.fit for each in seen)


def check_ranges(path: Path, images: NDArray[np.uint8]) -> Check:
    """Look in a quantized ONNX file for layers whose scale does not fit what pictures give them."""
    fits = range_fits(onnx.load(path, load_external_data=False), images)
    if not fits:
        return Check(name=NAME, status="not run", detail="no layer's activations are quantized")
    wrong = [fit for fit in fits if not fit.fits]
    if wrong:
        detail = "; ".join(fit.describe() for fit in wrong)
        return Check(name=NAME, status="failed", detail=detail)
    detail = (
        f"the scales of {len(fits)} layers fit what {len(images):,} pictures give them; "
        f"at most {100 * max(fit.saturated for fit in fits):.2g} % of a layer's input saturate"
    )
    return Check(name=NAME, status="ok", detail=detail)


def _activation_steps(graph: QdqGraph) -> Iterator[_Steps]:
    for node in graph.nodes:
        entrance = graph.behind(node.input[0]) if node.op_type in LAYERS else None
        if entrance is None or graph.quantizer(entrance) is None or graph.is_weight(entrance):
            continue
        scale = graph.value(entrance.input[1])
        zero = graph.value(entrance.input[2]) if len(entrance.input) > 2 else np.uint8(0)
        if scale is None or zero is None or scale.size != 1 or zero.size != 1:
            continue
        yield _Steps(
            layer=graph.layer_name(node),
            source=graph.source(entrance),
            scale=float(scale),
            zero_point=int(zero),
            dtype=zero.dtype,
        )


def _unrounded(model: onnx.ModelProto, steps: tuple[_Steps, ...]) -> bytes:
    """Return the graph without Q/DQ of activations, its outputs being what these round."""
    graph = QdqGraph(model.graph)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    bypassed: dict[str, str] = {}
    kept = []
    for node in result.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and not graph.is_weight(node):
            bypassed[node.output[0]] = bypassed.get(node.input[0], node.input[0])
            continue
        inputs = [bypassed.get(name, name) for name in node.input]
        node.input[:] = inputs
        kept.append(node)
    outputs = [f"edgenet/range/{index}" for index in range(len(steps))]
    for name, each in zip(outputs, steps, strict=True):
        kept.append(helper.make_node("Identity", [bypassed.get(each.source, each.source)], [name]))
    del result.graph.node[:]
    result.graph.node.extend(kept)
    del result.graph.output[:]
    for name in outputs:
        result.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    content: bytes = result.SerializeToString()
    return content


def _batches(model: bytes, images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the outputs for one batch of pictures after the other; the last may repeat a few."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (entrance,) = session.get_inputs()
    dtype = np.float32 if entrance.type == "tensor(float)" else np.uint8
    size = entrance.shape[0] if isinstance(entrance.shape[0], int) else min(_BATCH, len(images))
    for first in range(0, len(images), size):
        rows = np.arange(first, first + size) % len(images)
        yield session.run(None, {entrance.name: images[rows].astype(dtype, copy=False)})
