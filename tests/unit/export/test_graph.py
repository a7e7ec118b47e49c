"""The network as it is deployed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgenet.errors import NotPossible
from edgenet.export.graph import (
    DeployedNetwork,
    deployed_form,
    deployed_weights,
    reference_logits,
)
from edgenet.models.lenet_1998 import TableConv2d
from edgenet.runner.preprocess import Preprocessing
from edgenet.verify.parity import compare, relative_bound
from tests.checkpoints import seeded


def preprocessing(*, channels: int = 1, side: int = 8, pad: int = 0) -> Preprocessing:
    """Return the preprocessing of square pictures."""
    return Preprocessing(
        mode="L" if channels == 1 else "RGB",
        height=side,
        width=side,
        mean=(0.1307, 0.4, 0.9)[:channels],
        std=(0.3081, 0.2, 0.5)[:channels],
        resize="stretch",
        pad=pad,
        polarity=None,
    )


def pictures(*shape: int) -> NDArray[np.uint8]:
    """Return random pictures, uint8."""
    return np.random.Generator(np.random.PCG64(0)).integers(0, 256, shape, dtype=np.uint8)


def conv_norm() -> nn.Module:
    """Return convolution and normalisation, without and with bias, and a linear pair."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(64, 6),
        nn.BatchNorm1d(6),
        nn.Linear(6, 3),
    )


class NormFirst(nn.Module):
    """Has normalisation that cannot be folded: before a layer, and of a value used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.BatchNorm2d(1)
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(144, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Add what was normalised to what was not."""
        raw = self.conv(self.before(images))
        logits: Tensor = self.head((self.norm(raw) + raw).flatten(1))
        return logits


class Branching(nn.Module):
    """Looks at values to choose its way, which no tracer follows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        """Skip the normalisation of dark pictures."""
        maps: Tensor = self.conv(images)
        if maps.sum() > 0:
            maps = self.norm(maps)
        return maps.mean((2, 3))


@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_deployed_network_answers_as_the_trained_one(channels: int, pad: int) -> None:
    """Pixels, padding, two ways to normalise, in one and three channels."""
    side = 8 + 2 * pad
    network = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, 5)))
    rule = preprocessing(channels=channels, pad=pad)
    images = pictures(20, channels, 8, 8)
    deployed = DeployedNetwork(network, rule)
    with torch.no_grad():
        found = deployed(torch.from_numpy(images)).numpy()
    bound = relative_bound(channels * side**2)
    assert compare(reference_logits(network, rule, images), found, bound).passed


def test_padding_is_of_raw_pixels_so_that_it_is_black() -> None:
    """A padded pixel is (0 − mean)/std after normalisation, not 0."""
    network = nn.Flatten()
    deployed = DeployedNetwork(network, preprocessing(side=1, pad=1))
    values = deployed(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))[0]
    assert values[0].item() == pytest.approx(-0.1307 / 0.3081, rel=1e-6)
    assert values[4].item() == pytest.approx((1 - 0.1307) / 0.3081, rel=1e-6)


def test_batch_normalisation_is_folded_and_the_answers_stay() -> None:
    """After convolutions with and without bias and after a linear layer."""
    network = seeded(conv_norm)
    folded = deployed_form(network)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in folded.modules())
    images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        agreement = compare(network(images).numpy(), folded(images).numpy(), relative_bound(65))
    assert agreement.passed, agreement.describe()


def test_a_layer_is_put_into_its_deployed_form_before_normalisation_is_folded_into_it() -> None:
    """So that nothing of the form that was trained, nor of the normalisation, is left."""
    network = seeded(
        lambda: nn.Sequential(
            TableConv2d(2, ((0,), (0, 1), (1,)), 3),
            nn.BatchNorm2d(3),
            nn.Flatten(),
        )
    )
    with torch.no_grad():
        for parameter in network[0].parameters():  # type: ignore[index] # a Sequential
            parameter.uniform_(-1, 1)
    deployed = deployed_form(network)
    assert [type(module) for module in deployed.children()] == [
        nn.Conv2d,
        nn.Identity,
        nn.Flatten,
    ]
    images = torch.randn(30, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        agreement = compare(network(images).numpy(), deployed(images).numpy(), relative_bound(19))
    assert agreement.passed, agreement.describe()


def test_folding_leaves_the_trained_network_alone() -> None:
    """It may be in use elsewhere, and in training mode."""
    network = seeded(conv_norm).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    deployed_form(network)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_normalisation_that_cannot_be_folded_stays_and_its_numbers_are_kept() -> None:
    """One before its layer, one whose input has a second reader."""
    network = seeded(NormFirst)
    deployed = DeployedNetwork(network, preprocessing())
    others = deployed_weights(deployed).others
    assert {"before.weight", "norm.running_mean", "pixel_offset", "pixel_scale"} <= set(others)
    images = pictures(10, 1, 8, 8)
    with torch.no_grad():
        found = deployed(torch.from_numpy(images)).numpy()
    reference = reference_logits(network, preprocessing(), images)
    assert compare(reference, found, relative_bound(145)).passed


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason() -> None:
    """Only its normalisation is in the way."""
    with pytest.raises(NotPossible, match="cannot be traced"):
        deployed_form(Branching())


def test_normalisation_is_folded_beside_a_layer_of_pytorch_that_cannot_be_traced() -> None:
    """Multi-head attention has modules within and branches on its input; nobody looks into it."""

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, images: Tensor) -> Tensor:
            values = self.norm(self.conv(images)).flatten(2).transpose(1, 2)
            attended: Tensor = self.attention(values, values, values)[0]
            return attended.mean(1)

    network = seeded(Attending)
    deployed = deployed_form(network)
    assert isinstance(deployed.get_submodule("norm"), nn.Identity)
    images = torch.rand(2, 1, 6, 6)
    torch.testing.assert_close(deployed(images), network(images))


def test_weights_are_named_as_in_the_checkpoint() -> None:
    """The deployed network is a wrapper that does not show."""
    deployed = DeployedNetwork(seeded(conv_norm), preprocessing())
    weights = deployed_weights(deployed)
    assert [layer.name for layer in weights.layers] == ["0", "3", "6", "8"]
    assert set(weights.others) == {"pixel_offset", "pixel_scale"}
    assert weights.others["pixel_offset"].item() == pytest.approx(255 * 0.1307)
