"""PyTorch's two exporters to ONNX: which to use for an opset, and how to call them.

``dynamo`` is the one on ``torch.export``. It writes opset 18 and later, and is known to keep 18
where an earlier one was asked for. ``torchscript`` is the older one on ``torch.jit.trace``. It
writes any opset that a board of today may need, and PyTorch will remove it some day.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import onnx
import torch

from edgenet.errors import NotPossible
from edgenet.export import onnx_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgenet.export.graph import DeployedNetwork

logger = logging.getLogger(__name__)

DYNAMO = "dynamo"
TORCHSCRIPT = "torchscript"

_OLDEST_OF_DYNAMO = 18
_LOGGERS = (
    "torch.onnx",
    "torch.onnx._internal.exporter",
    "torch._guards",
    "torch.export",
    "torch.fx",
    "onnxscript",
    "onnx_ir",
)
_REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError)
"""What an exporter raises of a network that it cannot write; its own errors are the first kind."""

_KNOWN_WARNINGS = (
    (DeprecationWarning, r"You are using the legacy TorchScript-based ONNX export"),
    (DeprecationWarning, r"The feature will be removed"),
    (UserWarning, r"Constant folding - Only steps=1 can be constant folded"),
    (DeprecationWarning, r"`torch\.jit\.\w+` is (deprecated|not supported in Python 3\.14\+)"),
)


def exporters_for(opset: int) -> tuple[str, ...]:
    """Return the exporters for an opset, the one that writes it of itself first."""
    return (DYNAMO, TORCHSCRIPT) if opset >= _OLDEST_OF_DYNAMO else (TORCHSCRIPT, DYNAMO)


def run_exporter(
    name: str, network: DeployedNetwork, *, batch: int | None, opset: int
) -> onnx.ModelProto:
    """Export a network as an exporter does it; with a free batch it is traced with 2 pictures.

    An example of one picture would freeze the batch at 1.

    Args:
        name: ``dynamo`` or ``torchscript``.
        network: Takes ``input``, gives ``logits``.
        batch: The only batch size; None leaves it free.
        opset: What is asked for; what is written may be another.

    Raises:
        NotPossible: The exporter does not know an operator or the opset.
    """
    call = _dynamo if name == DYNAMO else _torchscript
    try:
        with _muted():
            return call(network, network.example(batch or 2), batch is None, opset)
    except _REFUSALS as error:
        reason = onnx_file.first_line(_first_cause(error))
        raise NotPossible(
            f"PyTorch's {name} exporter cannot write this network as ONNX of opset {opset}: "
            f"{reason}",
            "another --exporter, --opset or --format may take it; --format torchscript has no "
            "opset",
        ) from error


def _first_cause(error: BaseException) -> BaseException:
    """Return what an exporter's error came of: it says what is not known, the error says where."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _dynamo(
    network: DeployedNetwork, example: torch.Tensor, free: bool, opset: int
) -> onnx.ModelProto:
    program: Any = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        external_data=False,
        dynamic_shapes=({0: torch.export.Dim("N")},) if free else None,
        input_names=["input"],
        output_names=["logits"],
        opset_version=opset,
        verbose=False,
    )
    model: onnx.ModelProto = program.model_proto
    return model


def _torchscript(
    network: DeployedNetwork, example: torch.Tensor, free: bool, opset: int
) -> onnx.ModelProto:
    content = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        content,  # type: ignore[arg-type] # takes an open file, too
        dynamo=False,
        dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}} if free else None,
        input_names=["input"],
        output_names=["logits"],
        opset_version=opset,
        do_constant_folding=False,  # edgenet.export.onnx_fold does it, and leaves weights alone
        verbose=False,
    )
    return onnx.load_model_from_string(content.getvalue())


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Keep the exporters' chatter off stdout, and off stderr their warnings, which we check for.

    Some of it is written by native code, past Python's ``sys.stdout``.
    """
    chatter = io.StringIO()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with (
            _native_stdout_to(chatter),
            contextlib.redirect_stdout(chatter),
            warnings.catch_warnings(),
        ):
            for category, message in _KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        if chatter.getvalue():
            logger.debug("the exporter said: %s", chatter.getvalue())


@contextlib.contextmanager
def _native_stdout_to(chatter: io.StringIO) -> Iterator[None]:
    """Lead what is written to descriptor 1 into ``chatter``; nothing is done where it is closed."""
    try:
        own = os.dup(1)
    except OSError:
        yield
        return
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        with tempfile.TemporaryFile() as taken:
            os.dup2(taken.fileno(), 1)
            try:
                yield
            finally:
                os.dup2(own, 1)
                taken.seek(0)
                chatter.write(taken.read().decode(errors="replace"))
    finally:
        os.close(own)
