"""What ``export`` may be asked to do."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.workflows.export_arguments import ExportArguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"int8": True, "half": True}, "exclude each other"),
        ({"int8": True, "precision": "fp32"}, "contradict"),
        ({"half": True, "precision": "int8"}, "contradict"),
        ({"precision": "fp23"}, "unknown precision"),
        ({"formats": ()}, "no format"),
        ({"formats": ("onnxx",)}, "unknown format"),
        ({"formats": ("torchscript", "ts")}, "named twice"),
        ({"batch": 0}, "batch"),
        ({"batch": 5000}, "batch"),
        ({"opset": 0}, "opset"),
        ({"name": "a/b"}, "cannot be the name of a run"),
        ({"name": ""}, "cannot be the name of a run"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_any_work(
    options: dict[str, Any], words: str
) -> None:
    """Exit code 2, and no torch loaded."""
    with pytest.raises(UsageError, match=words):
        ExportArguments(source="run", **options)


@pytest.mark.parametrize(
    "options", [{"int8": True}, {"half": True}, {"precision": "int8"}, {"target": "jetson-nano"}]
)
def test_what_this_version_cannot_do_is_said(options: dict[str, Any]) -> None:
    """Exit code 5, with what can be done instead."""
    with pytest.raises(NotPossible, match="not available in this version") as error:
        ExportArguments(source="run", **options)
    assert error.value.hint is not None


def test_fp32_may_be_asked_for_by_name() -> None:
    """The default, said aloud."""
    assert ExportArguments(source="run", precision="fp32").resolved_precision == "fp32"
