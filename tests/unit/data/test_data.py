"""Finding a data set by what the user wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgenet import data
from edgenet.data import load, names
from edgenet.errors import UsageError


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    """Exit code 2, and the reader can see what was meant."""
    with pytest.raises(UsageError, match="unknown data set 'mnits'") as caught:
        load("mnits")
    assert caught.value.hint is not None
    assert "did you mean 'mnist'?" in caught.value.hint
    assert "folder" in caught.value.hint


def test_an_absent_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    """A path is no misspelt name."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="there is no folder"):
        load(tmp_path / "absent")
    with pytest.raises(UsageError, match="is a file"):
        load(tmp_path / "file")


@pytest.mark.parametrize(
    "options",
    [{"split_seed": -1}, {"image_size": 0}, {"image_size": (28, 5000)}, {"mode": "CMYK"}],
)
def test_values_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    """Before any file is read."""
    with pytest.raises(UsageError):
        load("mnist", **options)


def test_other_packages_join_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their loader is called as our own are."""
    asked: list[dict[str, Any]] = []

    class Point:
        name = "theirs"

        def load(self) -> Any:
            return lambda **options: asked.append(options)

    monkeypatch.setattr(data, "_entry_points", lambda: (Point(),))
    assert names() == ("mnist", "fashion-mnist", "theirs")
    load("theirs", split_seed=3, image_size=8)
    assert asked[0]["split_seed"] == 3
    assert asked[0]["image_size"] == (8, 8)


def test_importing_data_needs_neither_torch_nor_pillow() -> None:
    """`bench` and `verify` read splits where torch is blocked."""
    code = (
        "import sys, edgenet.data, edgenet.data.mnist, edgenet.data.fashion_mnist, "
        "edgenet.data.folder, edgenet.data.idx_folder, edgenet.data.evaluation; "
        "sys.exit(', '.join({'torch', 'torchvision', 'PIL'} & set(sys.modules)) or 0)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
