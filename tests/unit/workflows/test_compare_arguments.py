"""What ``compare`` refuses before it looks at any file, and what completes its words."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

from edgenet.cli import comparing, completing
from edgenet.errors import UsageError
from edgenet.runner import runtimes
from edgenet.workflows import CompareArguments
from tests.bundles import write_onnx_bundle
from tests.results import write


@pytest.mark.parametrize(
    "change",
    [
        {"fail_above": 0.0},
        {"fail_above": float("nan")},
        {"rounds": 0},
        {"threads": 0},
        {"batches": (1, 1)},
        {"batches": (0,)},
        {"duration_s": 0.0},
        {"runtime": "onnxruntme"},
        {"device": "gpu"},
        {"split_seed": -1},
    ],
)
def test_values_that_cannot_be_are_refused_at_once(change: dict[str, Any]) -> None:
    """Before any file is looked at."""
    with pytest.raises(UsageError):
        CompareArguments(a="a", b="b", **change)


def test_the_command_has_the_defaults_of_the_api() -> None:
    """Each is written twice, since the command line must not import what decides it."""
    typed = inspect.signature(comparing.compare).parameters
    names = {"duration_s": "duration", "warmup_s": "warmup", "batches": "batch"}
    for field in dataclasses.fields(CompareArguments):
        if field.name not in ("a", "b"):
            expected = None if field.default == () else field.default
            assert typed[names.get(field.name, field.name)].default == expected, field.name


def test_runs_bundles_and_results_complete_the_two_words(folder: Path) -> None:
    """What lies where edgenet puts it; and the names of the runtimes."""
    bundle = write_onnx_bundle(folder / "runs/train/net/bundles/onnx-fp32")
    reported = write(folder / "runs/train/net/reports/bench-1", [])
    apart = write(folder / "runs/bench/net", [])
    found = [str(path.relative_to(folder)) for path in (apart, bundle, reported)]
    assert completing.compared("") == found
    assert completing.compared("runs/b") == found[:1]
    assert completing.runtime_names() == list(runtimes.TABLE)
