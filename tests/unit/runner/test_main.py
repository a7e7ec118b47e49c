"""The measurement process from the outside: descriptors, exit codes, other Pythons."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import edgenet
from edgenet.launch.local import run_job
from edgenet.runner.job import Job, Scenario
from tests.bundles import write_evaluation_set, write_onnx_bundle

PACKAGE = Path(edgenet.__file__).parent
ZONE = (
    PACKAGE / "__init__.py",
    PACKAGE / "errors.py",
    PACKAGE / "files.py",
    *sorted((PACKAGE / "runner").rglob("*.py")),
)


def _write_job(tmp_path: Path, **changes: Any) -> Path:
    job = Job(
        bundle=tmp_path / "bundle",
        runtime="onnxruntime",
        output=tmp_path,
        latency=(Scenario(1, 0.01, 0.02, 5),),
    )
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job._replace(**changes).to_json()))
    return path


def _start(*arguments: str, code: str = "", **options: Any) -> subprocess.Popen[str]:
    command = ["-c", code] if code else ["-m", "edgenet.runner"]
    return subprocess.Popen(
        [sys.executable, *command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PACKAGE.parent,
        **options,
    )


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_job_exits_with_0_and_prints_nothing_but_json_lines(tmp_path: Path) -> None:
    """One process, one job."""
    write_onnx_bundle(tmp_path / "bundle")
    output, _ = (process := _start(str(_write_job(tmp_path)))).communicate()
    assert process.returncode == 0
    assert _lines(output)[-1]["event"] == "finished"


def test_what_a_native_library_prints_does_not_reach_the_results(tmp_path: Path) -> None:
    """Native code writes to descriptor 1, past Python's sys.stdout."""
    write_onnx_bundle(tmp_path / "bundle")
    code = textwrap.dedent(
        """
        import os, sys
        from edgenet.runner import __main__, measure
        honest = measure.open_bundle
        def noisy(path):
            os.write(1, b"native noise\\n")
            print("noise", flush=True)
            return honest(path)
        measure.open_bundle = noisy
        sys.exit(__main__.main())
        """
    )
    process = _start(str(_write_job(tmp_path)), code=code)
    output, errors = process.communicate()
    assert process.returncode == 0
    assert _lines(output)[-1]["event"] == "finished"
    assert "native noise" in errors


@pytest.mark.parametrize(
    ("changes", "exit_code", "code"),
    [
        ({"runtime": "onnxrutime"}, 2, "usage"),
        ({"device": "cuda"}, 5, "not-possible"),
        ({"device": "toaster"}, 2, "usage"),
        ({"evaluation_set": Path("/nowhere/at/all")}, 1, "data-unavailable"),
        ({"output": Path("/nowhere/at/all")}, 2, "usage"),
    ],
)
def test_a_failure_is_one_json_line_and_its_exit_code(
    tmp_path: Path, changes: dict[str, Any], exit_code: int, code: str
) -> None:
    """Never a traceback where results are expected."""
    write_onnx_bundle(tmp_path / "bundle")
    output, _ = (process := _start(str(_write_job(tmp_path, **changes)))).communicate()
    last = _lines(output)[-1]
    assert (process.returncode, last["event"], last["code"]) == (exit_code, "error", code)
    assert last["message"]


def test_a_damaged_bundle_exits_with_6_and_names_the_file(tmp_path: Path) -> None:
    """As the command line does."""
    bundle = write_onnx_bundle(tmp_path / "bundle")
    (bundle / "golden.npz").write_bytes(b"")
    output, _ = (process := _start(str(_write_job(tmp_path)))).communicate()
    assert process.returncode == 6
    assert "golden.npz" in _lines(output)[-1]["message"]


def test_no_job_or_two_are_a_usage_error(tmp_path: Path) -> None:
    """With the usage as the hint."""
    for arguments in ([], ["a", "b"]):
        output, _ = (process := _start(*arguments)).communicate()
        assert process.returncode == 2
        assert "JOB.json" in _lines(output)[-1]["hint"]


