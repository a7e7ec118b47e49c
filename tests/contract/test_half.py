"""What holds for the FP16 file of every model of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edgenet.models import TABLE as MODELS
from edgenet.models import OptionValue
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import open_inference
from edgenet.workflows._export import ExportArguments, export
from edgenet.workflows._verify import VerifyArguments, verify
from tests.checkpoints import write_checkpoint, write_random_data, write_random_pictures
from tests.contract.test_formats import OPTIONS
from tests.networks import networks

WITHIN = 0.25
"""What the 20 validation pictures and more of these tests can show not to be lost."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random pictures."""
    return write_random_data(tmp_path_factory.mktemp("data") / "idx", train=300)


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of random colour pictures, 64×64, of three classes."""
    return write_random_pictures(tmp_path_factory.mktemp("data") / "colour", each=80)


def _half(checkpoint: Path) -> Path:
    """Export in FP16, and return the bundle that passed its gate and every check."""
    arguments = ExportArguments(source=checkpoint, half=True, max_drop=WITHIN, measure=False)
    (exported,) = export(arguments).bundles
    assert exported.half is not None
    bundle = exported.half.bundle
    assert exported.path is not None, (bundle.gate.describe(), bundle.verification.failures)
    assert {check.status for check in bundle.verification.checks} == {"ok"}
    return exported.path


@pytest.mark.parametrize("model", networks(MODELS))
def test_every_model_is_exported_in_fp16_and_verifies(
    model: str, data: Path, tmp_path: Path
) -> None:
    """FP16 weights alone, raw pixels in and float32 logits out, a free batch."""
    path = _half(write_checkpoint(tmp_path / f"{model}.safetensors", data, model=model))
    bundle = open_bundle(path)
    assert (path.name, bundle.manifest.precision) == ("onnx-fp16", "fp16")
    graph = onnx.load(bundle.model_path).graph
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    assert floats == {"pixel_offset", "pixel_scale"}
    parent = open_bundle(path.parent / "onnx-fp32")
    assert bundle.model_bytes < parent.model_bytes

    inference = open_inference(bundle)
    pictures = bundle.golden()["inputs"][:3]
    together = inference.logits(pictures)
    alone = np.concatenate([inference.logits(picture[None]) for picture in pictures])
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together.argmax(axis=1), alone.argmax(axis=1))

    result = verify(VerifyArguments(bundle=path, data=str(data)))
    assert result.passed, result.verification.failures


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_colour_pictures_is_exported_in_fp16(
    model: str, colour: Path, tmp_path: Path
) -> None:
    """Three channels, 64×64, three classes."""
    _half(write_checkpoint(tmp_path / f"{model}.safetensors", colour, model=model))


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options["pooling"]))
def test_every_option_of_the_lenet_family_is_exported_in_fp16(
    options: dict[str, OptionValue], data: Path, tmp_path: Path
) -> None:
    """Bounds of a division and a root that FP16 cannot tell from 0 among them."""
    _half(write_checkpoint(tmp_path / "student.safetensors", data, options=options))
