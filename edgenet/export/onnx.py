"""The ONNX format, by either of PyTorch's exporters.

One self-contained file, whose names follow from the network alone. Opset and IR version are what
was asked for: both are read back from the written file, since an exporter is known to write another
opset than it was asked for and to say so only in its log.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import onnx
import torch

from edgenet.errors import NotPossible
from edgenet.export import onnx_file, onnx_weights
from edgenet.export.format import Written
from edgenet.export.graph import PREFIX
from edgenet.export.onnx_exporters import exporters_for, run_exporter
from edgenet.targets import ir_version_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgenet.export.graph import DeployedNetwork
    from edgenet.weights import NetworkWeights

FILE_NAME = "model.onnx"
_DEFAULT = 18
DEFAULT_OPSET: int | None = _DEFAULT


def exporters(opset: int | None) -> tuple[str, ...]:
    """Return the exporters for an opset, the one that writes it of itself first."""
    return exporters_for(_DEFAULT if opset is None else opset)


def write(
    network: DeployedNetwork,
    path: Path,
    *,
    batch: int | None,
    opset: int | None,
    metadata: Mapping[str, Any],
    exporter: str | None = None,
) -> Written:
    """Write ``network`` as one ONNX file: ``input`` [N, C, H, W], ``logits`` float32 [N, K].

    See :meth:`edgenet.export.format.Format.write`.

    Raises:
        UsageError: There is no such opset.
        NotPossible: The exporter does not know an operator, or cannot write that opset.
    """
    wanted = _DEFAULT if opset is None else opset
    ir_version = ir_version_of(wanted)
    name = exporter or exporters_for(wanted)[0]
    model = run_exporter(name, network, batch=batch, opset=wanted)
    modules, tensors = dict(network.named_modules()), network.state_dict()
    model = onnx_file.tidy(model, PREFIX, modules=modules, tensors=tensors)
    _check_opset(model, name, wanted)
    model.ir_version = ir_version
    about = "An image classifier exported by edgenet: raw pixels in, logits out."
    onnx_file.write(model, path, about=about, metadata=metadata)
    final = onnx_file.read(path)
    _check_batch(final, name, batch)
    return Written(
        options={
            "opset": onnx_file.opset_of(final),
            "ir_version": final.ir_version,
            "exporter": name,
        },
        tools={
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxscript": importlib.metadata.version("onnxscript"),
        },
    )


def _check_opset(model: onnx.ModelProto, name: str, asked: int) -> None:
    """Refuse another opset than was asked for, which an exporter writes and says nothing of.

    Raises:
        NotPossible: It is another.
    """
    found = onnx_file.opset_of(model)
    if found != asked:
        raise NotPossible(
            f"{_who(name)} wrote ONNX opset {found} where {asked} was asked for",
            f"use --exporter {exporters_for(asked)[0]}, or --opset {found}",
        )


def _check_batch(model: onnx.ModelProto, name: str, asked: int | None) -> None:
    """Refuse a batch that is fixed or free where it was not asked for, at either end of the graph.

    Raises:
        NotPossible: It is another, such as that of the example where ``forward`` looks at the size.
    """
    for value in (*model.graph.input, *model.graph.output):
        found = value.type.tensor_type.shape.dim[0].dim_value or None
        if found != asked:
            wanted = "a free batch" if asked is None else f"a batch of {asked}"
            raise NotPossible(
                f"{_who(name)} wrote {value.name} for a batch of {found or 'any size'} where "
                f"{wanted} was asked for",
                "write forward() without the size of the batch as a Python number"
                + (", or fix it with --batch" if asked is None else ""),
            )


def _who(name: str) -> str:
    return f"the {name} exporter of torch {torch.__version__}"


def stored_weights(path: Path) -> NetworkWeights:
    """Read the weights that the nodes of an ONNX file use.

    Raises:
        CorruptFile: The file is not valid ONNX.
    """
    return onnx_weights.weights_of(onnx_file.read(path))
