"""What works on this machine: each format and precision, exported here and run by each runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgenet.runner import runtimes
from edgenet.runner.runtimes import CUDA
from edgenet.runner.tensorrt import library
from edgenet.targets import Possibility, Target, possible
from edgenet.workflows._targets import FORMATS, PRECISIONS
from edgenet.workflows.doctor_machine import Machine

_LIBRARY_OF = {"engine": library.CLASSIC, "rtx": library.RTX}
_WRITTEN_WITH = {"onnx": ("torch", "onnx", "onnxscript")}
_PROVIDER_OF = {
    "onnxruntime": "CUDAExecutionProvider",
    "onnxruntime-tensorrt": "TensorrtExecutionProvider",
}
_NO_GPU = "there is no usable GPU"  # why not is among the machine's facts
_OTHER_PYTHON = "the system's Python has it: edgenet bench --interpreter /usr/bin/python3"
_PLAN_ONLY = "--plan-only --target BOARD writes the ONNX file and the commands for a board"
_INSTALL_RTX = "pip install 'edgenet[trt-rtx-check]'"
_BY_TENSORRT = ("tensorrt", "onnxruntime-tensorrt")
"""What decides there is the GPU's arithmetic, whatever the format."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """One thing that a user may want to do here.

    Attributes:
        action: ``export`` or ``run``.
        format: A name of the table of formats.
        precision: ``fp32``, ``fp16`` or ``int8``.
        runtime: What runs it; None for an export, and for a format that nothing here runs.
        device: ``cpu`` or ``cuda``; None for an export.
        possibility: Yes, or why not and what to do instead.
    """

    action: Literal["export", "run"]
    format: str
    precision: str
    runtime: str | None = None
    device: str | None = None
    possibility: Possibility

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {name: value for name, value in vars(self).items() if name != "possibility"}
        return {**values, **self.possibility.to_json()}


def what_works(
    machine: Machine,
    target: Target,
    *,
    unavailable: Callable[[str], str | None] = runtimes.unavailable,
) -> tuple[Use, ...]:
    """Tell what can be exported and run on a machine.

    Args:
        machine: As it was found.
        target: The row that fits it.
        unavailable: Tells None, or why a runtime of the table cannot run under this Python.
    """
    faults = {name: unavailable(name) for name in runtimes.TABLE}
    uses: list[Use] = []
    for format in FORMATS:
        for precision in PRECISIONS:
            answer = _can_export(machine, target, format, precision)
            uses.append(
                Use(action="export", format=format, precision=precision, possibility=answer)
            )
        written = [each for each in PRECISIONS if possible(None, format, each).possible]
        uses.extend(_runs(machine, target, format, written, faults))
    return tuple(uses)


def _can_export(machine: Machine, target: Target, format: str, precision: str) -> Possibility:
    answer = possible(_judge(machine, target) if format == "engine" else None, format, precision)
    if not answer.possible:
        return answer
    needed = _WRITTEN_WITH.get(format, ("torch",))
    missing = [name for name in needed if not machine.package(name).installed]
    if missing:
        packages = " ".join(missing)
        return _no(f"{packages} is not installed", f"pip install {packages}")
    name = _LIBRARY_OF.get(format)
    reason = None if name is None else library.unavailable(name)
    if format == "engine" and machine.gpu.reason is not None:
        reason = _NO_GPU
    if reason is None:
        return Possibility(possible=True)
    return _no(reason, _PLAN_ONLY if format == "engine" else _INSTALL_RTX)


def _runs(
    machine: Machine,
    target: Target,
    format: str,
    precisions: Sequence[str],
    faults: Mapping[str, str | None],
) -> Iterator[Use]:
    names = [name for name in runtimes.TABLE if format in runtimes.formats(name)]
    for name in names:
        for device in runtimes.entry(name).devices:
            for precision in precisions:
                yield Use(
                    action="run",
                    format=format,
                    precision=precision,
                    runtime=name,
                    device=device,
                    possibility=_can_run(
                        machine,
                        possible(
                            _judge(machine, target) if device == CUDA else target,
                            "engine" if name in _BY_TENSORRT else format,
                            precision,
                        ),
                        name=name,
                        device=device,
                        fault=faults[name],
                    ),
                )
    if not names:
        reason = "no runtime of edgenet's runs it: it is for programs of your own"
        for precision in precisions:
            yield Use(
                action="run", format=format, precision=precision, possibility=_no(reason, None)
            )


def _judge(machine: Machine, target: Target) -> Target | None:
    """Return who decides what its hardware can do; None where only a missing GPU would.

    A machine's row has no GPU where none is usable, and it is CUDA that says why.
    """
    gpu_missing = target.runtime("tensorrt") is None and machine.gpu.reason is not None
    return None if gpu_missing else target


def _can_run(
    machine: Machine, answer: Possibility, *, name: str, device: str, fault: str | None
) -> Possibility:
    if not answer.possible:
        return answer
    if device == CUDA and machine.gpu.reason is not None:
        return _no(_NO_GPU, None)
    if fault is not None:
        elsewhere = name == "tensorrt" and machine.system_tensorrt
        return _no(fault, _OTHER_PYTHON if elsewhere else None)
    if name.startswith("onnxruntime") and machine.onnxruntime_fault is not None:
        return _no(f"onnxruntime cannot be loaded: {machine.onnxruntime_fault}", None)
    provider = _PROVIDER_OF.get(name) if device == CUDA else None
    if provider is not None and provider not in (machine.providers or ()):
        build = "onnxruntime-gpu" if machine.board is None else "NVIDIA's build for this JetPack"
        return _no(f"this onnxruntime has no {provider}", f"install {build} in its place")
    return Possibility(possible=True)


def _no(reason: str, instead: str | None) -> Possibility:
    return Possibility(possible=False, reason=reason, instead=instead)
