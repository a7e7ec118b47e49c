"""How targets and the diagnosis of a machine look on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from edgenet.cli.console import Output
from edgenet.cli.views import Listing

if TYPE_CHECKING:
    from edgenet.targets import Possibility, RuntimeSupport, Target
    from edgenet.workflows import DoctorResult, TargetExplanation
    from edgenet.workflows._targets import Answer
    from edgenet.workflows.doctor_machine import Machine
    from edgenet.workflows.doctor_packages import Package
    from edgenet.workflows.doctor_works import Use


def targets(out: Output, result: Listing[Target]) -> None:
    """Show the table of targets, one a line."""
    columns = ("target", "GPU", "onnxruntime", "TensorRT", ">opset", ">IR", "Python", ">memory")
    rows = (
        (
            row.name,
            _dotted(row.compute_capability),
            _support(row.runtime("onnxruntime")),
            _support(row.runtime("tensorrt")),
            row.opset,
            row.ir_version,
            row.python,
            _mib(row.memory_bytes),
        )
        for row in result.rows
    )
    out.table(columns, rows, title="the oldest versions to expect, and what is computed with them")
    out.line("`edgenet targets NAME` explains one; GPU is its CUDA compute capability")


def target(out: Output, result: TargetExplanation) -> None:
    """Show one target: its facts, its runtimes, what is refused, and where that is from."""
    row = result.target
    shared = ", shared by CPU and GPU" if row.memory_shared else ""
    memory = _mib(row.memory_bytes)
    out.fields(
        {
            "target": f"{row.name}: {row.title}",
            "processor": " with ".join(filter(None, (row.machine or "any", _flags(row.isa)))),
            "system on chip": row.soc,
            "compute capability": _dotted(row.compute_capability),
            "JetPack": row.jetpack,
            "system Python": row.python,
            "glibc": _dotted(row.glibc),
            "memory": f"{memory}{shared}" if memory else None,
            "taken by CUDA alone": _mib(row.gpu_floor_bytes or None),
            "ONNX files": f"opset {row.opset} and IR {row.ir_version} at most, "
            f"input as {'uint8' if row.uint8_input else 'float32 from 0 to 255'}",
            "INT8 files": f"weights kept as {row.int8_weights.upper()}, "
            f"activations as {row.int8_activations.upper()}",
        }
    )
    out.line()
    out.table(
        ("runtime", "from version", "precisions", ">opset", ">IR", "uint8 input"),
        [
            (
                each.name,
                each.version_text,
                _upper(each.precisions),
                each.opset,
                each.ir_version,
                "yes" if each.uint8_input else "no",
            )
            for each in row.runtimes
        ],
    )
    out.line()
    out.table(
        ("format", "precisions", "possible", "why not, and what to do"),
        [
            (format, precisions, *_answer(answer.possibility))
            for format, precisions, answer in _formats(result.answers)
        ],
        title="what can run there",
    )
    out.line()
    _sentences(out, "notes", row.notes)
    of_runtimes = [f"{each.name} {each.version_text}: {each.source}" for each in row.runtimes]
    if row.notes:
        out.line()
    _sentences(out, "sources", list(dict.fromkeys((*of_runtimes, *row.sources))))


def diagnosis(out: Output, result: DoctorResult) -> None:
    """Show what the machine is, the comparison, and what works."""
    out.fields(_machine(result.machine))
    out.line()
    out.table(
        ("package", "version", "comes with"),
        [(each.name, _installed(each), _origin(each)) for each in result.machine.packages],
    )
    out.line()
    row = result.target
    why = ", which fits this machine best" if row == result.fitting else ""
    out.table(
        ("fact", "expected", "here", "status", "what to do"),
        [(row.fact, row.expected, row.here, row.status, row.advice) for row in result.rows],
        title=f"compared with {row.name} ({row.title}){why}",
    )
    out.line()
    out.table(
        ("to", "precisions", "works", "why not, and what to do"),
        [
            (_action(use), precisions, *_answer(use.possibility))
            for precisions, use in _uses(result.uses)
        ],
        title="what works here",
    )
    out.line()
    if not result.same_hardware:
        out.line(
            f"This machine is not of {row.name}: export for it here with --target {row.name}, "
            "and measure there."
        )
    differing = sum(row.status == "differs" for row in result.rows)
    out.line(f"{differing} of {len(result.rows)} facts differ from {row.name}")


def _machine(machine: Machine) -> dict[str, object]:
    facts, board, gpu = machine.facts, machine.board, machine.gpu
    cpu, swap, libraries = facts["cpu"], facts["swap_bytes"], machine.libraries
    values: dict[str, object] = {
        "machine": (board and board.model) or facts["board"] or facts["machine"],
        "processor": f"{cpu['model'] or facts['machine']}, {cpu['logical_cores']} cores",
        "instruction set": " ".join(cpu["isa"]) or None,
        "memory": _mib(facts["memory_bytes"]),
        "  that can be had now": _mib(machine.memory_available_bytes),
        "  that this container may have": _mib(facts["limits"]["memory_bytes"]) or "all",
        "swap": "none" if swap == 0 else _mib(swap),
        "system": f"{facts['system']} {facts['kernel']}",
        "glibc": _dotted(machine.glibc),
        "Python": machine.python,
        "Python of the system": machine.system_python,
        "CPU governor": cpu["governor"],
    }
    if board is not None:
        values["Jetson's processor"] = board.soc
        values["Jetson's module"] = board.module
        values["compute capability"] = _dotted(board.compute_capability)
        values["L4T"] = board.l4t
        values["JetPack"] = board.jetpack or (board.l4t and f"not known for L4T {board.l4t}")
        values["power mode"] = board.power_mode_name
        values["jetson_clocks"] = {True: "held", False: "not held", None: None}[board.jetson_clocks]
    values["GPU"] = gpu.reason or (
        f"compute capability {_dotted(gpu.compute_capability)}, driver for CUDA {gpu.driver}, "
        f"{_mib(gpu.memory_bytes)}"
    )
    values["CUDA of the system"] = libraries.cuda
    values["cuDNN of the system"] = libraries.cudnn
    values["TensorRT of the system"] = libraries.tensorrt
    values["trtexec"] = machine.trtexec
    values["CUDA that torch is built for"] = machine.torch_cuda
    providers = ", ".join(machine.providers or ())
    values["onnxruntime's providers"] = providers or machine.onnxruntime_fault
    return values


def _installed(package: Package) -> str:
    if not package.installed:
        return "not installed"
    return package.version or "installed, version not known"


def _origin(package: Package) -> str:
    if package.extra is None:
        return "JetPack, or pip install tensorrt"
    return f"edgenet[{package.extra}]" if package.extra else "edgenet"


def _formats(answers: Sequence[Answer]) -> Iterator[tuple[str, str, Answer]]:
    """Yield each format with the precisions that have one answer, and that answer."""

    def key(answer: Answer) -> tuple[object, ...]:
        return (answer.format, answer.possibility)

    for _, group in groupby(answers, key):
        same = list(group)
        yield same[0].format, _upper([each.precision for each in same]), same[0]


def _uses(uses: Sequence[Use]) -> Iterator[tuple[str, Use]]:
    """Yield uses that differ in their precision alone as one, with their precisions."""

    def key(use: Use) -> tuple[object, ...]:
        return (use.action, use.format, use.runtime, use.device, use.possibility)

    for _, group in groupby(uses, key):
        same = list(group)
        yield _upper([each.precision for each in same]), same[0]


def _answer(found: Possibility) -> tuple[str, str | None]:
    """Return yes or no, and for a no the reason with what to do instead."""
    return "yes" if found.possible else "no", "; ".join(
        filter(None, (found.reason, found.instead))
    ) or None


def _action(use: Use) -> str:
    with_what = "" if use.runtime is None else f" with {use.runtime} on {use.device}"
    return f"{use.action} {use.format}{with_what}"


def _support(runtime: RuntimeSupport | None) -> str | None:
    return None if runtime is None else f"{runtime.version_text} {_upper(runtime.precisions)}"


def _sentences(out: Output, title: str, sentences: Sequence[str]) -> None:
    if sentences:
        out.line(title)
    for sentence in sentences:
        out.line(f"  {sentence}")


def _flags(isa: Sequence[str]) -> str:
    return ", ".join(flag.replace("|", " or ") for flag in isa)


def _upper(precisions: Sequence[str]) -> str:
    return ", ".join(precision.upper() for precision in precisions)


def _dotted(version: tuple[int, ...] | None) -> str | None:
    return None if version is None else ".".join(map(str, version))


def _mib(count: int | None) -> str | None:
    return None if count is None else f"{count >> 20:,} MiB"
