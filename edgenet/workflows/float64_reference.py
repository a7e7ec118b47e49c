"""A deployed network in float64, with the numbers of its code as a file can hold them.

A number that stands in the code, as the 2/3 of a scaled tanh, is a Python float; in a file it is
float32 or FP16. It is rounded here likewise, so that what is left between the two is rounding in
float64, and a bound of that kind finds faults far below what float32 shows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenet.export.graph import DeployedNetwork

_ONE_TO_ONE = frozenset(
    (
        *("_to_copy", "add", "addmm", "adaptive_avg_pool2d", "adaptive_max_pool2d", "amax"),
        *("avg_pool2d", "bmm", "cat", "clamp", "clamp_min", "constant_pad_nd", "convolution"),
        *("div", "expand", "max_pool2d_with_indices", "mean", "mm", "mul", "neg", "permute"),
        *("pow", "relu", "sigmoid", "sqrt", "sub", "sum", "t", "tanh", "transpose", "unsqueeze"),
        *("view", "zeros", "zeros_like", "empty", "leaky_relu", "elu", "squeeze", "slice"),
        *("alias", "clone", "detach", "lift_fresh"),
    )
)
"""Operators that ONNX has too, so that an exporter brings no numbers of its own."""
_SMALLEST_HALF = 2.0**-24  # what a bound above 0 becomes, see edgenet.export.onnx_half


@dataclass(frozen=True, kw_only=True, eq=False)
class Float64Reference:
    """What a file should answer.

    Attributes:
        logits: float64 [N, K], once for each way in which the file may have rounded the numbers of
            the code: attributes of an FP16 file are float32.
        numbers: Those of the code, as the file may have them.
        is_exact: No operator is among them that an exporter writes with numbers of its own, as it
            does the square root of 2 for a GELU.
    """

    logits: tuple[NDArray[np.float64], ...]
    numbers: frozenset[float]
    is_exact: bool

    def strangers(self, constants: Mapping[str, NDArray[np.float32]]) -> tuple[str, ...]:
        """Return those of a file's own numbers that the code does not have, with their places.

        Args:
            constants: From :func:`edgenet.verify.exact.own_constants`.
        """
        if not self.is_exact:
            return ()
        return tuple(
            f"the graph uses {values.flat[0]:.8g} at {place}"
            for place, values in constants.items()
            if not self.numbers.issuperset(values.reshape(-1).tolist())
        )


def float64_reference(
    deployed: DeployedNetwork, images: NDArray[np.uint8], precision: str
) -> Float64Reference:
    """Run a deployed network in float64.

    Args:
        deployed: Left as it is.
        images: uint8 [N, C, H, W].
        precision: Of the file that is to be compared.
    """
    network = copy.deepcopy(deployed).double()
    kinds = (_to_half, _to_float32) if precision == "fp16" else (_to_float32,)
    pictures = torch.from_numpy(images)
    logits, numbers, operators = [], set(), set()
    for rounded in kinds:
        with torch.no_grad(), _Rounding(rounded) as mode:
            answer = network(pictures)
        logits.append(answer.numpy().astype(np.float64))
        numbers |= mode.numbers
        operators |= mode.operators
    return Float64Reference(
        logits=tuple(logits), numbers=frozenset(numbers), is_exact=operators <= _ONE_TO_ONE
    )


class _Rounding(TorchDispatchMode):
    """Rounds every Python float that an operator is called with; notes both."""

    def __init__(self, rounded: Callable[[float], float]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's own
        self.operators: set[str] = set()
        self.numbers: set[float] = set()
        self._rounded = rounded

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operator with rounded numbers."""
        del types
        self.operators.add(str(func.name()).removeprefix("aten::").partition(".")[0])
        args, kwargs = tree_map(self._of_any, (args, kwargs or {}))
        return func(*args, **kwargs)

    def _of_any(self, value: Any) -> Any:
        if not isinstance(value, float):
            return value
        rounded = self._rounded(value)
        self.numbers.add(rounded)
        return rounded


def _to_float32(value: float) -> float:
    return float(np.float32(value))


def _to_half(value: float) -> float:
    with np.errstate(over="ignore", under="ignore"):
        half = float(np.float16(value))
    return _SMALLEST_HALF if value > 0 and not half else half
