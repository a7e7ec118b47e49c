"""A job whose figures are ``trtexec``'s: it builds the engine, runs it and times itself.

Another program with another clock and other inputs (random ones) than our own measurement: what it
says is kept apart, as an event of its own, and is no accuracy. The events are those of
`edgenet.runner.job` up to ``opened``, then::

    built        {"command": [...] or null, "options"}      null: the bundle is an engine
    external     {"timed_by": "trtexec", "batch", "command", "modes", "queries",
                  "warm_up_rows", "times": file, "columns", "throughput_qps",
                  "summaries": {name: {"median_ms", …}}, "device", "warnings", "missing"}
    skipped      as there
    environment, finished

A file of times is float64 [n, 5] milliseconds, the columns of `trtexec_times.TIME_COLUMNS`. All
that trtexec printed is kept beside it, in ``trtexec-*.log``.
"""

import math
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

import edgenet
from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.files import cache_root, write_atomically
from edgenet.runner import host
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.job import RESULT_SCHEMA, Job, Scenario
from edgenet.runner.journal import Emit, Journal
from edgenet.runner.runtimes import device_number
from edgenet.runner.tensorrt.builder import OLD_WORKSPACE_BYTES
from edgenet.runner.trtexec import Modes, Profile, Version, build_command, measure_command
from edgenet.runner.trtexec_parser import Report, parse_output
from edgenet.runner.trtexec_program import check_run, find_program, run_program, version_of
from edgenet.runner.trtexec_times import TIME_COLUMNS, Times, parse_times

FORMATS = ("onnx", "engine")
TIMED_BY = "trtexec"

BUILD_LIMIT_S = 1800.0
_MEASURE_GRACE_S = 120.0  # loading an engine and CUDA, beside what is measured
_MAX_TIMES_BYTES = 1 << 30
_POOLS_SINCE = (8, 4)  # before, TensorRT takes 16 MiB unless told; from then on all of the GPU
_FLOAT_PRECISIONS = ("fp32", "fp16")


class _Subject(NamedTuple):
    """What is measured, with what, and where the results go."""

    program: str
    version: Version
    bundle: Bundle
    engine: Path
    profile: Optional[Profile]
    job: Job
    journal: Journal


def run_job(job: Job, emit: Emit) -> None:
    """Do what a job asks, and write its events.

    Raises:
        EdgenetError: trtexec is not here, crashed, failed or said nothing that can be used; the
            events so far are valid.
    """
    journal = Journal(emit, job.launched_ns)
    journal.note(
        "started",
        schema=RESULT_SCHEMA,
        edgenet=edgenet.__version__,
        pid=os.getpid(),
        since_launch_ms=journal.since_launch_ms(),
        memory=journal.memory(),
    )
    if not job.output.is_dir():
        raise UsageError("the job's output {} is not a folder".format(job.output))
    if job.evaluate:
        raise UsageError("trtexec gives no answers, so that no accuracy can be measured")
    with journal.stage("imported") as fields:
        program = find_program()
        version = version_of(program, job.output / "trtexec-version.log")
        told = ".".join(str(part) for part in version)
        fields.update(runtime=TIMED_BY, versions={"tensorrt": told}, clocks=[TIMED_BY])
    with journal.stage("opened") as fields:
        bundle = open_bundle(job.bundle)
        fields.update(
            model_sha256=bundle.manifest.files[bundle.manifest.model].sha256,
            model_bytes=bundle.model_bytes,
        )
    if bundle.manifest.format not in FORMATS:
        message = "trtexec does not run the format {!r} of {}"
        raise UsageError(message.format(bundle.manifest.format, bundle.path))
    with journal.stage("built") as fields:
        engine, profile, command = _build(job, bundle, program, version)
        fields.update(command=command, options=_options(command))
    subject = _Subject(program, version, bundle, engine, profile, job, journal)
    for scenario in sorted(job.latency):
        _measure(subject, scenario)
    if command is not None:
        engine.unlink()  # it may be of hundreds of megabytes; the command makes it again
    journal.note("environment", describe=host.describe())
    journal.note("finished", since_launch_ms=journal.since_launch_ms())


def _build(
    job: Job, bundle: Bundle, program: str, version: Version
) -> Tuple[Path, Optional[Profile], Optional[List[str]]]:
    """Return the engine's file, its shapes, and the command that built it, or None."""
    profile = _profile(job, bundle)
    told = ".".join(str(part) for part in version)
    if bundle.manifest.format == "engine":
        _check_engine(bundle, told)
        return bundle.model_path, profile, None
    engine = job.output / "trtexec.engine"
    cache = cache_root() / "trtexec"
    cache.mkdir(parents=True, exist_ok=True)
    command = build_command(
        version,
        str(bundle.model_path),
        str(engine),
        precision=_precision(bundle),
        profile=profile,
        workspace_mib=OLD_WORKSPACE_BYTES >> 20 if version < _POOLS_SINCE else None,
        timing_cache=str(cache / "timing-{}.cache".format(told)),
        device=device_number(job.device),
        program=program,
    )
    ran = run_program(command, job.output / "trtexec-build.log", BUILD_LIMIT_S)
    check_run(ran, "build the engine")
    if not engine.is_file() or not engine.stat().st_size:
        raise EdgenetError("trtexec said it built an engine, and there is none")
    return engine, profile, command


def _profile(job: Job, bundle: Bundle) -> Optional[Profile]:
    """Return the shapes to build for: from one picture, or the least, to the most asked for."""
    declared = bundle.manifest.input
    if bundle.manifest.fixed_batch is not None:
        return None
    batches = sorted(scenario.batch for scenario in job.latency) or [1]
    return Profile(declared.name, bundle.manifest.picture_shape, (1, batches[0], batches[-1]))


