"""The numbers in an ONNX file that decide how much memory its network takes, and its scales.

A runtime computes what depends on no input while it loads the file, and a node of ten bytes can
ask for terabytes: ``ConstantOfShape`` of a huge shape. So the size of what such a node makes has to
be a constant of the file or be put together from constants and the shapes of tensors, and has to be
small. What a chain of harmless nodes adds up to (thirty times ``Concat`` of a tensor with itself),
and what one makes of long operands (a column times a row), is not looked at: that needs the rules
of shapes of some 150 operators.

Source: onnx/docs/Operators.md, opsets 7 to 25, and ContribOperators.md of onnxruntime.
"""

from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from edgenet.errors import CorruptFile
from edgenet.runner.onnx_integers import Integers
from edgenet.runner.onnx_network import INT64, Network, Node, StoredTensor

MAX_MADE_ELEMENTS = 1 << 24
MAX_RESHAPED_ELEMENTS = 1 << 28
MAX_PAD = 1024
MAX_REPEATS = 1 << 12
MAX_WINDOW = 1 << 16
_MOST_SIZES = 64  # numbers that a shape, its padding or its scales have
_MOST_SCALES = 1 << 20


class _Size(NamedTuple):
    """Where an operator gets the size of its result from: inputs, attributes, and their limit."""

    inputs: Tuple[int, ...]
    attributes: Tuple[str, ...]
    limit: int
    each: bool = False  # the limit is one of each number, not of their product


_SIZES = {
    "CenterCropPad": _Size((1,), (), MAX_MADE_ELEMENTS),
    "Col2Im": _Size((1, 2), (), MAX_MADE_ELEMENTS),
    "ConstantOfShape": _Size((0,), (), MAX_MADE_ELEMENTS),
    "Expand": _Size((1,), (), MAX_MADE_ELEMENTS),
    "MaxUnpool": _Size((2,), (), MAX_MADE_ELEMENTS),
    "RandomNormal": _Size((), ("shape",), MAX_MADE_ELEMENTS),
    "RandomUniform": _Size((), ("shape",), MAX_MADE_ELEMENTS),
    "Tile": _Size((1,), ("tiles",), MAX_REPEATS),
    "Upsample": _Size((1,), ("scales",), MAX_REPEATS),
    "AffineGrid": _Size((1,), (), MAX_MADE_ELEMENTS),
    "BlackmanWindow": _Size((0,), (), MAX_WINDOW),
    "HammingWindow": _Size((0,), (), MAX_WINDOW),
    "HannWindow": _Size((0,), (), MAX_WINDOW),
    "MelWeightMatrix": _Size((0, 1), (), MAX_WINDOW),
    "Loop": _Size((0,), (), MAX_WINDOW),
    "DFT": _Size((1,), (), MAX_WINDOW),
    "OneHot": _Size((1,), (), MAX_WINDOW),
    "Range": _Size((0, 1, 2), (), MAX_WINDOW, each=True),
    "Pad": _Size((1,), ("pads", "paddings"), MAX_PAD, each=True),
    "Multinomial": _Size((), ("sample_size",), MAX_WINDOW),
    "RoiAlign": _Size((), ("output_height", "output_width"), MAX_PAD, each=True),
    "ConvTranspose": _Size((), ("output_shape", "output_padding", "strides"), MAX_PAD, each=True),
}
# As many elements as before, but where there are none: then any sizes may stand beside the 0.
_RESHAPED = _Size((1,), (), MAX_RESHAPED_ELEMENTS)
_ANY_OPERATOR = _Size((), ("pads", "dilations", "kernel_shape"), MAX_PAD, each=True)

_SCALES: Dict[str, Tuple[int, ...]] = {
    "QuantizeLinear": (1,),
    "DequantizeLinear": (1,),
    "QLinearConv": (1, 4, 6),
    "QLinearMatMul": (1, 4, 6),
    "QLinearAdd": (1, 4, 6),
    "QLinearMul": (1, 4, 6),
    "QLinearGlobalAveragePool": (1, 3),
    "QLinearAveragePool": (1, 3),
    "QLinearLeakyRelu": (1, 3),
    "QLinearSigmoid": (1, 3),
    "QGemm": (1, 4, 7),
}
# Operator -> the inputs that its numbers come from. The others compute no new numbers.
_MOVING: Dict[str, Sequence[int]] = {
    **dict.fromkeys(("Cast", "Expand", "Flatten", "Gather", "Identity", "Reshape"), (0,)),
    **dict.fromkeys(("Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"), (0,)),
    "Where": (1, 2),
    "Concat": range(_MOST_SIZES),
    "Shape": (),
    "Size": (),
    "ConstantOfShape": (),
}
# Operators of onnxruntime that name another file.
_NEVER = ("EPContext",)

_DTYPES = dict(zip((1, 6, 7, 10, 11), ("<f4", "<i4", "<i8", "<f2", "<f8")))
_HALF, _BFLOAT16 = 10, 16


def check_values(data: Any, network: Network) -> None:
    """Refuse a network that makes huge tensors, or quantizes with a scale that is none.

    Args:
        data: The file's bytes.
        network: What is in them.

    Raises:
        CorruptFile: It does.
    """
    _Check(data, network).run()


