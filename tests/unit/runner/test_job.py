"""Jobs as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgenet.errors import UsageError
from edgenet.runner.job import Job, Scenario, read_job

JOB = Job(
    bundle=Path("/b"),
    runtime="onnxruntime",
    output=Path("/o"),
    threads=2,
    latency=(Scenario(1, 0.5, 2.0, 300), Scenario(64, 0.25, 1.0, 20)),
    evaluation_set=Path("/e"),
    evaluate=True,
    end_to_end=Scenario(1, 0.2, 0.8, 30),
    pin=True,
    launched_ns=123,
)


def _write(folder: Path, **changes: Any) -> Path:
    path = folder / "job.json"
    path.write_text(json.dumps({**JOB.to_json(), **changes}))
    return path


def test_a_job_survives_the_way_through_its_file(tmp_path: Path) -> None:
    """What the launcher writes, the runner reads."""
    assert read_job(_write(tmp_path)) == JOB


def test_a_fallback_is_told_to_the_runtime_only_where_it_is_allowed(tmp_path: Path) -> None:
    """A runtime that knows nothing of it is not asked."""
    allowed = read_job(_write(tmp_path, allow_cpu_fallback=True))
    assert allowed.session_options == {"allow_cpu_fallback": True}
    assert JOB.session_options == {}


def test_relative_paths_start_from_the_jobs_own_folder(tmp_path: Path) -> None:
    """A job folder can be copied to a board as it is."""
    job = read_job(_write(tmp_path, bundle="../bundle", output=".", evaluation_set="set"))
    assert job.bundle == tmp_path / ".." / "bundle"
    assert (job.output, job.evaluation_set) == (tmp_path, tmp_path / "set")


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "edgenet.job/2"},
        {"bundle": 3},
        {"threads": 0},
        {"threads": 100_000},
        {"latency": [{"batch": 0, "warmup_s": 0.5, "min_duration_s": 1.0, "min_queries": 1}]},
        {"latency": [{"batch": 1, "warmup_s": -1, "min_duration_s": 1.0, "min_queries": 1}]},
        {"latency": [{"batch": 1, "warmup_s": 0.5, "min_duration_s": 1e9, "min_queries": 1}]},
        {"latency": [{"batch": 1}]},
        {"latency": [None] * 100},
        {"evaluate": 1},
        {"allow_cpu_fallback": "no"},
        {"evaluation_set": None},
        {"launched_ns": -1},
        {"typo": True},
    ],
)
def test_a_job_that_cannot_be_done_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Before anything is loaded."""
    with pytest.raises(UsageError):
        read_job(_write(tmp_path, **changes))


def test_a_job_that_is_no_file_or_no_json_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(UsageError, match="absent"):
        read_job(tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UsageError, match="bad"):
        read_job(tmp_path / "bad.json")
