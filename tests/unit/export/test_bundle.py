"""Writing a bundle whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import UsageError
from edgenet.export.bundle import BundleWriter, golden_rows, new_bundle
from edgenet.export.format import Written
from edgenet.runner.bundle import open_bundle
from edgenet.runner.manifest import Manifest, TensorInfo
from edgenet.runner.preprocess import Preprocessing

DRAFT = Manifest(
    name="tiny",
    format="onnx",
    precision="fp32",
    target=None,
    model="model.onnx",
    input=TensorInfo("input", "uint8", ("N", 1, 2, 2)),
    output=TensorInfo("logits", "float32", ("N", 2)),
    labels=("a", "b"),
    preprocessing=Preprocessing(
        mode="L", height=2, width=2, resize="stretch", mean=(0,), std=(1,), pad=0, polarity=None
    ),
    probability="softmax",
    longest_reduction=4,
    parent=None,
    accuracy={"validation": None, "test": None},
    options={"batch": None},
    tools={"edgenet": "0"},
    files={},
)
GOLDEN: dict[str, Any] = {
    "inputs": np.zeros((3, 1, 2, 2), np.uint8),
    "logits": np.zeros((3, 2), np.float32),
}


def fill(writer: BundleWriter) -> None:
    """Write a file that no runtime would take, and complete the bundle."""
    writer.model_path.write_bytes(b"model")
    writer.complete(GOLDEN, Written(options={"opset": 18}, tools={"torch": "2"}))


def test_a_complete_bundle_can_be_opened(tmp_path: Path) -> None:
    """With what the format said of the file."""
    with new_bundle(tmp_path / "bundles" / "b", DRAFT) as writer:
        fill(writer)
    bundle = open_bundle(tmp_path / "bundles" / "b")
    assert bundle.manifest.options == {"batch": None, "opset": 18}
    assert bundle.manifest.tools == {"edgenet": "0", "torch": "2"}
    assert set(bundle.golden()) == {"inputs", "logits"}


def test_a_complete_bundle_can_be_opened_before_it_has_its_name(tmp_path: Path) -> None:
    """So that it can be verified first."""
    with new_bundle(tmp_path / "b", DRAFT) as writer:
        fill(writer)
        assert open_bundle(writer.folder).manifest.name == "tiny"
        assert not (tmp_path / "b").exists()


def test_a_discarded_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not even the folders around it, which were made for it."""
    with new_bundle(tmp_path / "run" / "bundles" / "b", DRAFT) as writer:
        fill(writer)
        writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    """And goes on to the caller."""

    def interrupted() -> None:
        with new_bundle(tmp_path / "bundles" / "b", DRAFT) as writer:
            fill(writer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_discarded_bundle_leaves_the_one_before_it(tmp_path: Path) -> None:
    """Replacing happens at the very end."""
    with new_bundle(tmp_path / "b", DRAFT) as writer:
        fill(writer)
    with new_bundle(tmp_path / "b", DRAFT._replace(name="new"), overwrite=True) as writer:
        fill(writer)
        writer.discard()
    assert open_bundle(tmp_path / "b").manifest.name == "tiny"


def test_a_bundle_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    """Nothing is written then."""
    with new_bundle(tmp_path / "b", DRAFT) as writer:
        fill(writer)
    with pytest.raises(UsageError), new_bundle(tmp_path / "b", DRAFT):
        pass


def test_the_model_file_is_told_what_it_needs_to_be_used_alone(tmp_path: Path) -> None:
    """Labels, preprocessing, the map to probabilities, and who wrote it."""
    metadata = BundleWriter(tmp_path, DRAFT).metadata
    assert metadata["labels"] == ["a", "b"]
    assert metadata["preprocessing"]["height"] == 2
    assert (metadata["probability"], metadata["edgenet"]) == ("softmax", "0")


@pytest.mark.parametrize("n", [1, 2, 9, 255, 256, 257, 5000])
def test_golden_pictures_are_spread_over_the_whole_split(n: int) -> None:
    """None twice; where the split is small, all of it."""
    rows = golden_rows(n)
    assert len(rows) == len(set(rows.tolist())) == min(n, 256)
    assert (rows[0], rows[-1]) == (0, n - 1)
    assert len(golden_rows(n, 3)) == min(n, 3)
