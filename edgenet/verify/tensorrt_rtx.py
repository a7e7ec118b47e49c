"""Whether TensorRT takes a file: the parser and the builder of TensorRT for RTX, which need no GPU.

It is the one TensorRT that can be installed from PyPI and builds on a machine without a GPU: extra
``edgenet[trt-rtx-check]``. Nothing is run, so nothing is said of its speed; its engines
are for desktop GPUs. A parser is native code, so it gets a process of its own:
``python -m edgenet.verify.tensorrt_rtx MODEL.onnx``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgenet
from edgenet.errors import EXIT_DONE, EXIT_FAILED, NotPossible
from edgenet.launch.local import run_command
from edgenet.launch.outcome import Ending
from edgenet.verify.checks import Check
from edgenet.verify.qdq import quantized_layers

if TYPE_CHECKING:
    from edgenet.runner.bundle import Bundle

NAME = "TensorRT-RTX parser"
EXTRA = "edgenet[trt-rtx-check]"
MODULE = "tensorrt_rtx"

_BATCHES = (1, 8, 64)  # the profile of a free batch: smallest, best, largest
_TIME_LIMIT_S = 300.0
_PRECISIONS = {"Int8": "INT8", "Half": "FP16", "Float": "FP32"}
_POINTWISE = "kgen"  # generated code for what is done before and after a multiplication
_FUSION = "runtime_fusion"  # dequantizes within, where the product itself has no INT8 form
_LAYER = re.compile(
    r"Name: .*?, LayerType: (?P<kind>\w+), Inputs: (?P<inputs>.*?), Constants: .*?, "
    r"Outputs: (?P<outputs>.*?), TacticName: "
)
_TYPE = re.compile(r"Datatype: (\w+)")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


@dataclass(frozen=True, kw_only=True)
class Multiplication:
    """A layer of an engine that multiplies by a weight.

    Attributes:
        node: The ONNX node that it comes from.
        precision: In which it multiplies: ``INT8``, ``FP16``, ``FP32``, or TensorRT's own name.
    """

    node: str
    precision: str


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What became of a file.

    Attributes:
        version: Of TensorRT for RTX; empty where its process crashed.
        errors: Why it was not parsed or not built, with the node; none where it was.
        engine_bytes: Size of the serialized engine; 0 where there is none.
        multiplications: Convolutions and matrix products that the engine has.
    """

    version: str
    errors: tuple[str, ...]
    engine_bytes: int
    multiplications: tuple[Multiplication, ...]

    @property
    def precisions(self) -> Counter[str]:
        """How many layers multiply in which precision."""
        return Counter(each.precision for each in self.multiplications)

    @property
    def library(self) -> str:
        """What reports call the library, such as ``TensorRT for RTX 1.7.1.116``."""
        return f"TensorRT for RTX {self.version}".strip()


def unavailable() -> str | None:
    """Say why the check cannot run here, or return None."""
    if importlib.util.find_spec(MODULE) is None:
        return f"needs TensorRT for RTX: pip install '{EXTRA}'"
    return None


