"""The TorchScript format: traced, frozen, one file. Its runtime is PyTorch.

PyTorch has deprecated TorchScript; the format stays for deployments that run it today.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from edgenet.errors import CorruptFile, NotPossible
from edgenet.export.format import METADATA_KEY, Written
from edgenet.runner.fields import FieldError
from edgenet.runner.torchscript_file import checked_archive
from edgenet.weights import LayerKind, LayerWeights, NetworkWeights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edgenet.export.graph import DeployedNetwork

FILE_NAME = "model.pt"
DEFAULT_OPSET: int | None = None

_DEPRECATED = r"`torch\.jit\.\w+` is (deprecated|not supported in Python 3\.14\+)"

_LAYERS: dict[str, LayerKind] = {
    "aten::_convolution": "conv",
    "aten::conv1d": "conv",
    "aten::conv2d": "conv",
    "aten::conv3d": "conv",
    "aten::linear": "linear",
}


def exporters(opset: int | None) -> tuple[str, ...]:  # noqa: ARG001 - the interface of a format
    """Return the one way to write it."""
    return ("trace",)


def write(
    network: DeployedNetwork,
    path: Path,
    *,
    batch: int | None,
    opset: int | None,  # noqa: ARG001 - part of the interface; DEFAULT_OPSET says there is none
    metadata: Mapping[str, Any],
    exporter: str | None = None,  # noqa: ARG001 - there is one
) -> Written:
    """Write ``network`` as one TorchScript file, its metadata as the extra file ``edgenet.json``.

    See :meth:`edgenet.export.format.Format.write`. Freezing is told not to touch numerics: it
    would merge neighbouring constants, and weights could no longer be compared one to one.

    Raises:
        NotPossible: The network cannot be traced.
    """
    with _deprecation_known(), torch.inference_mode(mode=False), torch.no_grad():
        try:
            traced = torch.jit.trace(network, (network.example(batch or 2),), check_trace=False)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise NotPossible(f"PyTorch cannot trace this network: {reason}") from error
        frozen = torch.jit.freeze(traced, optimize_numerics=False)
        text = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
        content = io.BytesIO()  # torch would report a full disk as an error of its own kind
        torch.jit.save(frozen, content, _extra_files={f"{METADATA_KEY}.json": text})
    path.write_bytes(_without_notes(content))
    return Written(tools={"torch": torch.__version__})


def stored_weights(path: Path) -> NetworkWeights:
    """Read the constants that the nodes of a TorchScript file use.

    Freezing keeps no names, so layers come without; their order is that of execution.

    Raises:
        CorruptFile: The file is not TorchScript.
    """
    try:
        with path.open("rb") as file:
            content = io.BytesIO(checked_archive(file))
    except FieldError as error:
        raise CorruptFile(f"{path} is not a TorchScript file: {error}") from error
    try:
        with _deprecation_known():
            graph = torch.jit.load(content, map_location="cpu").inlined_graph
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise CorruptFile(f"{path} is not a TorchScript file: {reason}") from error
    layers: list[LayerWeights] = []
    others: dict[str, NDArray[Any]] = {}
    for node in graph.nodes():
        inputs = list(node.inputs())
        kind = _LAYERS.get(node.kind())
        weight = _constant(inputs[1]) if kind is not None else None
        if kind is not None and weight is not None:
            place = f"{node.kind()} number {len(layers) + 1}"
            bias = _constant(inputs[2])
            layers.append(LayerWeights(name="", place=place, kind=kind, weight=weight, bias=bias))
            continue
        for value in inputs:
            constant = _constant(value)
            if constant is not None and constant.dtype.kind == "f":
                others[value.debugName()] = constant
    return NetworkWeights(layers=tuple(layers), others=others)


def _without_notes(content: io.BytesIO) -> bytes:
    """Return a TorchScript archive without its debugging notes: source paths of this machine.

    The reader does without them.
    """
    stripped = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(stripped, "w") as new:
        for member in old.infolist():
            if not member.filename.endswith(".debug_pkl"):
                fresh = zipfile.ZipInfo(member.filename)  # dated 1980, as all of torch's are
                new.writestr(fresh, old.read(member))
    return stripped.getvalue()


def _constant(value: torch._C.Value) -> NDArray[Any] | None:
    """Return the tensor that a value of the graph always has, or None."""
    node = value.node()
    if node.kind() != "prim::Constant" or value.type().kind() != "TensorType":
        return None
    array: NDArray[Any] = node.t("value").detach().contiguous().numpy()
    return array


@contextlib.contextmanager
def _deprecation_known() -> Iterator[None]:
    """Hold back the notes that TorchScript is deprecated, and nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED)
        yield
