"""A quantization as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenet.cli.console import Output
from edgenet.cli.quantizing_views import quantized
from edgenet.compress.scheme import Scheme
from edgenet.compress.sensitivity import LayerSensitivity
from edgenet.verify.checks import Check, Verification
from edgenet.verify.gate import Gate, PairedComparison
from edgenet.workflows.quantize_result import QuantizeResult
from edgenet.workflows.quantize_search import Trial
from edgenet.workflows.quantized_bundle import GatedBundle


def made_up(n: int, *, passed: bool) -> QuantizeResult:
    """Build a result whose second candidate, with a layer rolled back, was chosen."""
    labels = np.arange(n) % 2
    worse = labels.copy()
    worse[:4] = 1 - worse[:4]
    pairs = [
        PairedComparison.of(labels, labels, child, ("cat", "dog")) for child in (worse, labels)
    ]
    gate = Gate(max_drop=0.005, validation=pairs[1], candidates=2)
    trials = tuple(
        Trial(
            scheme=Scheme(exclude=rolled_back),
            rolled_back=rolled_back,
            content=bytes(1000 * number),
            pairs=pairs[number - 1],
            verdict=Gate(max_drop=0.005, validation=pairs[number - 1]).verdict,
        )
        for number, rolled_back in enumerate(((), ("conv1",)), start=1)
    )
    return QuantizeResult(
        source="run",
        parent=Path("run/bundles/onnx-fp32"),
        parent_made=True,
        data="mnist",
        calibration={"n": 500, "seed": 0, "digest": "abcdef0123456789", "left_out": 0},
        bundle=GatedBundle(
            path=Path("run/bundles/onnx-int8"),
            passed=passed,
            gate=gate,
            verification=Verification(checks=(Check(name="hashes", status="ok", detail="fine"),)),
            model_bytes=71_695,
            parent_bytes=250_592,
            quantization={},
        ),
        trials=trials,
        chosen=1,
        sensitivity=(LayerSensitivity(layer="conv1", sqnr_db=12.34, correct_change=-3, n=n),),
        pays=None,
        report=Path("run/reports/quantize-1.json"),
        seconds=1.0,
    )


def shown(result: QuantizeResult, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """Return the view's lines with runs of blanks as one, and what went to stderr."""
    with Output() as out:
        out.result(result, quantized)
    captured = capsys.readouterr()
    return [" ".join(line.split()) for line in captured.out.splitlines()], captured.err


def test_the_view_shows_place_candidates_sensitivity_gate_and_checks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the order in which a reader asks."""
    lines, stderr = shown(made_up(2_000, passed=True), capsys)
    places = [
        lines.index(line)
        for line in (
            "bundle run/bundles/onnx-int8",
            "made from run/bundles/onnx-fp32 (exported for this)",
            "scheme s8s8-minmax; in FP32: conv1",
            "model file 71,695 bytes, 28.6 % of FP32's 250,592",
            "candidates on 2,000 validation pictures",
            "s8s8-minmax – 1,996 -4 99.80 % 1.0 kB failed",
            "s8s8-minmax conv1 2,000 0 100.00 % 2.0 kB passed chosen",
            "conv1 12.3 -3",
            "hashes ok fine",
        )
    ]
    assert places == sorted(places)
    assert any(line.startswith("gate passed: ") for line in lines)
    assert not stderr


def test_a_rejected_child_cannot_be_taken_for_a_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    """And what few pictures could decide on is a warning."""
    few = made_up(50, passed=False)
    lines, stderr = shown(few, capsys)
    assert lines[0] == "rejected run/bundles/onnx-int8"
    assert (
        "50 validation pictures can decide on a drop of 0.072 or more: --max-drop 0.072" in stderr
    )


def test_a_network_outside_a_run_has_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    """A dash, and no table of layers that nobody asked for."""
    lines, _ = shown(replace(made_up(2_000, passed=True), report=None, sensitivity=None), capsys)
    assert "report –" in lines
    assert not any("SQNR" in line for line in lines)
