"""What one measurement process is asked to do, and the lines it answers with.

A job is a JSON file. Paths in it are absolute or relative to the file's own folder::

    {"schema": "edgenet.job/1",
     "bundle": "../../bundles/onnx-fp32",   folder of the bundle
     "runtime": "onnxruntime",              a name of `edgenet.runner.runtimes.TABLE`, or `TIMERS`
     "output": ".",                         existing folder for the arrays
     "threads": 1,
     "device": "cpu",
     "latency": [{"batch": 1, "warmup_s": 0.5, "min_duration_s": 2.0, "min_queries": 300}],
     "evaluation_set": "/…" or null,        as written by `edgenet.data.evaluation`
     "evaluate": true,                      measure the accuracy over the whole set
     "evaluation_batch": 64,
     "seed": 0,                             which pictures of the set are the timed inputs
     "allow_cpu_fallback": false,           what a GPU's runtime does not take may run on the CPU
     "end_to_end": {"batch": 1, …} or null, a scenario from encoded pictures to classes
     "pin": false,                          to as many physical cores as there are threads
     "launched_ns": 123 or null}            the launcher's `timing.now_ns()`, if on this machine

The answer is JSON lines, one event a line, in this order. Stages carry ``ms``, what
they took, and ``memory`` after them (see `edgenet.runner.memory.Memory`)::

    started      {"schema": "edgenet.result/1", "edgenet", "pid", "since_launch_ms", "memory"}
    pinned       {"cores": [1] or null, "reason"}         only if that was asked for
    imported     {"runtime", "versions", "clocks"}        memory here is the empty runtime's
    opened       {"model_sha256", "model_bytes"}          every hash was checked
    inputs       {"source": "evaluation-set" | "golden", "digest", "n"}
    loaded       {"options"}            what the runtime was told that decides figures, by name; of
                                        a session on a GPU "gpu_memory", too, as settled has then
    first-inference {"since_launch_ms", "observing_ms"}   observing: the runner's own bookkeeping
    clock        {"resolution_ns", "overhead_ns": [bind, execute, fetch]}
    settled      {"batch", "queries"}   memory here is what the model needs at this batch size: the
                                        samples that are kept later take memory of their own
    latency      {"batch", "queries", "samples": file, "warmup": file, "steady",
                  "warmup_block_p50_ns", "inputs": n, "host_before", "host_after"}
                  and "gpu_samples": file, int64 [n] ns, of a runtime with the clock cuda-event;
                  and "energy", see `edgenet.runner.power.Energy`
    skipped      {"what": "latency", "batch", "reason"}   instead of settled and latency
    end-to-end   {"batch", "queries", "samples": file, "steady", "warmup_block_p50_ns",
                  "host_before", "host_after", "picture": {"encoding", "height", "width", "bytes"}};
                  int64 [n, 4] ns of decode, resize, infer, argmax; or skipped, with that "what"
    external     {"timed_by", "batch", …} of a program that times itself, and nothing of the above
                 from inputs to latency: see `edgenet.runner.trtexec_job`
    accuracy     {"correct", "n", "digest", "not_finite", "logits": file}
    environment  {"describe"}
    finished     {"since_launch_ms"}

A sample file is int64 [n, 3] nanoseconds of bind, execute and fetch, one row a query, in order; a
logits file is float32 [N, K]. Any failure is one last line, and the exit code of that error::

    error        {"code", "message", "hint"}
"""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from edgenet.errors import UsageError
from edgenet.runner.fields import FieldError, Record, parse_json
from edgenet.runner.manifest import MAX_BATCH

JOB_SCHEMA = "edgenet.job/1"
RESULT_SCHEMA = "edgenet.result/1"

MAX_JOB_BYTES = 1 << 20
MAX_SCENARIOS = 32
MAX_THREADS = 1024
_MAX_SECONDS = 3600.0
_MAX_QUERIES = 10000000
_MAX_NS = 1 << 62


class Scenario(NamedTuple):
    """One latency measurement: single-stream queries of ``batch`` pictures each."""

    batch: int
    warmup_s: float
    min_duration_s: float
    min_queries: int