def build(path: Path) -> Engine:
    """Parse an ONNX file and build an engine from it, in another process.

    Args:
        path: The file. A batch that is free is built for 1 to 64 pictures.

    Raises:
        NotPossible: The library is not here or cannot be loaded.
    """
    reason = unavailable()
    if reason is not None:
        raise NotPossible(reason)
    search = [str(Path(edgenet.__file__).resolve().parent.parent), *map(os.path.abspath, sys.path)]
    with tempfile.TemporaryDirectory(prefix="edgenet-") as folder:
        outcome = run_command(
            [sys.executable, "-m", "edgenet.verify.tensorrt_rtx", str(path.absolute())],
            folder=Path(folder),
            environment={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            time_limit_s=_TIME_LIMIT_S,
        )
    answer = outcome.find("finished")
    if outcome.ending is Ending.ERROR:
        raise NotPossible(f"TensorRT for RTX cannot be loaded: {outcome.reason}", outcome.hint)
    if answer is None:
        reason = str(outcome.reason)
        return Engine(version="", errors=(reason,), engine_bytes=0, multiplications=())
    return Engine(
        version=answer["version"],
        errors=tuple(answer["errors"]),
        engine_bytes=answer["engine_bytes"],
        multiplications=tuple(Multiplication(**each) for each in answer["multiplications"]),
    )


def check_tensorrt_rtx(bundle: Bundle) -> Check:
    """Build a bundle's ONNX file; where it is quantized, its layers have to multiply in INT8."""
    import onnx

    layers = quantized_layers(onnx.load(bundle.model_path, load_external_data=False))
    if any(layer.input_dtype != "int8" for layer in layers):
        detail = "uint8 activations are for other targets: TensorRT takes int8 alone"
        return Check(name=NAME, status="not run", detail=detail)
    try:
        engine = build(bundle.model_path)
    except NotPossible as absent:
        return Check(name=NAME, status="not run", detail=absent.message)
    if engine.errors:
        more = f" (and {len(engine.errors) - 1} more)" if len(engine.errors) > 1 else ""
        detail = f"{engine.library} does not take it: {engine.errors[0]}{more}"
        return Check(name=NAME, status="failed", detail=detail)
    if engine.precisions["INT8"] < len(layers):
        others = [each.node for each in engine.multiplications if each.precision != "INT8"]
        detail = (
            f"{engine.library} builds it, but multiplies in INT8 in {engine.precisions['INT8']} of "
            f"{len(layers)} quantized layers; in another precision: {', '.join(others) or 'none'}"
        )
        return Check(name=NAME, status="failed", detail=detail)
    counts = ", ".join(f"{count} in {name}" for name, count in sorted(engine.precisions.items()))
    detail = f"{engine.library} builds it; layers that multiply: {counts or 'none'}"
    return Check(name=NAME, status="ok", detail=detail)


def multiplications(description: str, nodes: Container[str]) -> Iterator[Multiplication]:
    """Read the layers that multiply from the builder's detailed description of an engine.

    Args:
        description: One layer a line, ``Name: …, LayerType: …, Inputs: [ { …, Datatype: … } ],
            Constants: …, Metadata: [ONNX Layer: …]…``; the metadata has every node that was fused.
        nodes: The convolutions and matrix products of the graph.

    Yields:
        Each with the type of its input; with that of its output where it is a fusion that reads
        integers, since these become floating point before its product.
    """
    for line in description.splitlines():
        layer = _LAYER.match(line)
        if layer is None or layer["kind"] == _POINTWISE:
            continue
        given, made = _TYPE.search(layer["inputs"]), _TYPE.search(layer["outputs"])
        node = next((each for each in _NODE.findall(line) if each in nodes), None)
        if given is None or made is None or node is None:
            continue
        dequantized = layer["kind"] == _FUSION and given[1] == "Int8"
        name = made[1] if dequantized else given[1]
        yield Multiplication(node=node, precision=_PRECISIONS.get(name, name))


def _build_here(content: bytes) -> dict[str, Any]:
    """Parse and build in this process, which a crash of the library may end."""
    import tensorrt_rtx as trt

    class Log(trt.ILogger):  # type: ignore[misc] # ships no type information
        """Keeps what the library says."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.layers = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message.strip())
            if message.startswith("Layers:"):
                self.layers += message

    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(content):
        faults = [parser.get_error(index) for index in range(parser.num_errors)]
        errors = [f"{each.desc().strip()} (node {each.node_name()!r})" for each in faults]
        return _answer(trt.__version__, errors or log.errors or ["it is not parsed"])
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    profile = builder.create_optimization_profile()
    for tensor in (network.get_input(index) for index in range(network.num_inputs)):
        shapes = [tuple(n if d < 0 else d for d in tensor.shape) for n in _BATCHES]
        profile.set_shape(tensor.name, *shapes)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        return _answer(trt.__version__, log.errors or ["it is not built"])
    weighted = (trt.LayerType.CONVOLUTION, trt.LayerType.MATRIX_MULTIPLY)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    names = {
        name for each in layers if each.type in weighted for name in _NODE.findall(each.metadata)
    }
    found = list(multiplications(log.layers, names))
    return _answer(trt.__version__, [], plan.nbytes, found)


def _answer(
    version: str,
    errors: Sequence[str],
    engine_bytes: int = 0,
    found: Sequence[Multiplication] = (),
) -> dict[str, Any]:
    return {
        "version": version,
        "errors": [" ".join(error.split()) for error in errors],
        "engine_bytes": engine_bytes,
        "multiplications": [asdict(each) for each in found],
    }


def main(arguments: list[str]) -> int:
    """Build the file that the only argument names; answer as a measurement process does."""
    from edgenet.runner.__main__ import ResultLines

    lines = ResultLines.take_standard_output()
    try:
        answer = _build_here(Path(arguments[0]).read_bytes())
    except (ImportError, OSError) as error:
        message = " ".join(str(error).split())
        lines.emit({"event": "error", "code": "failed", "message": message, "hint": None})
        return EXIT_FAILED
    lines.emit({"event": "finished", **answer})
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
