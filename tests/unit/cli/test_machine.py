"""``edgenet targets`` and ``edgenet doctor``, in this process and on machines that are made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgenet.cli import machine as verbs
from edgenet.cli.app import main
from edgenet.targets import TABLE
from edgenet.workflows import _doctor
from edgenet.workflows.doctor_machine import Gpu, Machine
from tests.machines import board, machine, packages


def diagnose(monkeypatch: pytest.MonkeyPatch, here: Machine, *arguments: str) -> int:
    """Run ``doctor`` as if on a machine; return its exit code."""
    monkeypatch.setattr(_doctor, "read_machine", lambda root: here)
    return main(["doctor", *arguments])


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_both_verbs_have_help_and_take_json_and_quiet(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every verb with a result."""
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "--quiet" in text


def test_targets_lists_every_target_once(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each: the oldest versions, and that a Nano's TensorRT has no INT8."""
    assert main(["targets"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(TABLE) <= set(lines)
    assert "8.2 FP32, FP16 " in lines["jetson-nano"]
    assert "8.5 FP32, FP16, INT8" in lines["jetson-xavier"]


def test_targets_as_json_is_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One object, and one for an explained target."""
    assert main(["targets", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["targets"]
    assert [row["name"] for row in listed] == list(TABLE)
    assert main(["targets", "jetson-tx2", "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["target"]["compute_capability"] == "6.2"


@pytest.mark.parametrize("name", TABLE)
def test_every_target_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its notes, and every source of its facts."""
    assert main(["targets", name]) == 0
    text = capsys.readouterr().out
    row = TABLE[name]
    assert row.title in text
    assert all(sentence in text for sentence in (*row.notes, *row.sources))


def test_a_refusal_has_its_reason_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that costs hours where it is found out on the board."""
    assert main(["targets", "jetson-nano"]) == 0
    (line,) = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("engine") and "INT8" in line
    ]
    assert "no INT8" in line
    assert "use --format engine --precision fp16 for its GPU" in line


@pytest.mark.parametrize("arguments", [["targets", "jetson-nanoo"], ["doctor", "--target", "pi"]])
def test_an_unknown_target_ends_with_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is looked at."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "unknown target" in captured.err
    assert "jetson-nano" in captured.err


def test_names_of_targets_are_completed() -> None:
    """By the shell, for both verbs."""
    assert verbs.target_names() == list(TABLE)


def test_a_desktop_without_a_gpu_is_told_what_works_and_what_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0: a diagnosis is no failure."""
    here = machine(packages=packages({"onnxruntime": "1.31.1", "onnxscript": None}))
    assert diagnose(monkeypatch, here) == 0
    text = capsys.readouterr().out
    for words in (
        "no CUDA library was found",
        "compared with x86-64-avx2",
        "which fits this machine best",
        "onnxscript is not installed",
        "there is no usable GPU",
        "edgenet[trt-rtx-check]",
        "0 of 5 facts differ",
    ):
        assert words in text


def test_a_jetson_tells_its_board_and_its_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Release, power mode and clocks, which decide every figure measured there."""
    files = {
        "var/lib/nvpmodel/status": "pmode:0000",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >",
        "sys/class/devfreq/17000000.gpu/min_freq": "306000000",
        "sys/class/devfreq/17000000.gpu/max_freq": "1020000000",
    }
    found = board(tmp_path, "jetson-orin-nano", files)
    gpu = Gpu(reason=None, compute_capability=(8, 7), driver="12.6", memory_bytes=8 << 30)
    here = machine("aarch64", isa=("asimd", "asimddp"), board=found, gpu=gpu, glibc=(2, 35))
    assert diagnose(monkeypatch, here) == 0
    text = capsys.readouterr().out
    for words in (
        "6.2 (L4T 36.4.3)",
        "tegra234",
        "p3767-0005",
        "driver for CUDA 12.6",
        "sudo nvpmodel -m 2",
        "sudo jetson_clocks",
        "compared with jetson-orin-nano",
    ):
        assert words in text


def test_another_machines_target_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export here, measure there."""
    assert diagnose(monkeypatch, machine(), "--target", "jetson-nano") == 0
    text = capsys.readouterr().out
    assert "export for it here with --target jetson-nano" in text
    assert "which fits this machine best" not in text


def test_a_machine_that_tells_nothing_is_shown_with_dashes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No file of the system's is certain to be there."""
    here = machine(isa=(), governor=None)
    nothing = {**here.facts, "memory_bytes": None, "swap_bytes": None, "machine": "", "kernel": ""}
    here = machine(facts=nothing, memory_available_bytes=None, glibc=None, providers=())
    bare = board(tmp_path, "jetson-nano")._replace(
        soc=None, module=None, l4t=None, jetpack=None, compute_capability=None
    )
    for each in (here, replace(here, board=bare)):
        assert diagnose(monkeypatch, each) == 0
        assert "None" not in capsys.readouterr().out
