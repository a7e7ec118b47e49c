"""Quantization as typed: a folder of few pictures, two verbs, and what each of them says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import Command, edgenet, said

RUN = "runs/train/run"
FEW = ("--max-drop", "0.5")
"""What so few pictures can decide on."""


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small run, its FP32 bundle and its INT8 bundle."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("quantize") / "place"))
    result = edgenet(folder, "quantize", RUN, *FEW, "--sensitivity", "--no-measure")
    said(result, 0)
    for words in ("s8s8-minmax", "chosen", "SQNR", "gate", "passed", "Q/DQ form", "bit for bit"):
        assert words in result.stdout
    return folder


def test_the_child_verifies_predicts_and_is_evaluated_like_any_bundle(
    place: Path, pictures: Path
) -> None:
    """With the verbs of the run half, on its own data."""
    bundle = f"{RUN}/bundles/onnx-int8"
    result = edgenet(place, "verify", bundle, "--data", str(pictures), "--json")
    said(result, 0)
    rows = {row["name"]: row["status"] for row in json.loads(result.stdout)["checks"]}
    assert rows["gate at export"] == rows["golden"] == rows["agreement (test)"] == "ok"
    result = edgenet(place, "eval", bundle, "--json", "--no-figures")
    said(result, 0)
    manifest = json.loads((place / bundle / "manifest.json").read_text())
    assert json.loads(result.stdout)["correct"] == manifest["accuracy"]["test"]["correct"]
    said(edgenet(place, "predict", bundle, str(pictures / "lying" / "0.png")), 0)


def test_too_few_pictures_are_said_with_what_they_could_decide(place: Path) -> None:
    """Exit code 3; the child lies apart and the hint works when it is followed."""
    result = edgenet(place, "quantize", RUN, "--exist-ok", "--no-measure")
    said(result, 3, "validation pictures can decide on a drop of")
    assert "TOO FEW PICTURES" in result.stdout
    assert (place / RUN / "rejected" / "onnx-int8" / "report.json").is_file()
    drop = result.stderr.split("--max-drop ")[1].split()[0]
    result = edgenet(
        place, "quantize", RUN, "--exist-ok", "--no-measure", "--max-drop", drop, "--json"
    )
    assert json.loads(result.stdout)["bundle"]["gate"]["verdict"] != "too few pictures"


def test_what_is_there_already_is_not_replaced(place: Path) -> None:
    """Exit code 2, and the option that would do it."""
    said(edgenet(place, "quantize", RUN, *FEW), 2, "already exists", "--exist-ok")


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (f"{RUN}/bundles/onnx-int8", 2, "onnx-fp32"),
        ("runs/train/runn", 2, "did you mean"),
        ("lenet5", 2, "train it first"),
    ],
)
def test_what_cannot_be_quantized_is_refused_with_what_can(
    place: Path, here: Command, source: str, code: int, words: str
) -> None:
    """In one line and a hint."""
    said(here(place, "quantize", source, *FEW), code, words)


@pytest.mark.slow
def test_an_int8_export_measures_whether_it_pays(trained: Path, tmp_path: Path) -> None:
    """The same line that ``quantize`` ends with, in JSON for a program."""
    folder = Path(shutil.copytree(trained, tmp_path / "place"))
    result = edgenet(folder, "export", RUN, "--int8", *FEW, "--json")
    said(result, 0)
    (bundle,) = json.loads(result.stdout)["bundles"]
    pays = bundle["quantization"]["pays"]
    assert pays["latency_ratio"] > 0
    assert pays["size_ratio"] > 0
    assert pays["recommendation"]
    said(edgenet(folder, "export", RUN, "--int8", "--format", "torchscript"), 5, "only ONNX has")
