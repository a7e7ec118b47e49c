"""The rules about a file as a whole: its opset, its input, its sizes, where its content is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnx import TensorProto

from edgenet.targets import ir_version_of, possible
from edgenet.verify.lint_row import LintRow, broken, kept, left_out
from edgenet.verify.lint_subject import Subject, title
from edgenet.verify.qdq_graph import LAYERS, element_name, place

if TYPE_CHECKING:
    import onnx

    from edgenet.targets import RuntimeSupport, Target

MAX_FILE_BYTES = (1 << 31) - 1
MAX_ELEMENTS = (1 << 31) - 1
MAX_TENSORRT_DIMENSIONS = 8

_QUANTIZED = ("DequantizeLinear", "QuantizeLinear")
_INTEGER_LAYERS = ("ConvInteger", "MatMulInteger", "QGemm", "QLinearConv", "QLinearMatMul")


def lint_precision(
    target: Target, runtimes: tuple[RuntimeSupport, ...], format: str, precision: str
) -> LintRow:
    """Look whether a target computes in a precision, and say which of its runtimes do."""
    answer = possible(target, format, precision)
    rule, name = "precision", precision.upper()
    if not answer.possible:
        return broken(rule, str(answer.reason), answer.instead or "")
    if not runtimes:
        return broken(rule, f"no runtime of {target.title} has {name}", "choose another precision")
    detail = f"{name} runs there by {' and '.join(map(title, runtimes))}"
    others = [each for each in target.runtimes if precision not in each.precisions]
    for other in others:
        without = possible(target, "engine" if other.name == "tensorrt" else "onnx", precision)
        detail += f"; not by {title(other)}: {without.reason}"
    return kept(rule, detail)


def lint_content(subject: Subject) -> Iterator[LintRow]:
    """Look whether a graph computes in the precision that it is said to."""
    rule = "graph precision"
    nodes = [node for graph in subject.graphs for node in graph.nodes]
    types = [value.element for types in subject.types for value in types.values()]
    found = {
        "int8": sum(node.op_type in (*_QUANTIZED, *_INTEGER_LAYERS) for node in nodes),
        "fp16": types.count(TensorProto.FLOAT16),
    }
    words = {"int8": "operators of quantization", "fp16": "FP16 tensors"}
    advice = "export it again, and leave the file as it was written"
    wanted = subject.precision
    if wanted in found and not found[wanted]:
        yield broken(rule, f"it is said to be {wanted.upper()} and has no {words[wanted]}", advice)
    elif wanted == "fp32" and any(found.values()):
        others = [f"{n} {words[name]}" for name, n in found.items() if n]
        yield broken(rule, f"it is said to be FP32 and has {' and '.join(others)}", advice)
    else:
        layers = sum(node.op_type in (*LAYERS, *_INTEGER_LAYERS) for node in nodes)
        plural = "layer" if layers == 1 else "layers"
        yield kept(rule, f"as it is said to be; {layers} {plural} with weights")


def lint_opset(opset: int, runtimes: tuple[RuntimeSupport, ...], target: Target) -> LintRow:
    """Compare a file's operator set with the highest that each runtime documents."""
    highest = [f"{title(each)} up to {each.opset}" for each in runtimes]
    if all(opset <= each.opset for each in runtimes):
        return kept("opset", f"{opset}; {', '.join(highest)}")
    refused = [
        f"{title(each)} takes {each.opset} at most" for each in runtimes if opset > each.opset
    ]
    advice = f"export with --target {target.name} or --opset {min(e.opset for e in runtimes)}"
    return broken("opset", f"{opset}; {' and '.join(refused)}", advice)


def lint_ir_version(
    ir_version: int, runtimes: tuple[RuntimeSupport, ...], target: Target
) -> LintRow:
    """Compare a file's IR version with the highest that onnxruntime reads.

    TensorRT's parser does not look at it.
    """
    rule = "IR version"
    checking = [each for each in runtimes if each.name == "onnxruntime"]
    for runtime in checking:
        if ir_version > runtime.ir_version:
            detail = f"{ir_version}; {title(runtime)} reads up to {runtime.ir_version}"
            advice = f"export with --target {target.name}: it writes {ir_version_of(target.opset)}"
            return broken(rule, detail, advice)
    known = [f"{title(each)} reads up to {each.ir_version}" for each in checking]
    return kept(rule, f"{ir_version}; {', '.join(known) or 'TensorRT reads any'}")


def lint_external(tensors: tuple[str, ...]) -> LintRow:
    """Look for weights in other files, which a parser of bytes does not find."""
    rule = "external data"
    if not tensors:
        return kept(rule, "none: all weights are in the file")
    more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
    detail = "its content is in another file: a bundle is one file, and TensorRT gets its bytes"
    advice = "save it as one file: onnx.save_model(onnx.load(FILE), OTHER)"
    return broken(rule, detail, advice, f"{tensors[0]}{more}")


