"""The ``.pt2`` format of ``torch.export``: PyTorch's successor of TorchScript, one file.

What PyTorch writes has an example of the input as a pickle and, beside every operator, the lines
of Python that it came from, with their paths on this machine. Both are left out, and what remains
is read back under the rules of :mod:`edgenet.runner.pt2_file`, by which any such file is read.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import torch

from edgenet.errors import CorruptFile, NotPossible
from edgenet.export.format import Written
from edgenet.export.graph import PREFIX
from edgenet.runner.archive import read_members, write_archive
from edgenet.runner.fields import FieldError
from edgenet.runner.pt2_file import (
    METADATA,
    PROGRAM,
    SAMPLE_INPUTS,
    check_version,
    dump,
    read_pt2,
)
from edgenet.weights import LayerKind, LayerWeights, NetworkWeights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edgenet.export.graph import DeployedNetwork

FILE_NAME = "model.pt2"
DEFAULT_OPSET: int | None = None

_LAYERS: dict[str, LayerKind] = {
    "conv1d": "conv",
    "conv2d": "conv",
    "convolution": "conv",
    "linear": "linear",
}


def exporters(opset: int | None) -> tuple[str, ...]:  # noqa: ARG001 - the interface of a format
    """Return the one way to write it."""
    return ("export",)


def write(
    network: DeployedNetwork,
    path: Path,
    *,
    batch: int | None,
    opset: int | None,  # noqa: ARG001 - part of the interface; DEFAULT_OPSET says there is none
    metadata: Mapping[str, Any],
    exporter: str | None = None,  # noqa: ARG001 - there is one
) -> Written:
    """Write ``network`` as one ``.pt2`` file, its metadata as the extra file ``edgenet.json``.

    See :meth:`edgenet.export.format.Format.write`.

    Raises:
        NotPossible: PyTorch is older than 2.9, it cannot export the network, or the network needs
            an operator that edgenet's reader does not take.
    """
    check_version(torch.__version__)
    content = io.BytesIO()  # torch would report a full disk as an error of its own kind
    torch.export.save(_exported(network, batch), content)
    members = read_members(content)
    program = json.loads(members[PROGRAM])
    _strip(program)
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    members.update({PROGRAM: dump(program), SAMPLE_INPUTS: b"", METADATA: text.encode()})
    archive = write_archive(members)
    try:
        read_pt2(io.BytesIO(archive))
    except FieldError as error:
        hint = "another --format may take it"
        raise NotPossible(f"edgenet does not read this network as .pt2: {error}", hint) from None
    path.write_bytes(archive)
    version = program["schema_version"]
    return Written(
        options={"pt2_schema": f"{version['major']}.{version['minor']}"},
        tools={"torch": torch.__version__},
    )


def stored_weights(path: Path) -> NetworkWeights:
    """Read the tensors of a ``.pt2`` file, by the operators that use them.

    Raises:
        CorruptFile: The file is no ``.pt2`` file, or holds more than a network.
    """
    try:
        with path.open("rb") as file:
            stored = read_pt2(file)
    except FieldError as error:
        raise CorruptFile(f"{path}: {error}") from error
    graph = stored.program["graph_module"]
    names = dict(_names(graph["signature"]["input_specs"]))
    layers: list[LayerWeights] = []
    others: dict[str, NDArray[Any]] = {}
    for node in graph["graph"]["nodes"]:
        operands = {each["name"]: _operand(each["arg"]) for each in node["inputs"]}
        used = {name: names[value] for name, value in operands.items() if value in names}
        tensors = {name: stored.tensors[full] for name, full in used.items()}
        kind = _LAYERS.get(node["target"].split(".")[3])
        if kind is not None and "weight" in tensors:
            layers.append(
                LayerWeights(
                    name=used["weight"].removeprefix(PREFIX).removesuffix(".weight"),
                    place=f"node {node['name']!r}",
                    kind=kind,
                    weight=tensors["weight"],
                    bias=tensors.get("bias"),
                )
            )
            continue
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f":
                others[used[name].removeprefix(PREFIX)] = tensor
    return NetworkWeights(layers=tuple(layers), others=others)


def _exported(network: DeployedNetwork, batch: int | None) -> torch.export.ExportedProgram:
    """Export ``network`` with weights that lie whole and in C order, as they will in the file."""
    network = copy.deepcopy(network).requires_grad_(requires_grad=False)
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data = tensor.data.contiguous().clone()
    shapes = None if batch is not None else ({0: torch.export.Dim("N", min=1)},)
    with _silent(), torch.inference_mode(mode=False), torch.no_grad():
        try:
            return torch.export.export(
                network, (network.example(batch or 2),), dynamic_shapes=shapes, strict=False
            )
        except Exception as error:  # tracing raises whatever the traced forward raises
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise NotPossible(f"PyTorch cannot export this network: {reason}") from error


def _strip(program: dict[str, Any]) -> None:
    """Leave out source lines, the calls between modules, and texts of guards.

    A guard repeats in Python what the shapes of the inputs say, and they are checked without it.
    """
    graph = program["graph_module"]
    for node in graph["graph"]["nodes"]:
        node["metadata"] = {}
    graph["module_call_graph"] = [call for call in graph["module_call_graph"] if not call["fqn"]]
    program["guards_code"] = []


def _names(specs: list[dict[str, dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Yield (value in the graph, name of the stored tensor)."""
    for spec in specs:
        for kind, fields in spec.items():
            if kind != "user_input":
                yield fields["arg"]["name"], fields[f"{kind}_name"]


def _operand(argument: dict[str, Any]) -> str:
    """Return the name of the value that an operator reads; empty where it is no single tensor."""
    return str(argument.get("as_tensor", {"name": ""})["name"])


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep PyTorch from logging and printing pages about what its exception says."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
