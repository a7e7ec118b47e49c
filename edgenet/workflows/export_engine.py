"""``export --format engine`` and ``--format rtx``: an engine, or what builds it on its board.

The ONNX bundle of the network is found or exported, linted for the target, and given to TensorRT's
own builder in a process of its own. A TensorRT engine is built where it will run, and nowhere else;
for any other machine ``--plan-only`` writes the file, the lint report and the script. Engines of
TensorRT for RTX are for desktop GPUs from Ampere on, and are built without one.
"""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import NotPossible, UsageError
from edgenet.files import new_folder_atomically
from edgenet.launch.engines import Engine, build_engines
from edgenet.progress import ProgressCallback, Step
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.tensorrt.builder import BATCHES
from edgenet.runner.tensorrt.bundle import (
    FORMATS,
    OPTION,
    SCRIPT_NAME,
    Answer,
    EnginePlan,
    write_copy,
    write_engine_bundle,
)
from edgenet.runner.tensorrt.library import CLASSIC, library_of, unavailable
from edgenet.runner.tensorrt.plan import machine_of
from edgenet.runner.timing import now_ns
from edgenet.targets import Target, load_target
from edgenet.verify.checks import Check, Verification, check_hashes
from edgenet.verify.engine import check_engine, check_not_built, check_own_golden
from edgenet.verify.lint import LintReport, lint
from edgenet.verify.qdq import quantized_layers
from edgenet.verify.quantized import load_graph
from edgenet.verify.tensorrt_rtx import EXTRA, check_built
from edgenet.workflows import build_script
from edgenet.workflows.engine_source import engine_folder, find_source
from edgenet.workflows.export_result import ExportedBundle, ExportResult

if TYPE_CHECKING:
    from edgenet.workflows.export_arguments import ExportArguments

LINT_NAME = "lint.json"

_LIBRARIES = {format: library for library, format in FORMATS.items()}
_TIME_LIMIT_S = 3600.0  # a large network on a small board times its kernels for long
_LINTED_AS = {"rtx": "cuda"}
"""What an engine is linted for where no target is named."""


def export_engine(
    arguments: ExportArguments, checkpoint: Path, progress: ProgressCallback
) -> ExportResult:
    """Write a trained network as an engine bundle, or as what builds one.

    Args:
        arguments: Of the export, in one of the formats of engines.
        checkpoint: The weights of its source.
        progress: Told of everything that takes long.

    Raises:
        UsageError: A bundle is there already, or the ONNX bundle that is there is another one's.
        NotPossible: The library or its GPU is not here, or the target is another machine.
        EdgenetError: See :func:`edgenet.workflows.export`.
    """
    folder = engine_folder(arguments)
    if folder.exists() and not arguments.exist_ok:
        raise UsageError(f"{folder} already exists", "replace it with --exist-ok")
    if not arguments.plan_only:
        _check_here(arguments)
    source = find_source(arguments, checkpoint, progress)
    if isinstance(source, ExportedBundle):
        return ExportResult(checkpoint=checkpoint, bundles=(source,))
    started = now_ns()
    report = _lint(source.bundle, arguments)
    if report is not None and not report.passed:
        exported = _refused(source.bundle, arguments, report.checks())
    elif arguments.plan_only and report is not None:
        exported = _write_plan(source.bundle, folder, arguments, report)
    else:
        exported = _build(source.bundle, folder, arguments, report, progress)
    exported = replace(exported, seconds=(now_ns() - started) / 1e9)
    made = () if source.exported is None else (source.exported,)
    return ExportResult(checkpoint=checkpoint, bundles=(*made, exported))


def _check_here(arguments: ExportArguments) -> None:
    """Refuse to build where that cannot be done, before anything is computed.

    Raises:
        NotPossible: The library is not here, has no GPU that it needs, or the target is another
            machine.
    """
    (format,) = arguments.canonical_formats
    library = _LIBRARIES[format]
    if library != CLASSIC:
        if unavailable(library) is not None:
            raise NotPossible(str(unavailable(library)), f"pip install '{EXTRA}'")
        return
    target = arguments.resolved_target
    named = target.name if target is not None else "jetson-orin"
    hint = (
        f"add --plan-only --target {named}: it writes the ONNX bundle, the lint report and the "
        "script that builds the engine on its board"
    )
    from edgenet.runner.cuda import Cuda, probe

    no_gpu = probe()
    reasons = [unavailable(CLASSIC), None if no_gpu is None else f"there is no GPU: {no_gpu}"]
    missing = "; ".join(reason for reason in reasons if reason is not None)
    if missing:
        raise NotPossible(f"no TensorRT engine can be built here: {missing}", hint)
    if target is not None and not _is_here(target, Cuda().compute_capability()):
        raise NotPossible(
            f"an engine runs only where it was built, and this machine is no {target.name}", hint
        )