def _precision(bundle: Bundle) -> str:
    """Return the graph's precision as trtexec has it: everything quantized is INT8."""
    precision = bundle.manifest.precision
    return precision if precision in _FLOAT_PRECISIONS else "int8"


def _options(command: Optional[List[str]]) -> Dict[str, str]:
    """Return what decided the engine, as text by name."""
    if command is None:
        return {"engine": "the bundle's"}
    flags = [one for one in command[1:] if not one.startswith(("--onnx=", "--saveEngine="))]
    return {"engine": "built by trtexec", "build": " ".join(flags)}


def _check_engine(bundle: Bundle, version: str) -> None:
    """Refuse an engine of another TensorRT: it would not load, or be loaded wrongly."""
    key = _recorded(bundle).get("key")
    built_by = str(key.get("version")) if isinstance(key, dict) else None
    if built_by is None or built_by.split(".")[:3] != version.split("."):
        message = "{} is an engine of TensorRT {}, this trtexec is {}'s"
        hint = "build it again here: edgenet export --format engine"
        raise NotPossible(message.format(bundle.path, built_by or "unknown", version), hint)


def _not_taken(bundle: Bundle, batch: int) -> Optional[str]:
    """Return why a bundle does not take a batch size, or None."""
    fixed = bundle.manifest.fixed_batch
    if fixed not in (None, batch):
        return "the bundle was exported for batches of {}".format(fixed)
    recorded = _recorded(bundle).get("batches")
    batches = [one for one in recorded if type(one) is int] if isinstance(recorded, list) else []
    if batches and not min(batches) <= batch <= max(batches):
        return "the engine takes batches of {} to {}".format(min(batches), max(batches))
    return None


def _recorded(bundle: Bundle) -> Dict[str, Any]:
    """Return what the manifest of an engine says of it; empty for other bundles."""
    recorded = bundle.manifest.options.get("engine")
    is_engine = bundle.manifest.format == "engine"
    return recorded if is_engine and isinstance(recorded, dict) else {}


def _measure(subject: _Subject, scenario: Scenario) -> None:
    """Measure one batch size, and write the event."""
    reason = _not_taken(subject.bundle, scenario.batch)
    if reason is not None:
        subject.journal.note("skipped", what="latency", batch=scenario.batch, reason=reason)
        return
    modes = Modes(
        duration_s=math.ceil(scenario.min_duration_s),
        warmup_ms=math.ceil(scenario.warmup_s * 1000),
        iterations=scenario.min_queries,
    )
    output, batch = subject.job.output, scenario.batch
    written = output / "trtexec-b{}.json".format(batch)
    command = measure_command(
        subject.version,
        str(subject.engine),
        str(written),
        modes=modes,
        profile=subject.profile,
        batch=None if subject.profile is None else batch,
        device=device_number(subject.job.device),
        program=subject.program,
    )
    with subject.journal.stage("external") as fields:
        before = host.snapshot()
        limit_s = modes.duration_s + modes.warmup_ms / 1000 + _MEASURE_GRACE_S
        ran = run_program(command, output / "trtexec-b{}.log".format(batch), limit_s)
        check_run(ran, "measure batch {}".format(batch))
        report = parse_output(ran.output)
        times = _times(written, report.version or subject.version, modes)
        _check_told(report, times)
        fields.update(
            timed_by=TIMED_BY,
            batch=batch,
            command=command,
            modes=dict(modes._asdict()),
            times=_save(output, "trtexec-b{}.npy".format(batch), times.milliseconds),
            host_before=before,
            host_after=host.snapshot(),
            **_said(report, times),
        )


def _times(written: Path, version: Version, modes: Modes) -> Times:
    """Read the times of a run, without its warm-up."""
    try:
        with open(str(written), "rb") as file:
            raw = file.read(_MAX_TIMES_BYTES)
    except OSError as error:
        raise EdgenetError("trtexec wrote no times: {}".format(error.strerror)) from None
    return parse_times(raw, version, modes.warmup_ms)


def _check_told(report: Report, times: Times) -> None:
    """Refuse a run that has no figures, whatever its exit code."""
    if times.missing is not None:
        raise EdgenetError("what trtexec wrote cannot be used: {}".format(times.missing))
    if report.passed is None or report.throughput_qps is None or "latency" not in report.summaries:
        missing = ", ".join(report.missing) or "verdict"
        raise EdgenetError("what trtexec printed lacks: {}".format(missing))
    if not float(np.median(times.milliseconds[:, TIME_COLUMNS.index("latency")])) > 0:
        raise EdgenetError("trtexec wrote queries that took no time")


def _said(report: Report, times: Times) -> Dict[str, Any]:
    """Return the fields of an event that are what trtexec said, as plain JSON values."""
    return {
        "queries": len(times.milliseconds),
        "warm_up_rows": times.warm_up_rows,
        "columns": list(TIME_COLUMNS),
        "throughput_qps": report.throughput_qps,
        "summaries": {name: dict(one._asdict()) for name, one in report.summaries.items()},
        "device": report.device,
        "warnings": list(report.warnings),
        "missing": list(report.missing),
    }


def _save(folder: Path, name: str, values: np.ndarray) -> str:
    """Write an array, whole or not at all, and return the file's name."""
    with write_atomically(folder / name) as file:
        np.save(file, values, allow_pickle=False)
    return name
