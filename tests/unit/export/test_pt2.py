"""The ``.pt2`` format."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgenet.errors import CorruptFile, NotPossible
from edgenet.export import pt2
from edgenet.export.graph import DeployedNetwork, deployed_weights
from edgenet.runner.preprocess import Preprocessing
from edgenet.runner.pt2_file import OLDEST_TORCH
from edgenet.verify.weights import differences
from tests.bundles import NO_PT2, pt2_is_impossible
from tests.checkpoints import seeded

pytestmark = pytest.mark.skipif(pt2_is_impossible(), reason=NO_PT2)

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


def _write(path: Path, module: nn.Module, batch: int | None = None) -> Path:
    deployed = DeployedNetwork(module, RULE)
    pt2.write(deployed, path, batch=batch, opset=None, metadata={})
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the small network; return the file."""
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    pt2.write(network(), path, batch=None, opset=None, metadata={"labels": ["é"]})
    return path


def test_the_metadata_are_an_extra_file_of_the_archive(written: Path) -> None:
    """Readable without torch."""
    with zipfile.ZipFile(written) as archive:
        assert json.loads(archive.read("archive/extra/edgenet.json")) == {"labels": ["é"]}


def test_no_path_of_this_machine_is_in_the_file(written: Path) -> None:
    """Exporting notes beside every operator which lines of Python it came from."""
    with zipfile.ZipFile(written) as archive:
        content = b"".join(archive.read(member) for member in archive.infolist())
    assert str(Path(pt2.__file__).parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content
    assert b'.py"' not in content
    assert b"stack_trace" not in content


def test_no_member_is_a_pickle(written: Path) -> None:
    """The example of the input would be one: its place is empty."""
    with zipfile.ZipFile(written) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members["archive/data/sample_inputs/model.pt"] == b""
    assert not [name for name, content in members.items() if content[:2] in (b"\x80\x02", b"PK")]


def test_pytorch_itself_reads_the_file_and_gives_the_same(written: Path) -> None:
    """A user of the file needs nothing of edgenet's; any batch size goes in."""
    program = torch.export.load(io.BytesIO(written.read_bytes()))
    module, expected = program.module(), network()
    with torch.inference_mode():
        for batch in (1, 2, 7):
            pictures = expected.example(batch)
            np.testing.assert_array_equal(module(pictures), expected(pictures))


def test_a_fixed_batch_is_the_only_one_that_goes_in(tmp_path: Path) -> None:
    """It is part of the program, which checks it."""
    path = _write(tmp_path / "m.pt2", seeded(_layers), batch=3)
    module = torch.export.load(io.BytesIO(path.read_bytes())).module()
    example = network().example
    assert module(example(3)).shape == (3, 4)
    with pytest.raises(RuntimeError, match="shape"):
        module(example(2))


def test_the_same_network_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """Nothing of the day or the machine is in the file."""
    again = tmp_path / "again.pt2"
    pt2.write(network(), again, batch=None, opset=None, metadata={"labels": ["é"]})
    assert again.read_bytes() == written.read_bytes()


def test_the_weights_are_read_back_bit_for_bit(written: Path) -> None:
    """With the names of the checkpoint."""
    stored = pt2.stored_weights(written)
    assert [layer.name for layer in stored.layers] == ["0", "4"]
    assert differences(deployed_weights(network()), stored) == ()


def test_a_weight_that_differs_is_named(written: Path) -> None:
    """By the layer that it is in."""
    other = network()
    linear = other.get_submodule("network.4")
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight[2, 7] *= 1.01
    (line,) = differences(deployed_weights(other), pt2.stored_weights(written))
    assert line.startswith("4.weight: 1 of 360 values differ, the first at [2, 7]")


def test_weights_that_are_shared_or_lie_in_another_order_are_stored(tmp_path: Path) -> None:
    """A layer that is called twice, and a weight that is another's transpose in memory."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(56, 56)
            self.layer.weight = nn.Parameter(self.layer.weight.detach().T)
            self.last = nn.Linear(56, 4)

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.last(self.layer(self.layer(input.flatten(1))))
            return output

    module = seeded(Twice)
    path = _write(tmp_path / "m.pt2", module)
    expected = DeployedNetwork(module, RULE)
    assert differences(deployed_weights(expected), pt2.stored_weights(path)) == ()


class _Branches(nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.flatten(1)[:, :4] if input.sum() > 0 else input.flatten(1)[:, 4:8]


class _Random(nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.flatten(1)[:, :4] + torch.rand(4)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (_Branches(), "PyTorch cannot export this network"),
        (_Random(), "does not read this network as .pt2.*not an operator of the list"),
    ],
)
def test_a_network_that_the_format_cannot_hold_is_not_possible(
    tmp_path: Path, module: nn.Module, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line with the reason, and no file; PyTorch's own pages about it are held back."""
    with pytest.raises(NotPossible, match=reason):
        _write(tmp_path / "m.pt2", module)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_an_older_pytorch_is_refused_since_it_writes_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch 2.5 is supported; its .pt2 files are not."""
    monkeypatch.setattr(torch, "__version__", "2.8.0+cpu")
    assert OLDEST_TORCH == (2, 9)
    with pytest.raises(NotPossible, match=r"PyTorch 2\.8\.0\+cpu keeps the weights") as caught:
        _write(tmp_path / "m.pt2", seeded(_layers))
    assert "2.9" in str(caught.value.hint)


def test_what_is_not_a_pt2_file_is_a_corrupt_file(tmp_path: Path) -> None:
    """Never a traceback of torch's."""
    (tmp_path / "m.pt2").write_bytes(b"PK no archive")
    with pytest.raises(CorruptFile, match=r"m\.pt2"):
        pt2.stored_weights(tmp_path / "m.pt2")
