"""What holds for every format and every model of the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgenet.export import TABLE, load_format
from edgenet.models import TABLE as MODELS
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import open_inference
from edgenet.runner.runtimes import for_format
from edgenet.verify.metadata import embedded_metadata
from edgenet.workflows._export import ExportArguments, export
from tests.checkpoints import write_checkpoint, write_random_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.mark.parametrize("format", TABLE)
def test_every_format_offers_the_interface_and_has_a_runtime(format: str) -> None:
    """What is written must be runnable somewhere."""
    module = load_format(format)
    assert Path(module.FILE_NAME).name == module.FILE_NAME
    assert module.DEFAULT_OPSET is None or module.DEFAULT_OPSET >= 1
    assert callable(module.write)
    assert callable(module.stored_weights)
    assert for_format(format)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("format", TABLE)
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
