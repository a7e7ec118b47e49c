"""A machine beside a target's row: where it differs from what it should be.

A target's row tells the oldest software to expect, so newer is as good; less is a difference, with
what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from edgenet.runner.jetson import Board
from edgenet.targets import RuntimeSupport, Target
from edgenet.workflows.doctor_machine import Machine
from edgenet.workflows.doctor_match import is_machine_of, missing_flags

Status = Literal["ok", "differs", "not told"]
Version = tuple[int, ...]

_KERNEL_SHARE = 0.8
"""Of a board's memory by its name, what at least the kernel has: the rest is for the firmware, the
GPU's and the display's own use. Boards of 4 to 8 GB show 84 to 97 %."""

_GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
_NO_JETSON = "this is no Jetson"
_NAMES = {"onnxruntime": "onnxruntime", "tensorrt": "TensorRT"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fact of a target beside the same fact here.

    Attributes:
        fact: What it is about.
        expected: What the target has.
        here: What this machine has; None where it does not tell.
        status: ``ok``, ``differs``, or ``not told`` where one of them is not known.
        advice: What to do about a difference; None where nothing can be done here.
    """

    fact: str
    expected: str
    here: str | None
    status: Status
    advice: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))


def compare(target: Target, machine: Machine) -> tuple[Row, ...]:
    """Return the facts of a target that a machine can have, row by row.

    Advice on what to install is given where the machine has the target's hardware.
    """
    rows = [*_hardware(target, machine), *_software(target, machine), *_memory(target, machine)]
    if is_machine_of(target, machine):
        return (*rows, *_settings(machine))
    return tuple(replace(row, advice=None) for row in rows)


def _hardware(target: Target, machine: Machine) -> Iterator[Row]:
    if target.machine is not None:
        yield _same("processor", target.machine, machine.architecture)
    if target.isa:
        missing = missing_flags(target, machine)
        expected = ", ".join(flag.replace("|", " or ") for flag in target.isa)
        here = f"without {', '.join(missing).replace('|', ' or ')}" if missing else "has them"
        yield Row(
            fact="instruction set",
            expected=expected,
            here=here,
            status="differs" if missing else "ok",
        )
    board = machine.board
    if target.soc is not None:
        yield _same("system on chip", target.soc, _NO_JETSON if board is None else board.soc)
    if target.runtime("tensorrt") is not None:
        yield _gpu(target, machine)


def _gpu(target: Target, machine: Machine) -> Row:
    wanted, found = target.compute_capability, machine.gpu.compute_capability
    if found is None and machine.board is not None:
        found = machine.board.compute_capability
    expected = "usable"
    if wanted is not None:
        expected += ", compute capability {}.{}".format(*wanted)
    here = "usable" if machine.gpu.reason is None else f"not usable: {machine.gpu.reason}"
    if found is not None:
        here += ", compute capability {}.{}".format(*found)
    fits = machine.gpu.reason is None and wanted in (None, found)
    advice = "install NVIDIA's driver; in a container, start it with the NVIDIA runtime"
    return Row(
        fact="GPU",
        expected=expected,
        here=here,
        status="ok" if fits else "differs",
        advice=None if machine.gpu.reason is None else advice,
    )


def _software(target: Target, machine: Machine) -> Iterator[Row]:
    if target.jetpack is not None:
        expected = f"{target.jetpack} (L4T {', '.join(target.l4t)})"
        yield _jetpack(expected, target.l4t, machine.board)
    for runtime in target.runtimes:
        yield _runtime(runtime, machine)
    if target.runtime("tensorrt") is not None and machine.tensorrt is not None:
        yield _tensorrt_module(machine)
    if target.python is not None:
        yield _same("system Python", target.python, machine.system_python)
    if target.glibc is not None:
        yield _glibc(target.glibc, machine.glibc)


def _glibc(expected: Version, here: Version | None) -> Row:
    older = here is not None and here < expected
    return Row(
        fact="glibc",
        expected=f"{_dotted(expected)} or newer",
        here=None if here is None else _dotted(here),
        status="not told" if here is None else "differs" if older else "ok",
        advice="update the system: packages for newer ones do not load" if older else None,
    )


def _jetpack(expected: str, branches: tuple[str, ...], board: Board | None) -> Row:
    if board is None:
        return Row(fact="JetPack", expected=expected, here=_NO_JETSON, status="differs")
    l4t = board.l4t
    if l4t is None:
        return Row(fact="JetPack", expected=expected, here=None, status="not told")
    here = f"{board.jetpack or 'not known'} (L4T {l4t})"
    fits = any(f"{l4t}.".startswith(f"{branch}.") for branch in branches)
    advice = "install a JetPack of the target's, or expect other versions than its row has"
    return Row(
        fact="JetPack",
        expected=expected,
        here=here,
        status="ok" if fits else "differs",
        advice=None if fits else advice,
    )


