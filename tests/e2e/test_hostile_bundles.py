"""Bundles that someone made to do harm: every verb refuses them, and nothing happens.

All attacks are opened in one process, after good bundles of every format: its peak of memory may
rise by 200 MB in all, and a watch on a folder outside, to which the attacks point, must stay
silent. One test, since one process tries them all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.bundles import (
    SHAPE,
    pt2_is_impossible,
    write_onnx_bundle,
    write_pt2_bundle,
    write_torchscript_bundle,
)
from tests.commands import edgenet, said
from tests.hostile import ATTACKS
from tests.hostile_torch import TORCH_ATTACKS

GOOD = {
    "onnx": ("onnxruntime", write_onnx_bundle),
    "torchscript": ("torchscript", write_torchscript_bundle),
    "pt2": ("pt2", write_pt2_bundle),
}
EVERY = {**ATTACKS, **TORCH_ATTACKS}
MOST_BYTES = 200_000_000


def _outside(place: Path) -> Path:
    """Make the folder that nobody may touch, and a picture."""
    outside = place / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret" * 100)
    (place / "scratch").mkdir()
    Image.fromarray(np.zeros(SHAPE[1:], np.uint8)).save(place / "scratch" / "picture.png")
    return outside


def _hostile(place: Path, name: str) -> Path:
    """Make the bundle of an attack from the good one beside it."""
    folder = "".join(letter if letter.isalnum() else "-" for letter in name)
    bundle = Path(shutil.copytree(place / EVERY[name].base, place / folder))
    EVERY[name].make(bundle, place / "outside")
    return bundle


def _try_all(place: Path) -> list[dict[str, Any]]:
    """Return what came of every attack by every verb."""
    outside = _outside(place)
    good = {name: row for name, row in GOOD.items() if name != "pt2" or not pt2_is_impossible()}
    for base, (_, write) in good.items():
        write(place / base)
    plan = {
        "outside": str(outside),
        "scratch": str(place / "scratch"),
        "good": [(runtime, str(place / base)) for base, (runtime, _) in good.items()],
        "hostile": [
            (name, good[attack.base][0], str(_hostile(place, name)), attack.verbs)
            for name, attack in EVERY.items()
            if attack.base in good
        ],
    }
    file = place / "plan.json"
    file.write_text(json.dumps(plan))
    result = subprocess.run(
        [sys.executable, "-m", "tests.hostile_trial", str(file)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 1 + 4 * len(plan["good"]) + sum(len(row[3]) for row in plan["hostile"])
    return lines


def test_hostile_bundles_are_refused_by_every_verb_and_nothing_else_happens(
    tmp_path: Path,
) -> None:
    """Exit code 6 with one line, no file outside touched, no memory taken.

    The good bundles and the watch are tried, too: otherwise the silence would prove nothing.
    """
    sings, *lines = _try_all(tmp_path)
    assert sings == {"canary sings": True}
    assert [line for line in lines if "good" in line and line["code"] != 0] == []
    attacks = [line for line in lines if "attack" in line]
    assert [line for line in attacks if line["code"] != 6] == []
    assert [line for line in attacks if not 0 < len(line["message"].splitlines()) < 3] == []
    assert [line for line in attacks if line["touched"]] == []
    assert [line for line in attacks if line["more_bytes"] > MOST_BYTES] == []


@pytest.mark.parametrize(
    ("verb", "attack", "words"),
    [
        ("bench", "ONNX, ConstantOfShape", "ConstantOfShape"),
        ("predict", "symbolic link, model", "is a symbolic link"),
    ],
)
def test_a_hostile_bundle_is_refused_as_a_command_says_it(
    tmp_path: Path, verb: str, attack: str, words: str
) -> None:
    """One message and no traceback, also where a process of its own finds out."""
    _outside(tmp_path)
    write_onnx_bundle(tmp_path / "onnx")
    bundle = _hostile(tmp_path, attack)
    pictures = ["scratch/picture.png"] if verb == "predict" else []
    said(edgenet(tmp_path, verb, bundle.name, *pictures), 6, words)
