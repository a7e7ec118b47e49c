"""What TensorRT says: the logger that keeps it, and what it tells of an engine's layers.

Of the layers, read from the log or from the inspector's answer, only what is needed to tell in
which precision those that multiply were built. Both texts are made for people: a line that is not
understood is no layer.
"""

import json
import re
from typing import Any, Container, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

_MAX_ERRORS = 20
_MAX_WARNINGS = 100

_PRECISIONS = {"Int8": "INT8", "Half": "FP16", "Float": "FP32", "FP16": "FP16", "FP32": "FP32"}
_GENERATED = "kgen"  # code for what is done before and after a product, or for a narrow product
_FLOATING = ({"Half"}, {"Float"})
_FUSION = "runtime_fusion"  # dequantizes within, where the product itself has no INT8 form
_LAYER = re.compile(
    r"Name: .*?, LayerType: (?P<kind>\w+), Inputs: (?P<inputs>.*?), "
    r"Constants: (?P<constants>.*?), Outputs: (?P<outputs>.*?), TacticName: "
)
_TYPE = re.compile(r"Datatype: (\w+)")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
_FORMAT = re.compile(r"\b(Int8|FP16|FP32|Half|Float)\b")
_WEIGHTED = ("Convolution", "FullyConnected", "MatrixMultiply")
_WEIGHTED_KINDS = re.compile("gemm|conv|matrixmultiply|matmul|fullyconnected", re.IGNORECASE)
_NODE_JOINTS = re.compile(r" \+ | \|\| |[(),\[\]\x1e]| ")


class Multiplication(NamedTuple):
    """A layer of an engine that multiplies by a weight.

    Attributes:
        node: The ONNX node that it comes from.
        precision: In which it multiplies: ``INT8``, ``FP16``, ``FP32``, or TensorRT's own name.
    """

    node: str
    precision: str


def message_log(module: Any) -> Any:
    """Return a logger of the library, for its builder or its runtime.

    It keeps the last 20 ``errors`` and the first 100 ``warnings``, each a line, and in ``layers``
    the builder's description of an engine. ``said(otherwise)`` gives the errors, or a sentence
    where the library gave no reason.
    """

    class Log(module.ILogger):  # type: ignore[misc] # what it is is known when it is loaded
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: List[str] = []
            self.warnings: List[str] = []
            self.layers = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR):
                self.errors.append(one_line(message))
                del self.errors[:-_MAX_ERRORS]
            elif severity == module.ILogger.WARNING and len(self.warnings) < _MAX_WARNINGS:
                self.warnings.append(one_line(message))
            elif message.startswith("Layers:"):
                self.layers += message

        def said(self, otherwise: str) -> Tuple[str, ...]:
            return tuple(self.errors) or (otherwise,)

    return Log()


def one_line(message: str) -> str:
    """Return a message without the line breaks and runs of blanks in it."""
    return " ".join(message.split())


def nodes_of(metadata: str) -> List[str]:
    """Return the ONNX nodes that a layer's metadata names."""
    return _NODE.findall(metadata)


def multiplications(description: str, nodes: Container[str]) -> Iterator[Multiplication]:
    """Read the layers that multiply from the builder's detailed description of an engine.

    Args:
        description: One layer a line, ``Name: …, LayerType: …, Inputs: [ { …, Datatype: … } ],
            Constants: …, Metadata: [ONNX Layer: …]…``; the metadata has every node that was fused.
        nodes: The convolutions and matrix products of the graph.

    Yields:
        Each with the type of its input; with that of its output where it is a fusion that reads
        integers, since these become floating point before its product. At the end those that are in
        no layer but generated code, such as a 1x1 convolution of four channels, written out as four
        products and their sum: with the type of the weights, where these are floating point.
    """
    seen: Set[str] = set()
    generated: Dict[str, Set[str]] = {}
    for line in description.splitlines():
        match = _LAYER.match(line)
        if match is None:
            continue
        if match.group("kind") == _GENERATED:
            types = _TYPE.findall(match.group("constants"))
            for named in filter(nodes.__contains__, nodes_of(line)):
                generated.setdefault(named, set()).update(types)
            continue
        given, made = _TYPE.search(match.group("inputs")), _TYPE.search(match.group("outputs"))
        node = next((each for each in nodes_of(line) if each in nodes), None)
        if given is None or made is None or node is None:
            continue
        dequantized = match.group("kind") == _FUSION and given.group(1) == "Int8"
        name = made.group(1) if dequantized else given.group(1)
        seen.add(node)
        yield Multiplication(node, _PRECISIONS.get(name, name))
    for named, of_weights in generated.items():
        if named not in seen and of_weights in _FLOATING:
            yield Multiplication(named, _PRECISIONS[of_weights.pop()])


def inspected_multiplications(text: str, nodes: Container[str]) -> Iterator[Multiplication]:
    """Read the layers that multiply from the JSON of the engine inspector, of TensorRT 8.2 on.

    Args:
        text: ``{"Layers": [{"Name", "LayerType", "Inputs": [{"Format/Datatype"}], "ParameterType",
            "Metadata"}]}``; a layer that was built without detailed profiling is its name alone.
        nodes: The convolutions and matrix products of the graph.

    Yields:
        Each with the type of its first input.
    """
    for described in _inspected(text):
        kinds = (str(described.get("ParameterType", "")), str(described.get("LayerType", "")))
        if kinds[0] not in _WEIGHTED and not _WEIGHTED_KINDS.search(kinds[1]):
            continue
        metadata, name = str(described.get("Metadata") or ""), str(described.get("Name", ""))
        named = nodes_of(metadata) or _NODE_JOINTS.split(name)
        node = next((each for each in named if each in nodes), None)
        inputs = described.get("Inputs")
        first = inputs[0] if isinstance(inputs, list) and inputs else None
        if node is None or not isinstance(first, dict):
            continue
        form = str(first.get("Format/Datatype") or first.get("Datatype") or "")
        found = _FORMAT.search(form)
        yield Multiplication(node, _PRECISIONS[found.group(1)] if found else form or "unknown")


def layer_kinds(description: str, inspected: Optional[str]) -> Dict[str, int]:
    """Count an engine's layers by TensorRT's own name of their kind.

    Args:
        description: From the log; see `multiplications`.
        inspected: From the inspector; it decides where both are there.
    """
    kinds = (
        [str(described.get("LayerType", "")) for described in _inspected(inspected)]
        if inspected
        else re.findall(r"^Name: .*?, LayerType: (\w+)", description, re.MULTILINE)
    )
    return _counted(kind for kind in kinds if kind)


def precisions_of(found: Iterable[Multiplication]) -> Dict[str, int]:
    """Count layers that multiply by their precision."""
    return _counted(each.precision for each in found)


def _counted(names: Iterable[str]) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def _inspected(text: str) -> List[Dict[str, Any]]:
    """Return the layers that are described; none where the text is not what it should be."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return []
    layers = content.get("Layers") if isinstance(content, dict) else None
    return [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
