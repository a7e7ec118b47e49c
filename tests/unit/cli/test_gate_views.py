"""The accuracy gate as text."""

from __future__ import annotations

import numpy as np
import pytest

from edgenet.cli.console import Output
from edgenet.cli.gate_views import gate
from edgenet.verify.gate import Gate, PairedComparison

NAMES = ("cat", "dog")


def pairs(lost: int, n: int) -> PairedComparison:
    """Build a comparison whose child takes the first ``lost`` dogs for cats."""
    labels = np.arange(n) % 2
    child = labels.copy()
    child[1 : 2 * lost : 2] = 0
    return PairedComparison.of(labels, labels, child, NAMES)


def shown(result: Gate, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the view's lines with runs of blanks as one."""
    with Output() as out:
        out.result(result, gate)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_the_view_shows_verdict_pairs_p_interval_and_the_classes_that_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both splits side by side, with the one that decides named."""
    result = Gate(max_drop=0.005, validation=pairs(4, 5_000), test=pairs(0, 900), candidates=3)
    lines = shown(result, capsys)
    assert lines[0].startswith("gate passed: the change is at worst -0.206 percentage points")
    assert lines[1].startswith("candidates seen 3; ")
    assert lines[1].endswith("7.5 % of cases")
    for line in (
        "pictures validation (decides) test (reported)",
        "all 5,000 900",
        "both right 4,996 900",
        "only the parent right 4 0",
        "only the child right 0 0",
        "both wrong 0 0",
        "equal decisions 4,996 (99.92 %) 900 (100.00 %)",
        "McNemar's exact p 0.125 1",
        "change in accuracy, points -0.080 +0.000",
        "its 95 % interval -0.206 to -0.003 -0.425 to +0.425",
        "dog 2,500 4 0 -0.160",
    ):
        assert line in lines
    assert not any(line.startswith("cat ") for line in lines)


@pytest.mark.parametrize(
    ("lost", "n", "start"),
    [(40, 5_000, "gate FAILED: "), (0, 100, "gate TOO FEW PICTURES: 100 pictures cannot show")],
)
def test_a_gate_that_is_not_passed_cannot_be_overlooked(
    lost: int, n: int, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In capitals, with the reason on the same line."""
    lines = shown(Gate(max_drop=0.005, validation=pairs(lost, n)), capsys)
    assert lines[0].startswith(start)


def test_where_no_class_changed_the_view_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table would look like a fault, and there is no test split to report here."""
    lines = shown(Gate(max_drop=0.01, validation=pairs(0, 500)), capsys)
    assert lines[-1] == "no class gained or lost a picture of the validation split"
    assert not any("reported" in line for line in lines)
