"""Calling PyTorch's exporters: their names, what they print and raise, a batch that they freeze."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from edgenet.errors import NotPossible
from edgenet.export import onnx as onnx_format
from edgenet.export.graph import DeployedNetwork
from edgenet.runner.preprocess import Preprocessing

RULE = Preprocessing(
    mode="L", height=4, width=4, resize="stretch", mean=(0.1,), std=(0.2,), polarity=None
)
EXPORTERS = ("dynamo", "torchscript")


class Bessel(nn.Module):
    """Computes what neither exporter knows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits [N, 16]."""
        found: torch.Tensor = torch.special.bessel_j0(images)
        return found.flatten(1)


class Counted(nn.Module):
    """Takes the size of the batch as a Python number."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits [N, 16]."""
        return images.reshape(int(images.shape[0]), -1)


class CalledAgain(nn.Module):
    """Calls a layer three times, and has one whose name ends as an exporter would number it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.act_1 = nn.ReLU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits [N, 4]."""
        for _ in range(3):
            images = self.act_1(self.conv(images))
        logits: torch.Tensor = images.mean(2).reshape(-1, 4)
        return logits


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_names_follow_from_the_network_and_not_from_the_exporter(
    tmp_path: Path, exporter: str
) -> None:
    """Each numbers in its own way what is called again, and what it stores beside the weights."""
    path = tmp_path / "model.onnx"
    network = DeployedNetwork(CalledAgain(), RULE)
    onnx_format.write(network, path, batch=None, opset=18, metadata={}, exporter=exporter)
    graph = onnx.load(path).graph
    layers = [node.name for node in graph.node if node.op_type in ("Conv", "Relu")]
    assert layers == [
        *("conv/Conv", "act_1/Relu", "conv/Conv_2", "act_1/Relu_2", "conv/Conv_3", "act_1/Relu_3")
    ]
    readers = {name: node.name for node in graph.node for name in node.input}
    weights = {"conv.weight", "conv.bias", "pixel_offset", "pixel_scale"}
    others = {tensor.name for tensor in graph.initializer} - weights
    assert len(others) == len(graph.initializer) - len(weights)
    assert all(name.rpartition(".")[0] == readers[name] for name in others)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_reason_is_what_is_not_known_and_nothing_is_printed(
    tmp_path: Path, exporter: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One of them prints its graph from native code, where --json has one object to print."""
    network = DeployedNetwork(Bessel(), RULE)
    with pytest.raises(NotPossible, match=rf"{exporter} exporter .* opset 18: .*bessel_j0"):
        onnx_format.write(
            network, tmp_path / "m", batch=1, opset=18, metadata={}, exporter=exporter
        )
    assert capfd.readouterr() == ("", "")
    print("as before")
    assert capfd.readouterr().out == "as before\n"


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_batch_that_the_example_froze_is_refused(tmp_path: Path) -> None:
    """It is free at the input and fixed behind it, where a runtime would find it later."""
    network = DeployedNetwork(Counted(), RULE)
    with pytest.raises(NotPossible, match="logits for a batch of 2 where a free") as refusal:
        onnx_format.write(
            network, tmp_path / "m", batch=None, opset=18, metadata={}, exporter="torchscript"
        )
    assert "--batch" in str(refusal.value.hint)
