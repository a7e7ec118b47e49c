"""What holds for every format and every model of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgenet.export import TABLE, load_format
from edgenet.export.graph import DeployedNetwork, deployed_weights
from edgenet.models import TABLE as MODELS
from edgenet.models import ModelSpec, OptionValue, build
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.preprocess import Preprocessing
from edgenet.runner.runtimes import for_format
from edgenet.verify.metadata import embedded_metadata
from edgenet.verify.weights import differences
from edgenet.workflows._export import ExportArguments, export
from tests.bundles import NO_PT2, pt2_is_impossible
from tests.checkpoints import seeded, write_checkpoint, write_random_data, write_random_pictures
from tests.networks import marked

OPTIONS: tuple[dict[str, OptionValue], ...] = (
    {"pooling": "lp", "activation": "scaled-tanh", "attention": "se", "batch_norm": True},
    {"pooling": "stochastic", "attention": "cbam", "head": "global-average", "dropout": 0.5},
    {"pooling": "max", "head": "convolution", "widths": [20], "last_activation": "sigmoid"},
)
"""Every value of the LeNet family's options that no model of the table has."""


QUICK = ("lenet5-1998", "teacher")
"""Exported with ``torch.export`` by default: the models with most operators of their own."""


def _pairs(quick: tuple[str, ...]) -> Iterator[Any]:
    """Yield every format with every model.

    Models that another stands for are left to the slow tests. For ``torch.export`` these are all
    but a few: exporting one takes several times as long as tracing it.
    """
    for format in TABLE:
        for model in MODELS:
            marks = [*MARKS[format], *marked(model)]
            if format == "pt2" and model not in quick:
                marks.append(pytest.mark.slow)
            yield pytest.param(format, model, marks=marks)


MARKS: dict[str, list[pytest.MarkDecorator]] = {format: [] for format in TABLE}
MARKS["pt2"].append(pytest.mark.skipif(pt2_is_impossible(), reason=NO_PT2))
FORMATS = [pytest.param(format, marks=marks) for format, marks in MARKS.items()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random colour pictures, 64×64, of three classes."""
    return write_random_pictures(tmp_path_factory.mktemp("data") / "colour")


@pytest.mark.parametrize("format", TABLE)
def test_every_format_offers_the_interface_and_has_a_runtime(format: str) -> None:
    """What is written must be runnable somewhere."""
    module = load_format(format)
    assert Path(module.FILE_NAME).name == module.FILE_NAME
    assert module.DEFAULT_OPSET is None or module.DEFAULT_OPSET >= 1
    assert callable(module.write)
    assert callable(module.stored_weights)
    assert for_format(format)


@pytest.mark.parametrize(("format", "model"), list(_pairs(quick=QUICK)))
def test_every_model_is_exported_to_every_format_with_parity(
    format: str, model: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Untrained weights, random pictures: equal decisions, errors within the bound, no chatter.

    Then the batch is really free, and the file says of itself what the manifest says.
    """
    checkpoint = write_checkpoint(tmp_path / f"{model}.safetensors", data, model=model)
    (exported,) = export(ExportArguments(source=checkpoint, formats=(format,))).bundles
    assert exported.verification is not None
    assert exported.path is not None, exported.verification.failures
    assert {check.status for check in exported.verification.checks} == {"ok"}
    assert capfd.readouterr() == ("", "")

    bundle = open_bundle(exported.path)
    embedded = embedded_metadata(bundle.model_path)
    assert embedded is not None
    assert embedded["labels"] == list(bundle.manifest.labels)

    inference = open_inference(bundle)
    pictures = bundle.golden()["inputs"][:3]
    together = inference.logits(pictures)
    alone = np.concatenate([inference.logits(picture[None]) for picture in pictures])
    assert together.shape == alone.shape == (3, 10)
    np.testing.assert_array_equal(together.argmax(axis=1), alone.argmax(axis=1))


@pytest.mark.parametrize(("format", "model"), list(_pairs(quick=("cnn3",))))
def test_every_model_of_colour_pictures_is_exported_to_every_format_with_parity(
    format: str, model: str, colour: Path, tmp_path: Path
) -> None:
    """Three channels, 64×64, three classes: weights, decisions and logits as for MNIST's shape."""
    checkpoint = write_checkpoint(tmp_path / f"{model}.safetensors", colour, model=model)
    (exported,) = export(ExportArguments(source=checkpoint, formats=(format,))).bundles
    assert exported.verification is not None
    assert exported.path is not None, exported.verification.failures


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_caught_with_a_changed_number_of_a_layer_of_another_form(
    format: str, tmp_path: Path
) -> None:
    """A connection that the table has not, one of four equal gains, a bias, a pixel of a code."""
    spec = ModelSpec(name="lenet5-1998")
    rule = Preprocessing(
        mode="L", height=28, width=28, mean=(0.1,), std=(0.3,), resize="stretch", pad=2
    )
    changed = {
        "features.c3.weight": (0, 5, 2, 2),
        "features.s2.weight": (3, 0, 1, 0),
        "features.s4.bias": (7,),
        "classifier.output.codes": (9, 83),
    }
    expected, other = (DeployedNetwork(seeded(lambda: build(spec)), rule) for _ in range(2))
    for name, place in changed.items():
        numbers = other.network.state_dict()[name]
        numbers[place] = torch.nextafter(numbers[place], torch.tensor(2.0))
    module = load_format(format)
    path = tmp_path / module.FILE_NAME
    module.write(other, path, batch=None, opset=module.DEFAULT_OPSET, metadata={})
    found = differences(deployed_weights(expected), module.stored_weights(path))
    assert {line.split(":")[0] for line in found} == set(changed)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options["pooling"]))
@pytest.mark.parametrize("format", FORMATS)
def test_every_option_of_the_lenet_family_is_exported_to_every_format_with_parity(
    format: str, options: dict[str, OptionValue], data: Path, tmp_path: Path
) -> None:
    """Poolings, heads and attention blocks have operators in every format."""
    checkpoint = write_checkpoint(tmp_path / "student.safetensors", data, options=options)
    (exported,) = export(ExportArguments(source=checkpoint, formats=(format,))).bundles
    assert exported.verification is not None
    assert exported.path is not None, exported.verification.failures
