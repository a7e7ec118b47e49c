"""The networks whose files are given faults: small, trained here on what the project has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from edgenet.errors import EdgenetError
from edgenet.models import OptionValue
from edgenet.workflows import (
    ExportArguments,
    QuantizeArguments,
    TrainArguments,
    export,
    quantize,
    train,
)
from edgenet.workflows.runs import Run
from tests.trained import write_mnist_part

MAX_DROP = 0.03  # 500 validation pictures can show it


@dataclass(frozen=True, kw_only=True)
class Network:
    """How one of them is made.

    Attributes:
        model: Name in the table of models.
        options: What differs from its own.
        epochs: Passes over 5,500 pictures of MNIST, or over the coloured squares.
        colour: Trained on coloured squares instead of MNIST.
    """

    model: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    epochs: int = 2
    colour: bool = False


NETWORKS = {
    "relu": Network(model="lenet5-relu"),
    "tanh": Network(model="lenet5"),
    "norm": Network(model="lenet5-relu", options={"batch_norm": True}),
    "l2": Network(model="lenet5-relu", options={"pooling": "lp"}),
    "padded": Network(model="lenet5-32"),
    "codes": Network(model="lenet5-1998", epochs=8),
    "residual": Network(model="resnet8", epochs=1),
    "mlp": Network(model="mlp-small"),
    "colour": Network(model="lenet5-relu", colour=True, epochs=4),
}


def trained(name: str, folder: Path, precisions: tuple[str, ...]) -> Run:
    """Train a network and export it, FP32 always; what is there already is left as it is.

    Args:
        name: In :data:`NETWORKS`.
        folder: Gets data and run.
        precisions: Of the bundles ``onnx-<precision>``.

    Raises:
        EdgenetError: A file did not pass its checks.
    """
    network = NETWORKS[name]
    run = Run(folder / "train" / name)
    if not run.best.is_file():
        arguments = TrainArguments(
            model=network.model,
            model_options=network.options,
            data=str(_data(folder, colour=network.colour)),
            training={"epochs": network.epochs},
            device="cpu",
            threads=1,
            project=folder,
            name=name,
            exist_ok=True,
        )
        run = Run(train(arguments).path)
    for precision in ("fp32", *precisions):
        if not (run.bundles / f"onnx-{precision}").is_dir():
            _export(run, precision)
    return run


def _export(run: Run, precision: str) -> None:
    if precision == "int8":
        passed = quantize(
            QuantizeArguments(source=run.path, max_drop=MAX_DROP, measure=False)
        ).bundle.passed
    else:
        drop = MAX_DROP if precision == "fp16" else None
        (bundle,) = export(
            ExportArguments(
                source=run.path, precision=precision, max_drop=drop, measure=precision != "fp16"
            )
        ).bundles
        passed = bundle.path is not None
    if not passed:
        raise EdgenetError(f"the {precision} file of {run.path} did not pass its own checks")


def _data(folder: Path, *, colour: bool) -> Path:
    place = folder / ("squares" if colour else "mnist-part")
    if place.is_dir():
        return place
    return _write_squares(place) if colour else write_mnist_part(place)


def _write_squares(folder: Path, *, each: int = 600, side: int = 28) -> Path:
    """Write pictures of a red, a green or a blue square on a grey ground, in a folder a class."""
    draw = np.random.Generator(np.random.PCG64(7))
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = draw.integers(60, 120, (side, side, 3), dtype=np.uint8)
            top, left = (int(value) for value in draw.integers(0, side - 12, 2))
            pixels[top : top + 12, left : left + 12, channel] = draw.integers(150, 256)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