class _Check:
    def __init__(self, data: Any, network: Network) -> None:
        self._data = data
        self._network = network
        self._makers: Dict[str, List[Node]] = {}
        for node in network.nodes:
            for output in node.outputs:
                self._makers.setdefault(output, []).append(node)
        self._integers = Integers(network, self._makers, self._numbers)

    def run(self) -> None:
        self._network.check_functions()
        for node in self._network.nodes:
            if node.operator in _NEVER:
                raise CorruptFile("its operator {} names another file".format(node.operator))
            if node.operator == "Loop" and not _input(node, 0):
                raise CorruptFile("{} may never end".format(_named(node)))
            for position in _SCALES.get(node.operator, ()):
                for tensor in self._network.tensors.get(_input(node, position), ()):
                    self._check_scale(node, tensor)
            self._check_attributes(node, _ANY_OPERATOR)
            size = _SIZES.get(node.operator)
            if size is not None:
                self._check_attributes(node, size)
                for position in size.inputs:
                    self._check_size(node, position, size)
            elif node.operator == "Resize":
                self._check_resize(node)
            elif node.operator == "Reshape":
                self._check_size(node, 1, _RESHAPED, whole=False)

    def _check_resize(self, node: Node) -> None:
        scales = 2 if len(node.inputs) > 2 else 1  # opset 10 has no region in between
        self._check_size(node, scales, _Size((), (), MAX_REPEATS))
        self._check_size(node, 3, _Size((), (), MAX_MADE_ELEMENTS))

    def _check_attributes(self, node: Node, size: _Size) -> None:
        for name in size.attributes:
            if name in node.attributes:
                _check_numbers(node, node.attributes[name].numbers, size.limit, size.each)

    def _check_size(self, node: Node, position: int, size: _Size, *, whole: bool = True) -> None:
        """Check the numbers that an input gives, wherever in the file they come from.

        Args:
            node: Whose input it is.
            position: Of the input.
            size: Has the limit.
            whole: All of them have to be known; else those that are.
        """
        name = _input(node, position)
        if not name:
            return
        numbers: List[float] = []
        for tensor in self._sources(node, name, whole):
            if tensor.elements > _MOST_SIZES:
                raise CorruptFile("{} takes its size from a long tensor".format(_named(node)))
            numbers.extend(float(number) for number in self._numbers(tensor))
        _check_numbers(node, numbers, size.limit, size.each)
        if node.operator == "Range" and position == 2 and any(abs(step) < 1 for step in numbers):
            raise CorruptFile("{} counts in small steps".format(_named(node)))

    def _sources(self, node: Node, name: str, whole: bool) -> Iterator[StoredTensor]:
        """Yield the constants that a size is put together from."""
        unseen = [name]
        seen: Set[str] = set()
        while unseen:
            found = unseen.pop()
            if not found or found in seen:
                continue
            seen.add(found)
            tensors = self._network.tensors.get(found, [])
            for tensor in tensors:
                yield tensor
            makers = [
                maker for maker in self._makers.get(found, []) if maker.operator != "Constant"
            ]
            strangers = [maker.operator for maker in makers if maker.operator not in _MOVING]
            value = self._integers.value(found) if strangers else None
            if value is not None and (value.is_exact or (whole and value.is_below(MAX_WINDOW))):
                most = value.furthest
                yield StoredTensor(INT64, most.shape, most.size, (0, 0), tuple(most.flat))
                continue
            if found in self._network.parameters:
                strangers.append("who calls a function")
            if not whole:
                makers = [maker for maker in makers if maker.operator in _MOVING]
            elif strangers or not (makers or tensors) or len(seen) > _MOST_SIZES:
                hint = "fold the constants of the network, or simplify it, before importing it"
                message = "the size of what {} makes is computed by {}"
                how = strangers[0][:40] if strangers else "what is not in the file"
                raise CorruptFile(message.format(_named(node), how), hint)
            for maker in makers:
                unseen += [_input(maker, each) for each in _MOVING[maker.operator]]

    def _check_scale(self, node: Node, tensor: StoredTensor) -> None:
        if tensor.elements > _MOST_SCALES:
            raise CorruptFile("{} has {} scales".format(_named(node), tensor.elements))
        numbers = self._numbers(tensor)
        if not (np.isfinite(numbers).all() and (numbers > 0).all()):
            raise CorruptFile("{} has a scale that is not a positive number".format(_named(node)))

    def _numbers(self, tensor: StoredTensor) -> np.ndarray:
        """Return the values of a constant, float64 [elements]."""
        if tensor.listed and tensor.dtype in (_HALF, _BFLOAT16):
            bits = np.array(tensor.listed, np.int64).astype("<u2").tobytes()
            numbers = _decoded(bits, tensor.dtype)
        elif tensor.listed:
            numbers = np.array(tensor.listed, np.float64)
        else:
            numbers = _decoded(bytes(self._data[slice(*tensor.raw)]), tensor.dtype)
        if len(numbers) != tensor.elements:
            raise CorruptFile("a constant that decides a size or a scale cannot be read")
        return numbers


def _decoded(content: bytes, dtype: int) -> np.ndarray:
    if dtype == _BFLOAT16:
        wide = np.frombuffer(content[: len(content) // 2 * 2], "<u2").astype("<u4") << 16
        return wide.astype("<u4").view("<f4").astype(np.float64)
    kind = np.dtype(_DTYPES.get(dtype, "u1"))
    whole = len(content) // kind.itemsize * kind.itemsize
    return np.frombuffer(content[:whole], kind).astype(np.float64)


def _check_numbers(node: Node, numbers: Sequence[float], limit: int, each: bool) -> None:
    product = 1.0
    for number in numbers:
        size = abs(number)
        product = size if each else product * max(1.0, size)
        if not product <= limit:
            message = "{} makes a tensor of a size of {:.4g}, more than {}"
            raise CorruptFile(message.format(_named(node), product, limit))


def _input(node: Node, position: int) -> str:
    return node.inputs[position] if position < len(node.inputs) else ""


def _named(node: Node) -> str:
    return "the {} that makes {!r}".format(node.operator[:40], "".join(node.outputs[:1])[:80])
