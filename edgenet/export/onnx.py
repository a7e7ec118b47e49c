"""The ONNX format, by PyTorch's ``torch.export``-based exporter.

One self-contained file. The exporter is known to write another opset than it was asked for and to
say so only in its log, so the opset is read back from the written graph.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
from typing import TYPE_CHECKING, Any

import onnx
import torch

from edgenet.errors import NotPossible
from edgenet.export import onnx_file, onnx_weights
from edgenet.export.format import Written
from edgenet.export.graph import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edgenet.export.graph import DeployedNetwork
    from edgenet.weights import NetworkWeights

logger = logging.getLogger(__name__)

FILE_NAME = "model.onnx"
DEFAULT_OPSET: int | None = 18

_EXPORTER_LOGGERS = ("torch.onnx", "torch.onnx._internal.exporter", "onnxscript", "onnx_ir")


def write(
    network: DeployedNetwork,
    path: Path,
    *,
    batch: int | None,
    opset: int | None,
    metadata: Mapping[str, Any],
) -> Written:
    """Write ``network`` as one ONNX file: ``input`` uint8 [N, C, H, W], ``logits`` float32 [N, K].

    See :meth:`edgenet.export.format.Format.write`.

    Raises:
        NotPossible: The exporter does not know an operator, or cannot write that opset.
    """
    wanted = opset if opset is not None else DEFAULT_OPSET
    model = onnx_file.tidy(_export(network, batch=batch, opset=wanted), PREFIX)
    written = onnx_file.opset_of(model)
    if written != wanted:
        raise NotPossible(
            f"torch {torch.__version__} wrote ONNX opset {written} where {wanted} was asked for",
            f"ask for --opset {written}, which this network and this torch can be written in",
        )
    about = "An image classifier exported by edgenet: raw pixels in, logits out."
    onnx_file.write(model, path, about=about, metadata=metadata)
    final = onnx_file.read(path)
    return Written(
        options={"opset": onnx_file.opset_of(final), "ir_version": final.ir_version},
        tools={
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxscript": importlib.metadata.version("onnxscript"),
        },
    )


def stored_weights(path: Path) -> NetworkWeights:
    """Read the weights that the nodes of an ONNX file use.

    Raises:
        CorruptFile: The file is not valid ONNX.
    """
    return onnx_weights.weights_of(onnx_file.read(path))


def _export(network: DeployedNetwork, *, batch: int | None, opset: int | None) -> onnx.ModelProto:
    """Run the exporter; with a free batch its example has 2 pictures, since it freezes a 1."""
    free = ({0: torch.export.Dim("N")},) if batch is None else None
    try:
        with _muted():
            program: Any = torch.onnx.export(
                network,
                (network.example(batch or 2),),
                dynamo=True,
                external_data=False,
                dynamic_shapes=free,
                input_names=["input"],
                output_names=["logits"],
                opset_version=opset,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = onnx_file.first_line(error.__cause__ or error)
        raise NotPossible(
            f"PyTorch's exporter cannot write this network as ONNX: {reason}",
            "another --format may take it; --format torchscript needs no operator set",
        ) from error
    model: onnx.ModelProto = program.model_proto
    return model


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Keep the exporter's chatter off stdout, and off stderr its warnings, which we check for."""
    chatter = io.StringIO()
    loggers = [logging.getLogger(name) for name in _EXPORTER_LOGGERS]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(chatter):
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        if chatter.getvalue():
            logger.debug("the exporter said: %s", chatter.getvalue())