class Job(NamedTuple):
    """What one process measures; see the module's docstring for the fields."""

    bundle: Path
    runtime: str
    output: Path
    threads: int = 1
    device: str = "cpu"
    latency: Tuple[Scenario, ...] = ()
    evaluation_set: Optional[Path] = None
    evaluate: bool = False
    evaluation_batch: int = 64
    seed: int = 0
    allow_cpu_fallback: bool = False
    end_to_end: Optional[Scenario] = None
    pin: bool = False
    launched_ns: Optional[int] = None

    @property
    def session_options(self) -> Dict[str, Any]:
        """What a runtime's ``open_session`` is told besides bundle, threads and device."""
        return {"allow_cpu_fallback": True} if self.allow_cpu_fallback else {}

    def to_json(self) -> Dict[str, Any]:
        """Return the content of a job file as plain JSON values."""
        fields = self._asdict()
        for name in ("bundle", "output", "evaluation_set"):
            fields[name] = None if fields[name] is None else str(fields[name])
        fields["latency"] = [dict(scenario._asdict()) for scenario in self.latency]
        fields["end_to_end"] = self.end_to_end and dict(self.end_to_end._asdict())
        return dict(fields, schema=JOB_SCHEMA)

    @classmethod
    def from_json(cls, value: Any, folder: Path) -> "Job":
        """Read the parsed content of a job file.

        Args:
            value: The parsed JSON.
            folder: What relative paths start from.

        Raises:
            UsageError: A field is missing, unknown or not acceptable.
        """
        try:
            return _job(value, folder)
        except FieldError as error:
            raise UsageError("the job is not acceptable: {}".format(error)) from None


def read_job(path: Path) -> Job:
    """Read a job file.

    Raises:
        UsageError: It cannot be read or is not acceptable.
    """
    try:
        with open(str(path), "rb") as file:
            raw = file.read(MAX_JOB_BYTES)
    except OSError as error:
        raise UsageError("cannot read the job {}: {}".format(path, error.strerror)) from None
    try:
        value = parse_json(raw)
    except FieldError as error:
        raise UsageError("{}: {}".format(path, error)) from None
    return Job.from_json(value, path.resolve().parent)


def _job(value: Any, folder: Path) -> Job:
    record = Record(value, "", ("schema", *Job._fields))
    record.text("schema", JOB_SCHEMA)
    evaluate = _flag(record, "evaluate")
    evaluation_set = record.optional_text("evaluation_set")
    if evaluate and evaluation_set is None:
        raise FieldError("evaluate needs an evaluation_set")
    launched, end_to_end = record.raw("launched_ns"), record.raw("end_to_end")
    return Job(
        bundle=folder / record.text("bundle"),
        runtime=record.text("runtime"),
        output=folder / record.text("output"),
        threads=record.integer("threads", 1, MAX_THREADS),
        device=record.text("device"),
        latency=tuple(
            _scenario(scenario, "latency[{}]".format(position))
            for position, scenario in enumerate(record.items("latency", longest=MAX_SCENARIOS))
        ),
        evaluation_set=None if evaluation_set is None else folder / evaluation_set,
        evaluate=evaluate,
        evaluation_batch=record.integer("evaluation_batch", 1, MAX_BATCH),
        seed=record.integer("seed", 0, _MAX_NS),
        allow_cpu_fallback=_flag(record, "allow_cpu_fallback"),
        end_to_end=None if end_to_end is None else _scenario(end_to_end, "end_to_end"),
        pin=_flag(record, "pin"),
        launched_ns=None if launched is None else record.integer("launched_ns", 0, _MAX_NS),
    )


def _flag(record: Record, key: str) -> bool:
    value = record.raw(key)
    if not isinstance(value, bool):
        raise FieldError("{} must be true or false".format(key))
    return value


def _scenario(value: Any, place: str) -> Scenario:
    record = Record(value, place, Scenario._fields)
    return Scenario(
        batch=record.integer("batch", 1, MAX_BATCH),
        warmup_s=record.number("warmup_s", 0.0, _MAX_SECONDS),
        min_duration_s=record.number("min_duration_s", 0.0, _MAX_SECONDS),
        min_queries=record.integer("min_queries", 1, _MAX_QUERIES),
    )
