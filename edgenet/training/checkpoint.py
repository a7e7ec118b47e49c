"""Checkpoints: one safetensors file with the weights and all that is needed to use them.

The file's metadata holds one JSON text under ``edgenet``. A file that training can be resumed from
also has the optimizer's tensors and the best weights, each under a prefix. Nothing is ever pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from edgenet.errors import CorruptFile, UsageError
from edgenet.files import write_atomically
from edgenet.models import ModelSpec, build
from edgenet.runner.preprocess import Preprocessing
from edgenet.training.losses import LOSSES
from edgenet.training.recipe import Recipe
from edgenet.training.state import EpochRecord, TrainingState

SCHEMA = "edgenet.checkpoint/1"
_MOST_BYTES = 4 << 30
_PREFIXES = ("weights", "best", "optimizer")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained network on disk.

    Attributes:
        spec: The network.
        labels: Name of every class, in the order of the logits.
        preprocessing: How pictures become the network's input.
        data: Name of the data set, and the digest of each of its splits.
        recipe: How it was trained, as plain JSON values.
        metrics: What was measured of it, as plain JSON values.
        weights: Parameters and buffers by name.
        records: Epochs behind it.
        best_weights: Parameters and buffers of the best epoch; only in a file to resume from.
        optimizer: The optimizer's tensors; only in a file to resume from.
        parent: Model, data and digest of the checkpoint that training started from; mostly empty.
    """

    spec: ModelSpec
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    data: Mapping[str, str]
    recipe: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[EpochRecord, ...] = ()
    best_weights: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    parent: Mapping[str, str] = field(default_factory=dict)

    @property
    def probability(self) -> str:
        """How its logits become probabilities: ``softmax`` or ``sigmoid``, by the loss.

        Raises:
            CorruptFile: The recipe is none.
        """
        try:
            return LOSSES[Recipe.from_json(self.recipe).loss].probability
        except UsageError as error:
            raise CorruptFile(f"the checkpoint's recipe is not valid: {error.message}") from error

    def build(self) -> nn.Module:
        """Return the network with these weights, in evaluation mode.

        Raises:
            CorruptFile: The weights are not those of the network that the file names.
        """
        with torch.random.fork_rng(devices=[]):
            network = build(self.spec)
        try:
            network.load_state_dict(dict(self.weights))
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise CorruptFile(
                f"the weights do not fit model {self.spec.name!r}: {reason}"
            ) from error
        return network.eval()

    def state(self) -> TrainingState:
        """Return where training stood.

        Raises:
            UsageError: The file holds weights only.
        """
        if not self.optimizer:
            raise UsageError("this checkpoint cannot be resumed from: it holds weights only")
        return TrainingState(
            records=list(self.records),
            weights=dict(self.weights),
            best_weights=dict(self.best_weights),
            optimizer=dict(self.optimizer),
        )


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` whole or not at all.

    Raises:
        EdgenetError: The disk is full, or the folder cannot be written.
    """
    groups = (checkpoint.weights, checkpoint.best_weights, checkpoint.optimizer)
    tensors = {
        f"{prefix}/{name}": tensor.detach().cpu().contiguous().clone()
        for prefix, group in zip(_PREFIXES, groups, strict=True)
        for name, tensor in group.items()
    }
    description = {
        "schema": SCHEMA,
        "spec": checkpoint.spec.to_json(),
        "labels": list(checkpoint.labels),
        "preprocessing": checkpoint.preprocessing.to_json(),
        "data": dict(checkpoint.data),
        "recipe": dict(checkpoint.recipe),
        "metrics": dict(checkpoint.metrics),
        "records": [record.to_json() for record in checkpoint.records],
        "parent": dict(checkpoint.parent),
        "tensors_sha256": digest(tensors),
    }
    metadata = {"edgenet": json.dumps(description)}
    with write_atomically(path) as file:
        file.write(safetensors.torch.save(tensors, metadata))


def save_keeping_previous(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` and keep the file that was there under its :func:`previous_of` name."""
    if path.exists():
        spare = path.with_name(f".{path.name}-spare")
        with contextlib.suppress(FileNotFoundError):
            spare.unlink()
        try:
            os.link(path, spare)
        except OSError:  # a file system without hard links, such as FAT on a card
            spare = path
        spare.replace(previous_of(path))
    save(checkpoint, path)


def previous_of(path: Path) -> Path:
    """Return where the file before ``path`` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, checking that it is whole.

    Raises:
        UsageError: There is no such file.
        CorruptFile: It is damaged, not an edgenet checkpoint, or of a newer schema.
    """
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}")
    if path.stat().st_size > _MOST_BYTES:
        raise CorruptFile(f"{path} is larger than any checkpoint of edgenet")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CorruptFile(
            f"{path} is damaged or not a safetensors file: {error}",
            "train again, or use the previous file beside it",
        ) from error
    if "edgenet" not in metadata:
        raise CorruptFile(f"{path} is a safetensors file, but not a checkpoint of edgenet")
    try:
        return _parse(json.loads(metadata["edgenet"]), tensors)
    except CorruptFile as error:
        raise CorruptFile(f"{path}: {error.message}", error.hint) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CorruptFile(f"{path}: the description in it is not valid: {error!r}") from error


def _parse(description: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    if description["schema"] != SCHEMA:
        raise CorruptFile(
            f"schema {description['schema']!r} is not {SCHEMA!r}", "use the edgenet that wrote it"
        )
    if description["tensors_sha256"] != digest(tensors):
        raise CorruptFile("its tensors are not those that were written", "use another copy of it")
    groups: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in _PREFIXES}
    for key, tensor in tensors.items():
        prefix, name = key.split("/", 1)
        groups[prefix][name] = tensor
    spec = ModelSpec.from_json(description["spec"])
    labels = tuple(str(label) for label in description["labels"])
    if len(labels) != spec.classes:
        raise CorruptFile(f"it has {len(labels)} labels for {spec.classes} classes")
    description = {"parent": {}, **description}
    for table in ("data", "recipe", "metrics", "parent"):
        if not isinstance(description[table], dict):
            raise CorruptFile(f"{table} in its description is not a table")
    return Checkpoint(
        spec=spec,
        labels=labels,
        preprocessing=Preprocessing.from_json(description["preprocessing"]),
        data=description["data"],
        recipe=description["recipe"],
        metrics=description["metrics"],
        records=tuple(EpochRecord(**record) for record in description["records"]),
        weights=groups["weights"],
        best_weights=groups["best"],
        optimizer=groups["optimizer"],
        parent=description["parent"],
    )


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return SHA-256 over names, kinds, shapes and contents, in the order of names."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        sha256.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()