def _runtime(runtime: RuntimeSupport, machine: Machine) -> Row:
    name = _NAMES[runtime.name]
    version = machine.tensorrt
    install = "install it: on a Jetson apt install nvidia-tensorrt, elsewhere pip install tensorrt"
    if runtime.name == "onnxruntime":
        version = machine.package("onnxruntime").version
        install = f"pip install 'onnxruntime>={runtime.version_text}'"
        if machine.onnxruntime_fault is not None:
            return Row(
                fact=name,
                expected=f"{runtime.version_text} or newer",
                here=f"{version} cannot be loaded: {machine.onnxruntime_fault}",
                status="differs",
                advice="install another version of it: this one is not made for this machine",
            )
    fits = version is not None and _numbers(version)[: len(runtime.version)] >= runtime.version
    return Row(
        fact=name,
        expected=f"{runtime.version_text} or newer",
        here=version or "not installed",
        status="ok" if fits else "differs",
        advice=None if fits else install,
    )


def _tensorrt_module(machine: Machine) -> Row:
    """Tell which Python can use TensorRT: a Jetson's has it for the system's alone."""
    own = machine.package("tensorrt").installed
    here, advice = "this Python has it", None
    if not own and machine.system_tensorrt:
        here = "the system's Python has it, this one has not"
        advice = "measure with edgenet bench --interpreter /usr/bin/python3"
    elif not own:
        here = "no Python has it"
        advice = "install it: on a Jetson apt install python3-libnvinfer"
    return Row(
        fact="TensorRT's Python module",
        expected="this Python or the system's has it",
        here=here,
        status="ok" if own or machine.system_tensorrt else "differs",
        advice=advice,
    )


def _memory(target: Target, machine: Machine) -> Iterator[Row]:
    if target.memory_bytes is not None:
        total = machine.facts["memory_bytes"]
        enough = total is not None and total >= _KERNEL_SHARE * target.memory_bytes
        yield Row(
            fact="memory",
            expected=f"{_mib(target.memory_bytes)} or more, of which the kernel has its share",
            here=None if total is None else _mib(total),
            status="not told" if total is None else "ok" if enough else "differs",
        )
    if target.gpu_floor_bytes:
        free = machine.memory_available_bytes
        enough = free is not None and free >= target.gpu_floor_bytes
        yield Row(
            fact="free memory",
            expected=f"{_mib(target.gpu_floor_bytes)}, which CUDA takes before any network",
            here=None if free is None else _mib(free),
            status="not told" if free is None else "ok" if enough else "differs",
            advice=None if enough else "end other programs, the desktop first; add swap",
        )


def _settings(machine: Machine) -> Iterator[Row]:
    """Yield how the machine should be set for measuring."""
    if machine.board is not None:
        held = machine.board.jetson_clocks
        yield _power_mode(machine.board)
        yield Row(
            fact="jetson_clocks",
            expected="clocks held, for measuring",
            here=None if held is None else "held" if held else "not held",
            status="not told" if held is None else "ok" if held else "differs",
            advice="sudo jetson_clocks, after choosing the power mode" if held is False else None,
        )
        return
    governor = machine.facts["cpu"]["governor"]
    fits = governor in (None, "performance")
    yield Row(
        fact="CPU governor",
        expected="performance, for measuring",
        here=governor,
        status="not told" if governor is None else "ok" if fits else "differs",
        advice=None if fits else f"echo performance | sudo tee {_GOVERNORS}",
    )


def _power_mode(board: Board) -> Row:
    """Compare with the mode without limits, which is not mode 0 on every board."""
    highest = [number for number, name in board.power_modes.items() if name.startswith("MAXN")]
    expected = "the highest"
    if highest:
        expected = f"{board.power_modes[highest[-1]]}, mode {highest[-1]}"
    if board.power_mode is None or not highest:
        here = board.power_mode_name
        return Row(fact="power mode", expected=expected, here=here, status="not told")
    fits = board.power_mode in highest
    return Row(
        fact="power mode",
        expected=expected,
        here=board.power_mode_name,
        status="ok" if fits else "differs",
        advice=None if fits else f"sudo nvpmodel -m {highest[-1]}, if the power supply can feed it",
    )


def _same(fact: str, expected: str, here: str | None) -> Row:
    status: Status = "not told" if here is None else "ok" if here == expected else "differs"
    return Row(fact=fact, expected=expected, here=here, status=status)


def _numbers(version: str) -> Version:
    """Return the numbers that a version begins with: ``1.20.0rc1`` is (1, 20, 0)."""
    found = re.match(r"\d{1,9}(?:\.\d{1,9})*", version, re.ASCII)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _mib(count: int) -> str:
    return f"{count >> 20:,} MiB"
