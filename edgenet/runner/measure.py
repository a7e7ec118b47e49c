"""One job from start to end: load, first inference, latency, accuracy; each an event."""

import array
import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

import edgenet
from edgenet.errors import NotPossible, UsageError
from edgenet.files import write_atomically
from edgenet.runner import end_to_end, host
from edgenet.runner.affinity import pin
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference, batches_of
from edgenet.runner.inputs import (
    EvaluationSet,
    check_pictures,
    first_batch,
    open_evaluation_set,
    timed_batches,
)
from edgenet.runner.jetson import is_jetson
from edgenet.runner.job import RESULT_SCHEMA, Job, Scenario
from edgenet.runner.journal import Emit, Journal
from edgenet.runner.memory import CardMemory
from edgenet.runner.runtimes import load_runtime
from edgenet.runner.timing import (
    CUDA_EVENT,
    Query,
    clock_quality,
    quiet,
    run_queries,
    warm_up,
)

_SETTLING_QUERIES = 16


def run_job(job: Job, emit: Emit) -> None:
    """Do what a job asks and write the events of `edgenet.runner.job`.

    Raises:
        EdgenetError: Something cannot be done; the events so far are valid.
    """
    journal = Journal(emit, job.launched_ns)
    since_launch_ms = journal.since_launch_ms()
    journal.note(
        "started",
        schema=RESULT_SCHEMA,
        edgenet=edgenet.__version__,
        pid=os.getpid(),
        since_launch_ms=since_launch_ms,
        memory=journal.memory(),
    )
    if job.pin:
        with journal.observing():
            pinning = pin(job.threads)
        journal.note("pinned", **pinning._asdict())
    if not job.output.is_dir():
        raise UsageError("the job's output {} is not a folder".format(job.output))
    runtime = _import_runtime(job, journal)
    with journal.stage("opened") as fields:
        bundle = open_bundle(job.bundle)
        fields.update(
            model_sha256=bundle.manifest.files[bundle.manifest.model].sha256,
            model_bytes=bundle.model_bytes,
        )
    _check_format(bundle, runtime, job.runtime)
    evaluation_set, pictures = _open_inputs(job, bundle, journal)
    with journal.observing():
        card = CardMemory(job.device)
    with journal.stage("loaded") as fields:
        session = runtime.open_session(bundle, job.threads, job.device, **job.session_options)
        fields.update(options=session.options, **_gpu_memory(session, card))
    try:
        with journal.observing():
            smallest, _ = batches_of(session, bundle.manifest.fixed_batch)
            first = first_batch(pictures.few, smallest)
        with journal.stage("first-inference") as fields:
            session.run(first)
            fields.update(
                since_launch_ms=journal.since_launch_ms(), observing_ms=journal.observing_ms()
            )
        journal.note("clock", **clock_quality()._asdict())
        on_gpu = CUDA_EVENT in runtime.CLOCKS
        subject = _Subject(session, bundle, job, journal, on_gpu, card)
        with contextlib.closing(_open_meter(job.device)) as meter:
            if job.latency:
                meter.rest()
            for scenario in sorted(job.latency):
                _measure_latency(subject, scenario, pictures, meter)
        if job.end_to_end is not None:
            _measure_end_to_end(subject, job.end_to_end, pictures.read())
        if job.evaluate and evaluation_set is not None:
            _measure_accuracy(subject, evaluation_set)
    finally:
        session.close()
    journal.note("environment", describe=host.describe())
    journal.note("finished", since_launch_ms=journal.since_launch_ms())


def _import_runtime(job: Job, journal: Journal) -> Any:
    runtime = load_runtime(job.runtime)
    with journal.observing():  # looking for a GPU takes a process of its own
        reason = runtime.unavailable()
    if reason is not None:
        raise NotPossible("the runtime {} cannot run here: {}".format(job.runtime, reason))
    with journal.stage("imported") as fields:
        fields.update(runtime=job.runtime, versions=runtime.versions(), clocks=list(runtime.CLOCKS))
    return runtime


def _check_format(bundle: Bundle, runtime: Any, name: str) -> None:
    if bundle.manifest.format not in runtime.FORMATS:
        message = "{} does not run the format {!r} of {}"
        raise UsageError(message.format(name, bundle.manifest.format, bundle.path))


class _Pictures(NamedTuple):
    """What to run on.

    Attributes:
        few: As many as the first query of a bundle takes, uint8 [n, C, H, W].
        read: Returns all of them. Those of a bundle are read again each time, so that they are not
            held while the model's memory is measured.
    """

    few: np.ndarray
    read: Callable[[], np.ndarray]


def _open_inputs(
    job: Job, bundle: Bundle, journal: Journal
) -> Tuple[Optional[EvaluationSet], _Pictures]:
    """Return the evaluation set, or None, and the pictures to run on."""
    wanted = bundle.manifest.picture_shape
    with journal.stage("inputs") as fields:
        if job.evaluation_set is not None:
            evaluation_set = open_evaluation_set(job.evaluation_set)
            check_pictures(evaluation_set.images.shape, wanted, str(job.evaluation_set))
            images = evaluation_set.images
            fields.update(source="evaluation-set", digest=evaluation_set.digest)
        else:
            evaluation_set = None
            images = _golden_inputs(bundle)
            if not len(images):
                raise UsageError("{} has no golden inputs to run on".format(bundle.path))
            fields.update(source="golden", digest=None)
        fields.update(n=len(images))
        few = first_batch(images, bundle.manifest.fixed_batch or 1)
    if evaluation_set is None:
        return None, _Pictures(few, lambda: _golden_inputs(bundle))
    return evaluation_set, _Pictures(few, lambda: images)


