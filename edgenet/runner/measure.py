"""One job from start to end: load, first inference, latency, accuracy; each an event."""

import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional

import numpy as np

import edgenet
from edgenet.errors import NotPossible, UsageError
from edgenet.files import write_atomically
from edgenet.runner import host
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.inference import Inference
from edgenet.runner.inputs import (
    EvaluationSet,
    check_pictures,
    first_batch,
    open_evaluation_set,
    timed_batches,
)
from edgenet.runner.job import RESULT_SCHEMA, Job, Scenario
from edgenet.runner.memory import read_memory
from edgenet.runner.runtimes import load_runtime
from edgenet.runner.timing import Query, clock_quality, now_ns, quiet, run_queries, warm_up

_SETTLING_QUERIES = 16

Emit = Callable[[Dict[str, Any]], None]


class Journal:
    """Writes events and keeps apart what the stages cost and what writing about them costs.

    Args:
        emit: Takes one event, a dictionary of plain JSON values.
        launched_ns: When the launcher started this process, by the same clock, or None.
    """

    def __init__(self, emit: Emit, launched_ns: Optional[int]) -> None:
        self._emit = emit
        self._launched_ns = launched_ns
        self._observing_ns = 0

    def since_launch_ms(self) -> Optional[float]:
        """Return how long ago the launcher started this process, or None."""
        return None if self._launched_ns is None else (now_ns() - self._launched_ns) / 1e6

    def observing_ms(self) -> float:
        """Return how much of that went into reading memory and writing events."""
        return self._observing_ns / 1e6

    def memory(self) -> Dict[str, Any]:
        """Read this process's memory."""
        before = now_ns()
        memory = dict(read_memory()._asdict())
        self._observing_ns += now_ns() - before
        return memory

    def note(self, event: str, **fields: Any) -> None:
        """Write an event."""
        before = now_ns()
        self._emit(dict({"event": event}, **fields))
        self._observing_ns += now_ns() - before

    @contextlib.contextmanager
    def stage(self, event: str) -> Iterator[Dict[str, Any]]:
        """Time the block and write its event with the fields the block put into the dictionary."""
        fields: Dict[str, Any] = {}
        started = now_ns()
        yield fields
        ended = now_ns()
        self.note(event, ms=(ended - started) / 1e6, memory=self.memory(), **fields)


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
    evaluation_set, images = _open_inputs(job, bundle, journal)
    first = first_batch(images, bundle.manifest.fixed_batch or 1)
    with journal.stage("loaded") as fields:
        session = runtime.open_session(bundle, job.threads, job.device)
        fields.update(options=session.options)
    try:
        with journal.stage("first-inference") as fields:
            session.run(first)
            fields.update(
                since_launch_ms=journal.since_launch_ms(), observing_ms=journal.observing_ms()
            )
        journal.note("clock", **clock_quality()._asdict())
        subject = _Subject(session, bundle, job, journal)
        for scenario in sorted(job.latency):
            _measure_latency(subject, scenario, images)
        if job.evaluate and evaluation_set is not None:
            _measure_accuracy(subject, evaluation_set)
    finally:
        session.close()
    journal.note("environment", describe=host.describe())
    journal.note("finished", since_launch_ms=journal.since_launch_ms())


def _import_runtime(job: Job, journal: Journal) -> Any:
    runtime = load_runtime(job.runtime)
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


def _open_inputs(job: Job, bundle: Bundle, journal: Journal) -> Any:
    """Return the evaluation set, or None, and the pictures to run on, uint8 [N, C, H, W]."""
    wanted = bundle.manifest.picture_shape
    with journal.stage("inputs") as fields:
        if job.evaluation_set is not None:
            evaluation_set = open_evaluation_set(job.evaluation_set)
            check_pictures(evaluation_set.images.shape, wanted, str(job.evaluation_set))
            images = evaluation_set.images
            fields.update(source="evaluation-set", digest=evaluation_set.digest)
        else:
            evaluation_set = None
            images = bundle.golden(["inputs"])["inputs"]
            if not len(images):
                raise UsageError("{} has no golden inputs to run on".format(bundle.path))
            fields.update(source="golden", digest=None)
        fields.update(n=len(images))
    return evaluation_set, images


class _Subject(NamedTuple):
    """What is measured, and where the results go."""

    session: Any
    bundle: Bundle
    job: Job
    journal: Journal


def _measure_latency(subject: _Subject, scenario: Scenario, images: np.ndarray) -> None:
    session, bundle, job, journal = subject
    fixed = bundle.manifest.fixed_batch
    if fixed not in (None, scenario.batch):
        reason = "the bundle was exported for batches of {}".format(fixed)
        journal.note("skipped", what="latency", batch=scenario.batch, reason=reason)
        return
    with journal.stage("settled") as fields:
        few = first_batch(images, scenario.batch)
        for _ in range(_SETTLING_QUERIES):
            session.run(few)
        fields.update(batch=scenario.batch, queries=_SETTLING_QUERIES)
    batches = timed_batches(images, scenario.batch, job.seed)
    query = Query(scenario.min_duration_s, scenario.min_queries)
    with journal.stage("latency") as fields:
        with quiet():
            warm = warm_up(session, batches, scenario.warmup_s)
            before = host.snapshot()
            samples = run_queries(session, batches, query)
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
        )


def _measure_accuracy(subject: _Subject, evaluation_set: EvaluationSet) -> None:
    session, bundle, job, journal = subject
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


def _save(folder: Path, name: str, values: np.ndarray) -> str:
    """Write an array, whole or not at all, and return the file's name."""
    with write_atomically(folder / name) as file:
        np.save(file, values, allow_pickle=False)
    return name
