"""What README and guides tell people to type is run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgenet.data import load
from tests.commands import edgenet, measured, said

ROOT = Path(__file__).parent.parent.parent
GUIDES = sorted((ROOT / "docs" / "guide").glob("*.md"))
BRIEF = ["--epochs", "1", "--batch", "512", "--threads", "1"]


def code_blocks(file: Path, language: str = "") -> list[str]:
    """Return the fenced blocks of a Markdown file in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", file.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_readmes_way_by_hand_works_as_typed(tmp_path: Path) -> None:
    """Every line in turn; training is cut to one epoch."""
    Image.fromarray(load("mnist").test.images[0, 0]).save(tmp_path / "photo.png")
    blocks = code_blocks(ROOT / "README.md")
    [block] = [block for block in blocks if block.startswith("edgenet train")]
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert len(commands) == 10
    for program, *arguments in commands:
        assert program == "edgenet"
        brief = BRIEF if arguments[0] == "train" else []
        brief = ["--duration", "0.2"] if arguments[0] == "bench" else brief
        brief = ["--no-measure"] if arguments[0] == "quantize" else brief
        brief = ["--no-measure"] if "--int8" in arguments else brief
        result = edgenet(tmp_path, *arguments, *brief)
        if arguments[0] == "bench":
            measured(result)
        else:
            said(result, 0)
        if arguments[0] == "predict":
            assert "7" in result.stdout


def _guides() -> list[Any]:
    """Return every guide; those that train several networks are left to the slow tests."""
    marks = {"compression.md": (pytest.mark.slow,), "transfer.md": (pytest.mark.slow,)}
    files = sorted((ROOT / "docs" / "guide").glob("*.md"))
    return [pytest.param(file, id=file.name, marks=marks.get(file.name, ())) for file in files]


@pytest.mark.parametrize("file", _guides())
def test_the_python_of_a_guide_runs(file: Path, tmp_path: Path) -> None:
    """In the order of the page, in one interpreter."""
    code = "\n".join(code_blocks(file, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda f: f.name
)
def test_links_within_the_repository_lead_somewhere(file: Path) -> None:
    """A page that was renamed takes its links along."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text("utf-8")):
        assert (file.parent / target).exists(), target
