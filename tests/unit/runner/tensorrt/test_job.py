"""The job of a process that builds engines: through JSON and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgenet.errors import EdgenetError, NotPossible, UsageError
from edgenet.launch.engines import build_engines
from edgenet.runner import cuda
from edgenet.runner.fields import FieldError
from edgenet.runner.tensorrt.builder import BuildOptions
from edgenet.runner.tensorrt.job import EngineJob
from edgenet.runner.tensorrt.library import CLASSIC, RTX

JOB = EngineJob(
    RTX, ("/a.onnx", "/b.onnx"), 3, "/plans", BuildOptions((1, 2, 4), 1 << 20, True, Path("/times"))
)


@pytest.mark.parametrize("job", [JOB, JOB._replace(plans=None, options=BuildOptions())])
def test_a_job_goes_through_json_and_back(job: EngineJob) -> None:
    """Nothing of it is lost on the way to the process."""
    assert EngineJob.from_json(json.loads(json.dumps(job.to_json()))) == job


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"library": "tensorflow"}, "library"),
        ({"files": "a.onnx"}, "files"),
        ({"first": -1}, "first"),
        ({"more": 1}, "more"),
        ({"options": {}}, "options"),
        ({"options": {**JOB.to_json()["options"], "batches": [1, 2]}}, "batches"),
        ({"options": {**JOB.to_json()["options"], "batches": [0, 2, 4]}}, "batches"),
        ({"options": {**JOB.to_json()["options"], "workspace_bytes": 0}}, "workspace_bytes"),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_its_place(change: dict[str, Any], words: str) -> None:
    """Rather than built in part."""
    with pytest.raises(FieldError, match=words):
        EngineJob.from_json({**JOB.to_json(), **change})


def test_a_file_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the process tells, and no crash of the library."""
    (tmp_path / f"{RTX}.py").write_text("__version__ = '9.9'\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EdgenetError, match=r"cannot read .*none\.onnx: No such file"):
        build_engines(RTX, [tmp_path / "none.onnx"])
    with pytest.raises(UsageError, match="library"):
        build_engines("tensorflow", [tmp_path / "none.onnx"])


@pytest.mark.skipif(cuda.probe() is None, reason="there is a GPU here")
def test_without_a_gpu_no_process_loads_the_classic_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in would end it."""
    (tmp_path / f"{CLASSIC}.py").write_text("import os\nos.abort()\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NotPossible, match="TensorRT needs a GPU, and there is none here"):
        build_engines(CLASSIC, [tmp_path / "none.onnx"])