def _is_here(target: Target, capability: tuple[int, int]) -> bool:
    """Whether a target is this machine, as far as its processor and GPU tell."""
    if target.machine not in (None, platform.machine()):
        return False
    return target.compute_capability in (None, capability)


def _lint(source: Bundle, arguments: ExportArguments) -> LintReport | None:
    """Look whether the target takes the file; None where the target is whatever is here."""
    (format,) = arguments.canonical_formats
    name = arguments.target_name or _LINTED_AS.get(format)
    if name is None:
        return None
    model = load_graph(source.model_path)
    precision = arguments.resolved_precision
    return lint(model, load_target(name), precision=precision, format=format)


def _write_plan(
    source: Bundle, folder: Path, arguments: ExportArguments, report: LintReport
) -> ExportedBundle:
    """Write what builds the engine on its target."""
    target = load_target(report.target)
    script = build_script.build_script(source.manifest, target)
    option = {
        "built": False,
        "batches": None if script.batches is None else list(script.batches),
        "commands": {name: list(words) for name, words in script.commands.items()},
        "source_sha256": source.manifest.files[source.manifest.model].sha256,
    }
    manifest = source.manifest._replace(
        target=target.name, options={**source.manifest.options, OPTION: option}, files={}
    )
    text = json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"
    more = {LINT_NAME: text.encode(), SCRIPT_NAME: script.text.encode()}
    bundle = write_copy(source, manifest, more, folder, overwrite=arguments.exist_ok)
    checks = (check_hashes(bundle), *report.checks(), check_not_built(bundle))
    return _exported(bundle, folder, arguments, checks)


def _build(
    source: Bundle,
    folder: Path,
    arguments: ExportArguments,
    report: LintReport | None,
    progress: ProgressCallback,
) -> ExportedBundle:
    """Build the engine in a process of its own, and write its bundle where all is well."""
    (format,) = arguments.canonical_formats
    library = _LIBRARIES[format]
    step = Step(task=f"build {format}", done=0, total=1, unit="engine")
    progress(step)
    linted = () if report is None else report.checks()
    with tempfile.TemporaryDirectory(prefix="edgenet-") as name:
        plans = Path(name)
        (engine,) = build_engines(
            library, [source.model_path], plans=plans, time_limit_s=_TIME_LIMIT_S
        )
        progress(replace(step, done=1, final=True))
        quantized = len(quantized_layers(load_graph(source.model_path)))
        check = check_built(engine, quantized, name="build")
        if check.status != "ok":
            return _refused(source, arguments, (*linted, check))
        built = _plan_of(engine, (plans / "0.plan").read_bytes(), source)
        staged = write_engine_bundle(
            source, built, plans / "bundle", target=arguments.target_name, answer=_answer(library)
        )
        checks = (*linted, check, *check_engine(staged), check_own_golden(source, staged))
        if any(row.status == "failed" for row in checks):
            return _refused(source, arguments, checks)
        with new_folder_atomically(folder, arguments.exist_ok) as place:
            for file in staged.path.iterdir():
                shutil.copyfile(file, place / file.name)
    bundle = open_bundle(folder)
    return _exported(bundle, folder, arguments, (check_hashes(bundle), *checks))


def _plan_of(engine: Engine, plan: bytes, source: Bundle) -> EnginePlan:
    """Return a plan with what its bundle says of it."""
    return EnginePlan(
        plan=plan,
        machine=machine_of(library_of(engine.name, engine.version)),
        batches=BATCHES if source.manifest.fixed_batch is None else None,
        details={
            "flags": list(engine.flags),
            "layers": dict(engine.layers),
            "precisions": dict(engine.precisions),
            "timing_cache": engine.timing_cache,
            "seconds": engine.seconds,
        },
    )


def _answer(library: str) -> Answer | None:
    """Return what runs the engine; nothing here runs those of TensorRT for RTX."""
    if library != CLASSIC:
        return None
    from edgenet.runner.build import own_logits

    return own_logits(0)


def _refused(
    source: Bundle, arguments: ExportArguments, checks: tuple[Check, ...]
) -> ExportedBundle:
    """Return what came of an engine that is not kept."""
    return replace(_exported(source, source.path, arguments, checks), path=None)


def _exported(
    bundle: Bundle, folder: Path, arguments: ExportArguments, checks: tuple[Check, ...]
) -> ExportedBundle:
    (format,) = arguments.canonical_formats
    return ExportedBundle(
        format=format,
        precision=bundle.manifest.precision,
        path=folder,
        model_bytes=bundle.model_bytes,
        options=dict(bundle.manifest.options),
        seconds=0.0,
        verification=Verification(checks=checks),
    )