def test_an_error_that_nobody_foresaw_is_an_answer_too(tmp_path: Path) -> None:
    """The traceback goes to standard error, for whoever mends it."""
    write_onnx_bundle(tmp_path / "bundle")
    code = (
        "import sys; from edgenet.runner import __main__, measure;"
        "measure.open_bundle = lambda path: 1 / 0; sys.exit(__main__.main())"
    )
    output, errors = (process := _start(str(_write_job(tmp_path)), code=code)).communicate()
    assert process.returncode == 1
    assert "ZeroDivisionError" in _lines(output)[-1]["message"]
    assert "Traceback" in errors


def test_a_reader_that_is_gone_ends_the_process_without_a_traceback(tmp_path: Path) -> None:
    """The launcher was killed: nobody wants the rest."""
    write_onnx_bundle(tmp_path / "bundle")
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [sys.executable, "-m", "edgenet.runner", str(_write_job(tmp_path))],
        stdout=write_end,
        stderr=subprocess.PIPE,
        cwd=PACKAGE.parent,
        check=False,
    )
    os.close(write_end)
    assert process.returncode == 141
    assert process.stderr == b""


def test_torch_is_not_needed_for_an_onnx_bundle(tmp_path: Path) -> None:
    """A board has none."""
    write_onnx_bundle(tmp_path / "bundle")
    code = (
        "import sys; sys.modules['torch'] = None; from edgenet.runner.__main__ import main;"
        "sys.exit(main())"
    )
    output, _ = (process := _start(str(_write_job(tmp_path)), code=code)).communicate()
    assert (process.returncode, _lines(output)[-1]["event"]) == (0, "finished")


@pytest.mark.parametrize("path", ZONE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_of_the_zone_has_the_grammar_of_python_3_6(path: Path) -> None:
    """The system's Python of a Jetson Nano is 3.6; its TensorRT is for that Python alone."""
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 6))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(node.module == "__future__" for node in froms)
    assert not any(node.module == "dataclasses" for node in froms)


def test_vermin_finds_nothing_newer_than_python_3_6_in_the_zone() -> None:
    """Grammar is not all: functions of the standard library are newer, too."""
    if importlib.util.find_spec("vermin") is None:
        pytest.skip("vermin is not installed: pip install -e .[test]")
    arguments = ["-t=3.6-", "--no-tips", "--violations", *map(str, ZONE)]
    command = [sys.executable, "-c", "from vermin import main; main()", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def _python36() -> str:
    """Return a Python 3.6 to 3.9 with NumPy and onnxruntime, or skip the test."""
    candidates = [os.environ.get("EDGENET_PYTHON36")]
    versions = Path.home() / ".pyenv" / "versions"
    candidates += [str(path) for path in sorted(versions.glob("3.[6-9].*/bin/python"))]
    for candidate in filter(None, candidates):
        probe = "import sys, numpy, onnxruntime; sys.exit(not (3, 6) <= sys.version_info < (3, 10))"
        try:
            result = subprocess.run([candidate, "-c", probe], capture_output=True, check=False)
        except OSError:
            continue
        if result.returncode == 0:
            return str(candidate)
    pytest.skip("no Python 3.6 to 3.9 here that has numpy and onnxruntime (EDGENET_PYTHON36)")


def test_the_runner_runs_under_an_old_python(tmp_path: Path) -> None:
    """The same lines measure on a board: launched from here, with its interpreter."""
    python = _python36()
    write_onnx_bundle(tmp_path / "bundle")
    folder = write_evaluation_set(tmp_path / "set")
    job = Job(
        bundle=tmp_path / "bundle",
        runtime="onnxruntime",
        output=tmp_path,
        latency=(Scenario(1, 0.05, 0.1, 50), Scenario(64, 0.05, 0.05, 10)),
        evaluation_set=folder,
        evaluate=True,
    )
    outcome = run_job(job, tmp_path / "job.json", interpreter=python)
    assert outcome.finished, outcome
    accuracy, environment = outcome.find("accuracy"), outcome.find("environment")
    assert accuracy is not None
    assert (accuracy["correct"], accuracy["n"]) == (90, 100)
    assert environment is not None
    assert environment["describe"]["python"].startswith("3.")
    assert [event["batch"] for event in outcome.all("latency")] == [1, 64]
