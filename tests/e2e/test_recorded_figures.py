"""The scripts that turn recorded benchmarks into the charts and tables of the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


def row(model: str, parameters: int, accuracies: list[float], **changes: Any) -> dict[str, Any]:
    """Return a row as the accuracy benchmark records it."""
    mean = sum(accuracies) / len(accuracies)
    return {
        "model": model,
        "recipe": "comparison",
        "data": "mnist",
        "parameters": parameters,
        "n": len(accuracies),
        "mean": mean,
        "sd": 0.001,
        "interval_95": [mean - 0.002, mean + 0.002],
        "mark": None,
        "median_seconds": 60.4,
        "median_cpu_seconds": 119.6,
        "seeds": [
            {"test_accuracy": accuracy, "threads": 2, "revision": "0123abcdef"}
            for accuracy in accuracies
        ],
        **changes,
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a file of made-up results: two compared networks, and one on other data."""
    rows = {
        "default/lenet5": row("lenet5", 61706, [0.992, 0.994], recipe="default", mark=0.992),
        "comparison/lenet5": row("lenet5", 61706, [0.987, 0.989]),
        "comparison/mlp": row("mlp", 235146, [0.976, 0.98], median_cpu_seconds=None),
        "fashion/lenet5": row("lenet5", 61706, [0.9, 0.91], data="fashion-mnist"),
    }
    host = {"cpu": {"model": "a processor", "logical_cores": 2}, "python": "3.11.7"}
    conditions = {"before": {"host": host}}
    file = tmp_path / "accuracy.json"
    file.write_text(json.dumps({"result": {"rows": rows}, "conditions": conditions}))
    return file


def script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script of ``benchmarks`` to its end."""
    command = [sys.executable, "-W", "error", ROOT / "benchmarks" / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def test_the_comparison_is_a_table_with_its_conditions(results: Path) -> None:
    """Fully connected networks first; rows of other protocols are not in it."""
    done = script("compare_architectures.py", "--results", results)
    assert done.returncode == 0, done.stderr
    heading, rule, *rows, _, conditions = done.stdout.splitlines()
    assert heading.count("|") == rule.count("|")
    assert [line.split(" | ")[:5] for line in rows] == [
        ["| `mlp`", "fully connected", "235,146", "100 %", "97.80 %"],
        ["| `lenet5`", "convolutional", "61,706", "26 %", "98.80 %"],
    ]
    assert rows[0].endswith("| 60 | – |")
    assert rows[1].endswith("| 120 | 60 | 120 |")
    assert "2 seeds a row" in conditions
    assert "a processor, 2 cores" in conditions


def test_results_without_the_comparison_are_a_message(tmp_path: Path) -> None:
    """With what to run first, and no traceback."""
    empty = tmp_path / "accuracy.json"
    empty.write_text('{"result": {"rows": {}}}')
    done = script("compare_architectures.py", "--results", empty)
    assert done.returncode == 1
    assert "benchmarks/accuracy.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_figures_of_the_documentation_are_charts_and_those_of_a_run(
    results: Path, tmp_path: Path
) -> None:
    """A run's pictures are taken as they are."""
    (tmp_path / "run" / "figures").mkdir(parents=True)
    (tmp_path / "run" / "figures" / "curves.png").write_bytes(b"a picture")
    output = tmp_path / "figures"
    done = script("figures.py", tmp_path / "run", "--results", results, "--output", output)
    assert done.returncode == 0, done.stderr
    assert (output / "curves.png").read_bytes() == b"a picture"
    accuracy = (output / "accuracy.svg").read_text("utf-8")
    assert all(name in accuracy for name in ("comparison/mlp", "fashion/lenet5", "99.30 ± 0.10"))
    parameters = (output / "parameters.svg").read_text("utf-8")
    assert ">mlp<" in parameters
    assert "fashion" not in parameters


def test_a_run_without_figures_is_a_message(results: Path, tmp_path: Path) -> None:
    """It was never trained to its end."""
    output = tmp_path / "charts"
    done = script("figures.py", tmp_path, "--results", results, "--output", output)
    assert done.returncode == 1
    assert "has no figures" in done.stderr
    assert "Traceback" not in done.stderr
