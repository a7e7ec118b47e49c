"""ONNX files as edgenet writes them: one file, checked, with stable names. Needs no torch.

Both ways to an ONNX bundle end here: PyTorch's exporter and the import of a foreign file.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs
from onnx.inliner import inline_local_functions

from edgenet.errors import CorruptFile, NotPossible
from edgenet.export.format import METADATA_KEY
from edgenet.export.onnx_fold import fold_constants
from edgenet.runner.onnx_file import check_self_contained

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
_CALLED_AGAIN = re.compile(r"_\d+$")


def read(path: Path) -> onnx.ModelProto:
    """Read a self-contained ONNX file.

    Raises:
        CorruptFile: It is not ONNX, not valid ONNX, or has weights in another file.
    """
    check_self_contained(path)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except DecodeError as error:
        raise CorruptFile(f"{path} is not an ONNX file: {error}") from error
    except onnx.checker.ValidationError as error:
        reason = first_line(error)
        raise CorruptFile(f"{path} is not a valid ONNX file: {reason}") from error
    return model


def write(model: onnx.ModelProto, path: Path, *, about: str, metadata: Mapping[str, Any]) -> None:
    """Give a model its metadata, infer shapes, check it and write it as one file.

    Args:
        model: Changed in place.
        path: The file to write.
        about: The model's documentation, a sentence.
        metadata: JSON values that the file carries under ``edgenet``.

    Raises:
        NotPossible: Shapes contradict each other, or the file would exceed 2 GiB.
    """
    model.doc_string = about
    model.graph.doc_string = ""
    del model.metadata_props[:]
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    try:
        del model.graph.value_info[:]
        complete = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(complete, full_check=True)
        content = complete.SerializeToString(deterministic=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        reason = first_line(error)
        raise NotPossible(f"the graph that was written is not valid ONNX: {reason}") from error
    except ValueError as error:
        raise NotPossible(f"the network does not fit into one ONNX file: {error}") from error
    path.write_bytes(content)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the default operator set that a model is written in."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def tidy(
    model: onnx.ModelProto, prefix: str, *, modules: Container[str], tensors: Container[str]
) -> onnx.ModelProto:
    """Replace an exporter's names by ones that follow from the network alone, and drop its notes.

    What depends on nothing but stored numbers is stored (:func:`edgenet.export.onnx_fold`).

    Nodes are named after their module and operator (``features.conv1/Conv``), values after the
    node that makes them, weights as in the checkpoint, other stored numbers after the node that
    reads them. The notes hold stack traces with the paths of the machine that exported.

    Args:
        model: As written by PyTorch's exporter.
        prefix: What names of modules and weights begin with and shall not.
        modules: Names of the network's modules, with the prefix.
        tensors: Names of its weights, with the prefix.
    """
    if model.functions:  # exporters up to torch 2.5 leave theirs as functions
        model = inline_local_functions(model)
    fold_constants(model)
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    renamed = {
        tensor.name: tensor.name.removeprefix(prefix)
        for tensor in graph.initializer
        if tensor.name.startswith(prefix)
    }
    seen: Counter[str] = Counter()
    for node in graph.node:
        while node.input and not node.input[-1]:  # an option that is not used, written out
            del node.input[-1]
        scope = _scope(node, prefix, modules)
        if scope is not None:
            node.name = _unique(f"{scope}/{node.op_type}", seen)
            for position, output in enumerate(node.output):
                if output and output not in kept:
                    renamed[output] = f"{node.name}:{position}" if position else node.name
    renamed.update(_names_of_constants(graph, tensors))
    _rename(model, renamed)
    _name_batch(model)
    _drop_notes(model)
    return model


def _names_of_constants(graph: onnx.GraphProto, tensors: Container[str]) -> dict[str, str]:
    """Return names, by the node that reads them, for numbers that an exporter numbered through."""
    stored = {tensor.name for tensor in graph.initializer if tensor.name not in tensors}
    return {
        name: f"{node.name}.{position}"
        for node in reversed(graph.node)
        for position, name in enumerate(node.input)
        if name in stored
    }


def _name_batch(model: onnx.ModelProto) -> None:
    """Call a free batch dimension ``N``, whatever the exporter called it."""
    [own] = {value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if own and size.dim_param == own:
                size.dim_param = "N"


def _scope(node: onnx.NodeProto, prefix: str, modules: Container[str]) -> str | None:
    """Return the dotted name of the module that a node comes from, if its exporter says so.

    One exporter writes it into the node's notes, the other into its name: ``/network/conv1/Conv``,
    with the place in a sequence as ``/network/features/features.0/Conv``, and with a number where a
    module is called again: ``/network/conv1_1/Conv``.
    """
    text = next((note.value for note in node.metadata_props if note.key == _SCOPES_KEY), None)
    if text is not None:
        scopes: list[str] = ast.literal_eval(text)
        module = next((scope for scope in reversed(scopes[:-1]) if scope in modules), "")
    elif node.name.startswith("/"):
        module = ""
        for part in node.name[1:].split("/")[:-1]:
            inner = ".".join(filter(None, (module, part.rpartition(".")[2])))
            module = inner if inner in modules else _CALLED_AGAIN.sub("", inner)
    else:
        return None
    return module.removeprefix(prefix) if module else "pixels"


def _unique(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}_{seen[name]}"


def _rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    graph = model.graph
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        _replace_all(node.input, names)
        _replace_all(node.output, names)


def _replace_all(values: Any, names: Mapping[str, str]) -> None:
    for position, value in enumerate(values):
        values[position] = names.get(value, value)


def _drop_notes(model: onnx.ModelProto) -> None:
    graph = model.graph
    noted: Iterable[Any] = (*graph.node, *graph.initializer, *graph.input, *graph.output)
    for item in noted:
        item.doc_string = ""
        del item.metadata_props[:]
    del graph.metadata_props[:]
