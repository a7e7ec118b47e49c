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
        ({"opset": 99}, "opset"),
        ({"exporter": "dynamos"}, "unknown exporter"),
        ({"exporter": "dynamo", "formats": ("ts",)}, "no effect on torchscript"),
        ({"target": "jetson-nanu"}, "unknown target"),
        ({"formats": ("engine", "onnx")}, "written alone"),
        ({"plan_only": True}, "for TensorRT alone"),
        ({"plan_only": True, "formats": ("engine",)}, "needs to know the board"),
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
    ("options", "words", "instead"),
    [
        ({"target": "jetson-nano", "formats": ("engine",), "int8": True}, "has no INT8", "fp16"),
        ({"target": "jetson-tx2", "formats": ("trt",), "int8": True}, "has no INT8", "onnx"),
        ({"target": "raspberry-pi-5", "formats": ("engine",)}, "no TensorRT", "--format onnx"),
        ({"target": "jetson-nano", "formats": ("rtx",)}, "desktop GPUs", "--format engine"),
        ({"target": "jetson-nano", "opset": 17}, "opset 13 at most", "--opset 13"),
    ],
)
def test_what_a_target_cannot_run_is_refused_with_what_it_can(
    options: dict[str, Any], words: str, instead: str
) -> None:
    """Exit code 5, before anything is computed: on the board it would fail hours later."""
    with pytest.raises(NotPossible, match=words) as error:
        ExportArguments(source="run", **options)
    assert instead in str(error.value.hint)


def test_a_jetson_nano_takes_int8_for_its_cpu() -> None:
    """What TensorRT refuses there onnxruntime runs."""
    arguments = ExportArguments(source="run", target="jetson_nano", int8=True)
    assert arguments.target_name == "jetson-nano"
    assert arguments.resolved_target is not None
    assert not arguments.resolved_target.uint8_input


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_other_precisions_are_onnx_alone(precision: str) -> None:
    """Exit code 5, with the reason and what can be done instead."""
    with pytest.raises(NotPossible, match="torchscript files are not") as error:
        ExportArguments(source="run", precision=precision, formats=("onnx", "torchscript"))
    assert "--format onnx" in str(error.value.hint)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_gated_file_cannot_go_without_its_gate(precision: str) -> None:
    """And what it may lose has to be a share that can be shown."""
    with pytest.raises(UsageError, match="accuracy gate"):
        ExportArguments(source="run", verify=False, precision=precision)
    with pytest.raises(UsageError, match="cannot be shown"):
        ExportArguments(source="run", max_drop=0.0, precision=precision)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_drop": 0.01}, "--max-drop is for INT8 and FP16"),
        ({"calib_samples": 10}, "--calib-samples is for INT8 alone"),
        ({"calib_samples": 10, "half": True}, "--calib-samples is for INT8 alone"),
    ],
)
def test_an_option_of_another_precision_is_refused(options: dict[str, Any], words: str) -> None:
    """Nothing that is asked for is ignored."""
    with pytest.raises(UsageError, match=words):
        ExportArguments(source="run", **options)


def test_fp32_may_be_asked_for_by_name() -> None:
    """The default, said aloud."""
    assert ExportArguments(source="run", precision="fp32").resolved_precision == "fp32"
