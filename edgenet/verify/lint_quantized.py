"""Which deviations from the INT8 form matter to which runtime of a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from onnx import TensorProto

from edgenet.verify.lint_row import LintRow, broken, kept
from edgenet.verify.lint_subject import Subject, counted, title
from edgenet.verify.qdq_form import Fault, Violation, form_violations
from edgenet.verify.qdq_graph import element_name, operator, place

if TYPE_CHECKING:
    from edgenet.targets import RuntimeSupport

_STORED = "stored weights"

QUANTIZED = ("QuantizeLinear", "DequantizeLinear")


def _by_all(_: RuntimeSupport) -> bool:
    return True


def _by_tensorrt(runtime: RuntimeSupport) -> bool:
    return runtime.name == "tensorrt"


def _by_tensorrt_8(runtime: RuntimeSupport) -> bool:
    return runtime.name == "tensorrt" and runtime.version < (9,)


class _Refusal(NamedTuple):
    """How a fault is told.

    Attributes:
        rule: The row that it belongs to.
        by: Which runtimes refuse it or compute it wrongly.
        consequence: What they do with it, after their name.
        advice: What to do.
    """

    rule: str
    by: Callable[[RuntimeSupport], bool]
    consequence: str
    advice: str


_QUANTIZE = "quantize the FP32 network with edgenet quantize"
_SYMMETRIC = f"{_QUANTIZE}: its default scheme has zero points of 0"

_REFUSALS: dict[Fault, _Refusal] = {
    "zero-point": _Refusal("zero points", _by_tensorrt, "refuses it", _SYMMETRIC),
    "zero-point-of-pair": _Refusal(
        "zero points", _by_all, "computes other numbers than were quantized", _QUANTIZE
    ),
    "zero-point-size": _Refusal(
        "zero points",
        _by_all,
        "refuses it or computes nonsense",
        "give every scale one zero point",
    ),
    "no-zero-point": _Refusal(
        "zero points", _by_tensorrt_8, "asks for it", "write all three inputs of Q and DQ"
    ),
    "no-type": _Refusal(
        "integers", _by_tensorrt, "takes them for int8", "give it an int8 zero point of 0"
    ),
    "type": _Refusal("integers", _by_tensorrt, "takes int8 alone, and says nothing", _SYMMETRIC),
    "scale": _Refusal("scales", _by_all, "refuses it or computes nonsense", _QUANTIZE),
    "scale-not-stored": _Refusal(
        "scales", _by_tensorrt, "asks for scales in the file", f"{_QUANTIZE}: its ranges are fixed"
    ),
    "scale-of-pair": _Refusal(
        "scales", _by_all, "computes other numbers than were quantized", _QUANTIZE
    ),
    "axis": _Refusal("axes", _by_tensorrt, "does not multiply it in INT8", "put the scales on 0"),
    "axis-length": _Refusal(
        "axes", _by_all, "refuses it or computes nonsense", "give the axis: axis=0"
    ),
    "scales-of-activation": _Refusal(
        "axes", _by_tensorrt, "does not multiply it in INT8", "give an activation one scale"
    ),
    "scales-of-inputs": _Refusal(
        "axes", _by_tensorrt, "leaves the layer in FP32 without a word", _QUANTIZE
    ),
    "int32-bias": _Refusal(
        "biases",
        _by_tensorrt,
        "refuses it",
        "keep biases in FP32 (onnxruntime: QuantizeBias=False)",
    ),
    "shared-pair": _Refusal(
        "pairs",
        _by_tensorrt_8,
        "asks for a pair for each reader",
        "give each a pair (onnxruntime: DedicatedQDQPair=True)",
    ),
    "half-quantized": _Refusal(
        "layers",
        _by_tensorrt,
        "leaves the layer in floating point without a word",
        "quantize both, or neither",
    ),
    "batch-norm": _Refusal(
        "layers", _by_tensorrt, "computes it apart, in FP32", "fold it before quantizing"
    ),
}
"""Faults that a runtime refuses, computes wrongly or leaves out of INT8; all others are harmless.

