"""The TorchScript format."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from edgenet.errors import CorruptFile
from edgenet.export import torchscript
from edgenet.export.graph import DeployedNetwork, deployed_weights
from edgenet.runner.preprocess import Preprocessing
from edgenet.verify.weights import differences
from tests.checkpoints import seeded

RULE = Preprocessing(
    mode="L", height=6, width=5, resize="stretch", mean=(0.1,), std=(0.2,), pad=1, polarity=None
)


def network() -> DeployedNetwork:
    """Return a small deployed network with batch normalisation."""
    return DeployedNetwork(seeded(_layers), RULE)


def _layers() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(90, 4)
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Write the small network; return the file."""
    path = tmp_path / "model.pt"
    torchscript.write(network(), path, batch=None, opset=None, metadata={"labels": ["é"]})
    return path


def test_the_metadata_are_an_extra_file_of_the_archive(written: Path) -> None:
    """Readable without torch."""
    with zipfile.ZipFile(written) as archive:
        assert json.loads(archive.read("archive/extra/edgenet.json")) == {"labels": ["é"]}


def test_no_path_of_this_machine_is_in_the_file(written: Path) -> None:
    """Tracing notes where each line of Python lies, which is dropped."""
    with zipfile.ZipFile(written) as archive:
        content = b"".join(archive.read(member) for member in archive.infolist())
    assert str(Path(torchscript.__file__).parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_the_weights_are_read_back_bit_for_bit(written: Path) -> None:
    """Freezing keeps no names, but every number."""
    assert differences(deployed_weights(network()), torchscript.stored_weights(written)) == ()


def test_a_weight_that_differs_is_named(written: Path) -> None:
    """By the layer that has its shape."""
    other = network()
    linear = other.get_submodule("network.4")
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight[2, 7] *= 1.01
    (line,) = differences(deployed_weights(other), torchscript.stored_weights(written))
    assert line.startswith("4.weight: 1 of 360 values differ, the first at [2, 7]")


def test_nothing_is_printed_and_nothing_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Warnings are errors here: the deprecation is known, and documented."""
    torchscript.write(network(), tmp_path / "m.pt", batch=4, opset=None, metadata={})
    assert capfd.readouterr() == ("", "")


def test_what_is_not_torchscript_is_a_corrupt_file(tmp_path: Path) -> None:
    """Never a traceback of torch's."""
    (tmp_path / "m.pt").write_bytes(b"PK no archive")
    with pytest.raises(CorruptFile, match=r"m\.pt"):
        torchscript.stored_weights(tmp_path / "m.pt")