def _golden_inputs(bundle: Bundle) -> np.ndarray:
    return bundle.golden(["inputs"])["inputs"]


class _Subject(NamedTuple):
    """What is measured, where the results go, and whether the GPU's time is taken, too."""

    session: Any
    bundle: Bundle
    job: Job
    journal: Journal
    on_gpu: bool
    card: CardMemory


def _open_meter(device: str) -> Any:
    """Return a meter of power; what it needs is not loaded before the first inference is done."""
    from edgenet.runner.power import open_meter

    return open_meter(device)


def _measure_latency(
    subject: _Subject, scenario: Scenario, pictures: _Pictures, meter: Any
) -> None:
    session, bundle, job, journal, on_gpu, card = subject
    reason = _not_taken(scenario.batch, session, bundle.manifest.fixed_batch)
    if reason is not None:
        journal.note("skipped", what="latency", batch=scenario.batch, reason=reason)
        return
    with journal.stage("settled") as fields:
        few = first_batch(pictures.few, scenario.batch)
        for _ in range(_SETTLING_QUERIES):
            session.run(few)
        fields.update(batch=scenario.batch, queries=_SETTLING_QUERIES, **_gpu_memory(session, card))
    batches = timed_batches(pictures.read(), scenario.batch, job.seed)
    query = Query(scenario.min_duration_s, scenario.min_queries)
    gpu_samples = array.array("q") if on_gpu else None
    with journal.stage("latency") as fields:
        with quiet():
            warm = warm_up(session, batches, scenario.warmup_s)
            before = host.snapshot()
            meter.begin()
            samples = run_queries(session, batches, query, gpu_samples=gpu_samples)
            meter.end()
            after = host.snapshot()
        fields.update(
            batch=scenario.batch,
            queries=len(samples),
            samples=_save(job.output, "latency-b{}.npy".format(scenario.batch), samples),
            warmup=_save(job.output, "warmup-b{}.npy".format(scenario.batch), warm.samples),
            steady=warm.steady,
            warmup_block_p50_ns=warm.block_p50_ns,
            inputs=len(batches) * scenario.batch,
            host_before=before,
            host_after=after,
            energy=dict(meter.energy(len(samples) * scenario.batch)._asdict()),
        )
        if gpu_samples is not None:
            values = np.array(gpu_samples, np.int64)
            fields.update(
                gpu_samples=_save(job.output, "gpu-b{}.npy".format(scenario.batch), values)
            )


def _measure_end_to_end(subject: _Subject, scenario: Scenario, images: np.ndarray) -> None:
    session, bundle, job, journal = subject[:4]
    reason = _not_taken(scenario.batch, session, bundle.manifest.fixed_batch)
    if reason is not None:
        journal.note("skipped", what="end-to-end", batch=scenario.batch, reason=reason)
        return
    try:
        with journal.observing():
            encoded = end_to_end.encode(images, scenario.batch)
    except NotPossible as error:
        journal.note("skipped", what="end-to-end", batch=scenario.batch, reason=error.message)
        return
    with journal.stage("end-to-end") as fields:
        samples, told = end_to_end.measure(session, bundle, scenario, encoded)
        name = "end-to-end-b{}.npy".format(scenario.batch)
        fields.update(told, samples=_save(job.output, name, samples))


def _not_taken(batch: int, session: Any, fixed: Optional[int]) -> Optional[str]:
    """Return None, or why a batch cannot be measured."""
    smallest, largest = batches_of(session, fixed)
    if smallest <= batch and (largest is None or batch <= largest):
        return None
    if fixed is not None:
        return "the bundle was exported for batches of {}".format(fixed)
    return "the engine was built for batches of {} to {}".format(smallest, largest)


def _measure_accuracy(subject: _Subject, evaluation_set: EvaluationSet) -> None:
    session, bundle, job, journal = subject[:4]
    inference = Inference(session, bundle.manifest.fixed_batch)
    with journal.stage("accuracy") as fields:
        logits = inference.logits(evaluation_set.images, job.evaluation_batch)
        predictions = logits.argmax(axis=1)
        fields.update(
            correct=int((predictions == evaluation_set.labels).sum()),
            n=len(logits),
            digest=evaluation_set.digest,
            not_finite=int((~np.isfinite(logits)).any(axis=1).sum()),
            logits=_save(job.output, "logits.npy", logits),
        )


def _gpu_memory(session: Any, card: CardMemory) -> Dict[str, Any]:
    """Return the field of an event about the GPU's memory; none where nobody tells it."""
    told = session.gpu_memory() if hasattr(session, "gpu_memory") else card.read()
    return {} if told is None else {"gpu_memory": dict(told._asdict(), shared=is_jetson())}


def _save(folder: Path, name: str, values: np.ndarray) -> str:
    """Write an array, whole or not at all, and return the file's name."""
    with write_atomically(folder / name) as file:
        np.save(file, values, allow_pickle=False)
    return name
