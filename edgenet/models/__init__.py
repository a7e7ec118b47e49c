"""The table of models, and building a network from its spec.

A model is one :class:`Variant` in one file and one line in :data:`TABLE`. Other packages add theirs
with an entry point of the group ``edgenet.models``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING

from edgenet.errors import unknown_name
from edgenet.models.spec import ModelSpec, OptionValue, Variant

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "AUTO",
    "DEFAULT",
    "TABLE",
    "ModelSpec",
    "OptionValue",
    "Variant",
    "build",
    "names",
    "variant",
]

DEFAULT = "lenet5-relu"
AUTO = "auto"
"""In the place of a name: that of the checkpoint that training starts from, else the default."""

TABLE = {
    "mlp": "edgenet.models.mlp:MLP",
    "mlp-small": "edgenet.models.mlp:MLP_SMALL",
    "simple-cnn": "edgenet.models.cnn:SIMPLE_CNN",
    "lenet5": "edgenet.models.lenet:LENET5",
    "lenet5-relu": "edgenet.models.lenet:LENET5_RELU",
    "lenet5-32": "edgenet.models.lenet:LENET5_32",
    "lenet5-conv": "edgenet.models.lenet:LENET5_CONV",
    "lenet5-1998": "edgenet.models.lenet_1998:LENET5_1998",
    "lenet5-d2l": "edgenet.models.lenet:LENET5_D2L",
    "lenet5-17k": "edgenet.models.students:LENET5_17K",
    "lenet5-5k": "edgenet.models.students:LENET5_5K",
    "lenet5-3k": "edgenet.models.students:LENET5_3K",
    "lenet5-2k": "edgenet.models.students:LENET5_2K",
    "lenet-caffe": "edgenet.models.lenet:LENET_CAFFE",
    "cnn3": "edgenet.models.cnn:CNN_3",
    "teacher": "edgenet.models.residual:TEACHER",
    "resnet8": "edgenet.models.residual:RESNET_8",
}


def names() -> tuple[str, ...]:
    """Return every name that :func:`variant` understands, those of other packages included."""
    return (*TABLE, *(point.name for point in _entry_points()))


def variant(name: str) -> Variant:
    """Look a model up by name.

    Raises:
        UsageError: No model has that name; the hint has the nearest one.
    """
    reference = TABLE.get(name)
    if reference is None:
        for point in _entry_points():
            if point.name == name:
                row: Variant = point.load()
                return row
        raise unknown_name("model", name, names())
    module, attribute = reference.split(":")
    found: Variant = getattr(importlib.import_module(module), attribute)
    return found


def build(spec: ModelSpec) -> nn.Module:
    """Build the network of ``spec`` with fresh weights, drawn from torch's global generator.

    Returns:
        A module from normalised float32 [N, C, H, W] (padded, where the model asks for padding)
        to logits [N, classes].

    Raises:
        UsageError: The name or an option is unknown, or the pictures are too small for it.
    """
    return variant(spec.name).build(spec)


def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group="edgenet.models"))