def lint_input(subject: Subject) -> Iterator[LintRow]:
    """Look whether the target takes raw pixels in the type that the graph asks for."""
    rule, found = "input", []
    for value in _inputs(subject):
        element = value.type.tensor_type.elem_type
        found.append(f"{value.name} is {element_name(element)}")
        for runtime in subject.runtimes:
            if element == TensorProto.UINT8 and not runtime.uint8_input:
                advice = f"export with --target {subject.target.name}: it takes float32, 0 to 255"
                detail = f"it is uint8, which {title(runtime)} takes nowhere"
                yield broken(rule, detail, advice, f"input {value.name!r}")
                return
    yield kept(rule, ", ".join(found))


def lint_shapes(subject: Subject) -> Iterator[LintRow]:
    """Look for dimensions that are free or follow from the data, and for too many of them."""
    rule, free, rows = "shapes", "", []
    for value in _inputs(subject):
        where, dimensions = f"input {value.name!r}", value.type.tensor_type.shape.dim
        if not value.type.tensor_type.HasField("shape") or not dimensions:
            rows.append(broken(rule, "it has no shape", "give it one, [N, C, H, W]", where))
            continue
        for axis, size in enumerate(dimensions):
            if size.HasField("dim_value"):
                continue
            name = size.dim_param or "?"
            if axis == 0:
                free = name
            else:
                detail = f"dimension {axis} ({name}) is free; only the batch, 0, may be"
                rows.append(broken(rule, detail, "export it for one size of picture", where))
    if subject.tensorrt is not None:
        rows += _tensorrt_shapes(subject, rule)
    yield from rows
    if not rows:
        profile = " (TensorRT needs an optimization profile for it)" if subject.tensorrt else ""
        batch = f"the batch {free} is free{profile}" if free else f"batch {subject.batch}"
        yield kept(rule, f"{batch}; all other dimensions are fixed")


def lint_sizes(subject: Subject) -> Iterator[LintRow]:
    """Look for files and tensors beyond what a message of protobuf or an index of a GPU holds."""
    rule, rows = "sizes", []
    size = subject.original.ByteSize()
    if size > MAX_FILE_BYTES:
        detail = f"the file has {size:,} bytes; ONNX ends at {MAX_FILE_BYTES:,}"
        rows.append(broken(rule, detail, "make the network smaller"))
    largest = (0, "")
    for graph, types in zip(subject.graphs, subject.types, strict=True):
        for name, value in types.items():
            elements = value.elements or 0
            largest = max(largest, (elements, name))
            if elements > MAX_ELEMENTS:
                detail = f"it has {elements:,} elements; at most {MAX_ELEMENTS:,} can be"
                where = f"tensor {name!r}{graph.within}"
                rows.append(broken(rule, detail, "make the pictures or the layer smaller", where))
    yield from rows
    if not rows:
        detail = f"{size:,} bytes; the largest tensor, {largest[1]}, has {largest[0]:,} elements"
        yield kept(rule, detail)


def lint_valid(reason: str | None) -> LintRow:
    """Make the row of whether a file is ONNX by the standard."""
    if reason is None:
        return kept("ONNX standard", "the file keeps it")
    return broken("ONNX standard", reason, "export it again: no runtime has to take such a file")


def not_linted(rules: tuple[str, ...], reason: str) -> tuple[LintRow, ...]:
    """Make the rows of rules that need what another rule found wrong."""
    return tuple(left_out(rule, reason) for rule in rules)


def _inputs(subject: Subject) -> list[onnx.ValueInfoProto]:
    """Return the inputs that a caller gives: old files list stored tensors among them, too."""
    graph = subject.original.graph
    stored = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in stored]


def _tensorrt_shapes(subject: Subject, rule: str) -> list[LintRow]:
    """Look for values of the main graph whose memory cannot be planned before they are there."""
    rows = []
    for node in subject.graphs[0].nodes:
        for name in filter(None, node.output):
            value = subject.types[0].get(name)
            if value is None or value.elements is None:
                detail = f"the shape of its result {name!r} follows from the data"
                advice = "replace it by operators of fixed shapes"
                rows.append(broken(rule, detail, advice, place(node)))
            elif len(value.shape or ()) > MAX_TENSORRT_DIMENSIONS:
                detail = f"its result has {len(value.shape or ())} dimensions; TensorRT has 8"
                rows.append(broken(rule, detail, "reshape it to fewer", place(node)))
    return rows
