"""``inspect`` and ``models``: what a network consists of, before or after training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edgenet.errors import UsageError
from edgenet.models import ModelSpec, OptionValue, names, variant
from edgenet.workflows._resolve import Kind, Resolved, resolve

if TYPE_CHECKING:
    from edgenet.models.summary import Summary


_BASELINE = "mlp"
"""The fully connected network whose size every other one is compared with."""


@dataclass(frozen=True, kw_only=True)
class InspectArguments:
    """What to look into.

    Attributes:
        source: A model's name, a run, a checkpoint or a bundle.
        model_options: What differs from a named model's own options.
        in_channels: Channels of the pictures, for a named model.
        image_size: Side of the pictures in pixels, for a named model.
        classes: Number of classes, for a named model.
    """

    source: str
    model_options: Mapping[str, OptionValue] = field(default_factory=dict)
    in_channels: int = 1
    image_size: int = 28
    classes: int = 10


@dataclass(frozen=True, kw_only=True)
class InspectResult:
    """A network's layer table, and what is known of its file.

    Attributes:
        source: As it was asked for.
        kind: What it turned out to be.
        summary: Layers and totals; None for a bundle of a foreign network.
        baseline: The network whose parameters are compared with.
        share_of_baseline: Parameters as a share of its, for the same pictures and classes, from 0
            up; None without a summary.
        facts: What the checkpoint or the manifest says beside it, as plain JSON values.
    """

    source: str
    kind: str
    summary: Summary | None
    baseline: str
    share_of_baseline: float | None
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        table = self.summary.to_json() if self.summary else None
        return {
            "source": self.source,
            "kind": self.kind,
            "network": table,
            "baseline": self.baseline,
            "share_of_baseline": self.share_of_baseline,
            "facts": self.facts,
        }


def inspect(arguments: InspectArguments) -> InspectResult:
    """Describe a network layer by layer: shapes, parameters, MACs and receptive fields.

    Raises:
        UsageError: The source is none that has layers, or an option is not acceptable.
        CorruptFile: The checkpoint or the bundle is damaged.
    """
    from edgenet.models.summary import summarise

    accepted = (Kind.MODEL, Kind.RUN, Kind.CHECKPOINT, Kind.BUNDLE)
    resolved = resolve(arguments.source, accept=accepted)
    if resolved.kind is not Kind.MODEL and arguments.model_options:
        raise UsageError("model options belong to a model's name; a trained network has its own")
    spec, facts = _read(resolved, arguments)
    summary, share = None, None
    if spec:
        summary = summarise(spec)
        share = summary.parameters / summarise(replace(spec, name=_BASELINE, options={})).parameters
    return InspectResult(
        source=arguments.source,
        kind=resolved.kind.value,
        summary=summary,
        baseline=_BASELINE,
        share_of_baseline=share,
        facts=facts,
    )


def _read(
    resolved: Resolved, arguments: InspectArguments
) -> tuple[ModelSpec | None, dict[str, Any]]:
    """Return the spec of what was named, and the facts beside it."""
    if resolved.kind is Kind.MODEL:
        row = variant(arguments.source)
        spec = ModelSpec(
            name=arguments.source,
            options=arguments.model_options,
            in_channels=arguments.in_channels,
            image_size=(arguments.image_size, arguments.image_size),
            classes=arguments.classes,
        )
        return spec, {"about": row.about, "source": row.source}
    if resolved.kind is Kind.BUNDLE:
        from edgenet.runner.bundle import open_bundle

        bundle = open_bundle(resolved.path)
        parent = bundle.manifest.parent
        return ModelSpec.from_json(parent.spec) if parent else None, bundle.manifest.to_json()
    from edgenet.training.checkpoint import load

    checkpoint = load(resolved.checkpoint)
    facts = {
        "labels": list(checkpoint.labels),
        "preprocessing": checkpoint.preprocessing.to_json(),
        "data": dict(checkpoint.data),
        "recipe": dict(checkpoint.recipe),
        "metrics": dict(checkpoint.metrics),
        "bytes": resolved.checkpoint.stat().st_size,
    }
    return checkpoint.spec, facts


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One row of the table of models, for 28×28 grey pictures of ten classes.

    Attributes:
        name: What ``--model`` takes.
        parameters: Trainable numbers.
        macs: Multiply–accumulates an image.
        float32_bytes: Bytes of the parameters as float32.
        about: One line.
    """

    name: str
    parameters: int
    macs: int
    float32_bytes: int
    about: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))


def list_models() -> tuple[ModelRow, ...]:
    """List every model of the table with what it costs."""
    from edgenet.models.summary import summarise

    rows = []
    for name in names():
        summary = summarise(ModelSpec(name=name))
        rows.append(
            ModelRow(
                name=name,
                parameters=summary.parameters,
                macs=summary.macs,
                float32_bytes=summary.float32_bytes,
                about=variant(name).about,
            )
        )
    return tuple(rows)
