"""The few integers that an ONNX file computes a size from: within which bounds they lie.

Exporters write out how a padding follows from the height of a picture: ``(7 - height % 7) % 7``.
That is at most 6, whatever the height. Integers are followed as intervals, and only in names that
the file has once; a tensor is known by its sizes, and by the bounds of each of its values.
"""

from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from edgenet.runner.onnx_network import Network, Node, StoredTensor

_MOST = 64
_LARGEST = 1 << 31
_DEEPEST = 64
_INTEGER_TYPES = (6, 7)


class Interval(NamedTuple):
    """The smallest and the largest that each value of a tensor can be, int64 [n] or []."""

    low: np.ndarray
    high: np.ndarray

    @property
    def is_exact(self) -> bool:
        """Whether each value is known."""
        return bool((self.low == self.high).all())

    @property
    def furthest(self) -> np.ndarray:
        """The most that each value can be, whatever its sign; int64, of the same sizes."""
        most: np.ndarray = np.maximum(abs(self.low), abs(self.high))
        return most

    def is_below(self, limit: int) -> bool:
        """Whether no value can be further from 0 than that."""
        return bool((self.furthest <= limit).all())


_Operands = Sequence[Interval]
_Attributes = Dict[str, Tuple[float, ...]]
_Rule = Callable[[_Operands, _Attributes], Optional[Interval]]


class Integers:
    """The integers of a network, by name.

    Args:
        network: What is in the file.
        makers: The nodes that make each name.
        numbers: Reads the values of a constant.
    """

    def __init__(
        self,
        network: Network,
        makers: Dict[str, Any],
        numbers: Callable[[StoredTensor], np.ndarray],
    ) -> None:
        self._network = network
        self._makers = makers
        self._numbers = numbers
        self._known: Dict[str, Optional[Interval]] = {}

    def value(self, name: str, depth: int = 0) -> Optional[Interval]:
        """Return the bounds of what a name stands for; None if they are not known."""
        if name not in self._known:
            self._known[name] = None  # while it is being computed: a circle has no value
            self._known[name] = self._compute(name, depth) if depth < _DEEPEST else None
        return self._known[name]

    def _compute(self, name: str, depth: int) -> Optional[Interval]:
        constants = self._network.tensors.get(name, [])
        makers = [each for each in self._makers.get(name, []) if each.operator != "Constant"]
        if name in self._network.parameters or len(constants) + len(makers) != 1:
            return None
        value = self._stored(constants[0]) if constants else self._made(makers[0], depth)
        if value is None or value.low.size > _MOST or (value.furthest > _LARGEST).any():
            return None
        return value

    def _stored(self, tensor: StoredTensor) -> Optional[Interval]:
        if tensor.dtype not in _INTEGER_TYPES or tensor.elements > _MOST or len(tensor.sizes) > 1:
            return None
        numbers = self._numbers(tensor)
        if (abs(numbers) > _LARGEST).any():
            return None
        return _exactly(numbers.astype(np.int64).reshape(tensor.sizes))

    def _made(self, node: Node, depth: int) -> Optional[Interval]:
        rule = _RULES.get(node.operator)
        if rule is None or node.domain or len(node.outputs) != 1:
            return None
        operands = [self.value(name, depth + 1) for name in node.inputs]
        if node.operator == "Gather" and operands[0] is None:
            operands[0] = self._sizes_of_any_tensor(node.inputs[0])
        known = [each for each in operands if each is not None]
        if len(known) != len(operands) or not known:
            return None
        return rule(known, {name: each.numbers for name, each in node.attributes.items()})

    def _sizes_of_any_tensor(self, name: str) -> Optional[Interval]:
        """Return bounds of the result of a ``Shape``, as if it had as many sizes as can be."""
        makers = self._makers.get(name, [])
        only = len(makers) == 1 and makers[0].operator == "Shape" and not makers[0].domain
        if not only or name in self._network.tensors or name in self._network.parameters:
            return None
        return Interval(np.zeros(_MOST, np.int64), np.full(_MOST, _LARGEST, np.int64))


def _exactly(values: np.ndarray) -> Interval:
    return Interval(values, values)


def _of_two(function: Callable[[Interval, Interval], Optional[Interval]]) -> _Rule:
    def compute(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
        if len(operands) != 2 or any(map(any, attributes.values())):
            return None
        first, second = operands
        if 1 < first.low.size != second.low.size > 1:
            return None
        return function(first, second)

    return compute


def _times(first: Interval, second: Interval) -> Interval:
    products = [one * other for one in first for other in second]
    low = np.minimum(np.minimum(*products[:2]), np.minimum(*products[2:]))
    high = np.maximum(np.maximum(*products[:2]), np.maximum(*products[2:]))
    return Interval(low, high)


def _divided(first: Interval, second: Interval) -> Optional[Interval]:
    """Divide toward zero, by positive numbers that are known."""
    if not second.is_exact or (second.low <= 0).any():
        return None
    low, high = (np.sign(each) * (abs(each) // second.low) for each in first)
    return Interval(low, high)


def _remainder(first: Interval, second: Interval) -> Optional[Interval]:
    if not second.is_exact or (second.low <= 0).any():
        return None
    if first.is_exact:
        return _exactly(np.asarray(first.low % second.low))
    most = second.low - 1 + np.zeros_like(first.low)
    return Interval(np.zeros_like(most), most)


def _concat(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    if not set(attributes) <= {"axis"} or any(each.low.ndim != 1 for each in operands):
        return None
    low, high = (np.concatenate([each[end] for each in operands]) for end in (0, 1))
    return Interval(low, high)


def _gather(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    values, places = operands[0], operands[-1]
    known = len(operands) == 2 and places.is_exact and set(attributes) <= {"axis"}
    if not known or values.low.ndim != 1 or (places.furthest >= len(values.low)).any():
        return None
    return Interval(np.asarray(values.low[places.low]), np.asarray(values.high[places.low]))


def _shape(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    return None if attributes else _exactly(np.array(operands[0].low.shape, np.int64))


def _same(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    return None if attributes else operands[0]


def _cast(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    return operands[0] if attributes.get("to", (0,))[0] in _INTEGER_TYPES else None


def _unsqueeze(operands: _Operands, attributes: _Attributes) -> Optional[Interval]:
    low, high = operands[0]
    known = low.ndim == 0 and set(attributes) <= {"axes"}
    return Interval(low.reshape(1), high.reshape(1)) if known else None


_RULES: Dict[str, _Rule] = {
    "Add": _of_two(lambda a, b: Interval(a.low + b.low, a.high + b.high)),
    "Sub": _of_two(lambda a, b: Interval(a.low - b.high, a.high - b.low)),
    "Max": _of_two(lambda a, b: Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high))),
    "Min": _of_two(lambda a, b: Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high))),
    "Mul": _of_two(_times),
    "Div": _of_two(_divided),
    "Mod": _of_two(_remainder),
    "Concat": _concat,
    "Gather": _gather,
    "Shape": _shape,
    "Identity": _same,
    "Cast": _cast,
    "Unsqueeze": _unsqueeze,
}
