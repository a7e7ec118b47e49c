"""Writing a trained network for machines that only run it: the table of formats.

A format is one file (see :class:`edgenet.export.format.Format`) and one line in :data:`TABLE`.
:data:`ENGINES` are not written from the network but built from its ONNX file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from edgenet.errors import unknown_name

if TYPE_CHECKING:
    from edgenet.export.format import Format

__all__ = ["ALIASES", "DEFAULT", "ENGINES", "TABLE", "canonical_name", "load_format"]

DEFAULT = "onnx"

TABLE = {
    "onnx": "edgenet.export.onnx",
    "torchscript": "edgenet.export.torchscript",
    "pt2": "edgenet.export.pt2",
}

ENGINES = ("engine", "rtx")
"""TensorRT's, and those of TensorRT for RTX."""

ALIASES = {"ts": "torchscript", "jit": "torchscript", "trt": "engine", "tensorrt": "engine"}


def canonical_name(name: str) -> str:
    """Return the table's name of a format, given that name or an alias in any case.

    Raises:
        UsageError: No format has that name; the hint has the nearest one.
    """
    lowered = name.lower()
    canonical = ALIASES.get(lowered, lowered)
    if canonical not in TABLE and canonical not in ENGINES:
        raise unknown_name("format", name, (*TABLE, *ENGINES, *ALIASES))
    return canonical


def load_format(name: str) -> Format:
    """Import the module that writes a format.

    Raises:
        UsageError: No format has that name.
    """
    return cast("Format", importlib.import_module(TABLE[canonical_name(name)]))