Source: the parser and builder of TensorRT for RTX 1.7.1, which has TensorRT 11's interface;
``tests/contract/test_lint_and_parser.py`` asks them again. That 10 does the same, and what 8 alone
asks for, is derived from what is documented and reported of them: neither was asked.
"""

_KEPT = {
    "zero points": "all are there, of their scales' size, and as the target takes them",
    "scales": "all are stored, above 0 and finite, and the same in Q and DQ",
    "axes": "of weights 0, the output channels, or one scale for all",
    "biases": "none is quantized",
    "pairs": "each result has the readers that the target allows",
    "layers": "input and weight are quantized together, and nothing is left unfolded",
}


def lint_quantized(subject: Subject) -> Iterator[LintRow]:
    """Look at every Q and DQ, and at the layers that read them."""
    nodes = [node for graph in subject.graphs for node in graph.nodes]
    if not any(operator(node) in QUANTIZED for node in nodes):
        yield kept("Q/DQ", "none in it")
        return
    rows = [
        row
        for graph in subject.graphs
        for violation in form_violations(graph, "int8")
        for row in _rows(violation, subject.runtimes)
    ]
    rows += [*_stored_weights(subject), *_inputs_of_tensorrt_8(subject)]
    broken_rules = {row.rule for row in rows}
    for rule, detail in {**_KEPT, "integers": _integers(subject), **_stored(subject)}.items():
        if rule not in broken_rules:
            yield kept(rule, detail)
    yield from rows


def _rows(violation: Violation, runtimes: tuple[RuntimeSupport, ...]) -> Iterator[LintRow]:
    refusal = _REFUSALS.get(violation.fault)
    names = [title(each) for each in runtimes if refusal is not None and refusal.by(each)]
    if refusal is not None and names:
        detail = f"{violation.detail}: {' and '.join(names)} {refusal.consequence}"
        yield broken(refusal.rule, detail, refusal.advice, violation.place)


def _wants_fp32(subject: Subject) -> bool:
    """Whether a runtime there asks for FP32 weights with a Q before their DQ."""
    return subject.target.int8_weights == "fp32" and subject.tensorrt is not None


def _stored(subject: Subject) -> dict[str, str]:
    if not _wants_fp32(subject):
        return {_STORED: "any form is taken"}
    return {_STORED: "FP32 with Q and DQ, as TensorRT 8 asks"}


def _stored_weights(subject: Subject) -> list[LintRow]:
    """Look for INT8 weights where FP32 weights with Q and DQ are asked for."""
    runtime = subject.tensorrt
    if runtime is None or not _wants_fp32(subject):
        return []
    detail = f"its weight is stored as INT8; {title(runtime)} asks for FP32 with Q and DQ"
    advice = f"export with --target {subject.target.name}"
    return [
        broken(_STORED, detail, advice, place(node) + graph.within)
        for graph in subject.graphs
        for node in graph.nodes
        if operator(node) == "DequantizeLinear"
        and graph.is_weight(node)
        and graph.quantizer(node) is None
        and graph.stored[node.input[0]].data_type != TensorProto.INT32
    ]


def _inputs_of_tensorrt_8(subject: Subject) -> list[LintRow]:
    """Look for a Q that does not read float32, the one type that TensorRT 8 quantizes from."""
    runtime = subject.tensorrt
    if runtime is None or not _by_tensorrt_8(runtime):
        return []
    advice = "quantize the FP32 network and not the FP16 one"
    rows = []
    for graph, types in zip(subject.graphs, subject.types, strict=True):
        for node in graph.nodes:
            value = types.get(node.input[0]) if operator(node) == "QuantizeLinear" else None
            if value is not None and value.element != TensorProto.FLOAT:
                found = element_name(value.element)
                detail = f"it reads {found}; {title(runtime)} quantizes float32 alone"
                rows.append(broken("integers", detail, advice, place(node) + graph.within))
    return rows


def _integers(subject: Subject) -> str:
    """Count the types of what is dequantized."""
    counts = Counter(
        element_name(types[node.input[0]].element)
        for graph, types in zip(subject.graphs, subject.types, strict=True)
        for node in graph.nodes
        if operator(node) == "DequantizeLinear" and node.input[0] in types
    )
    return f"{counted(counts)} behind DequantizeLinear"
