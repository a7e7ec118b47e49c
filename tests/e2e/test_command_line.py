"""The command as it is typed, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgenet.cli import deployment, measurement, training, understanding, using

GROUPS = (training, deployment, measurement, understanding, using)
VERBS = [verb for group in GROUPS for verb in group.VERBS]
HEAVY = ("torch", "torchvision", "onnx", "onnxruntime", "numpy", "matplotlib", "PIL", "safetensors")

# Runs the command in this interpreter and then says on stderr which modules it took.
SPY = """
import sys
from edgenet.cli.app import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def edgenet(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "edgenet", *arguments]
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, capture_output=True, text=True, timeout=120, check=False, **options
    )


@pytest.mark.parametrize("arguments", [[], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help must come at once, also on a machine where torch takes seconds to import."""
    command = [sys.executable, "-c", SPY, *(arguments or ["--help"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout
    imported = set(done.stderr.split())
    assert "typer" in imported
    assert not imported.intersection(HEAVY)


def test_the_module_and_the_command_are_the_same() -> None:
    """``python -m edgenet`` is for where the scripts' folder is not on the path."""
    done = edgenet("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("edgenet ")


def test_shell_completion_knows_verbs_options_and_models(tmp_path: Path) -> None:
    """The script that a shell sources asks the command itself."""
    script = edgenet("--show-completion", "bash")
    assert script.returncode == 0
    assert "_EDGENET_COMPLETE" in script.stdout
    for words, wanted in (
        ("edgenet tr", "train"),
        ("edgenet train --ep", "--epochs"),
        ("edgenet train --model lenet", "lenet5-relu"),
    ):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        environment = {**os.environ, **asked, "_EDGENET_COMPLETE": "complete_bash"}
        command = [sys.executable, "-c", "from edgenet.cli.app import main; main()"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert wanted in done.stdout.split(), done.stderr


def test_an_error_is_two_lines_on_stderr_and_no_traceback(tmp_path: Path) -> None:
    """What is wrong, and what to do."""
    done = edgenet("eval", "runs/train/nothing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0].startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_corrupt_checkpoint_has_exit_code_6_and_is_named(tmp_path: Path) -> None:
    """As JSON, too: a program learns the kind of failure without reading prose."""
    (tmp_path / "best.safetensors").write_bytes(b"\x10" + bytes(100))
    done = edgenet("eval", "best.safetensors", "--json", cwd=tmp_path)
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "corrupt-file"
    assert "best.safetensors" in error["message"]


def test_no_colour_reaches_a_pipe(tmp_path: Path) -> None:
    """Neither results nor errors carry escape sequences where nobody asked for them."""
    listed, failed = edgenet("models"), edgenet("trian")
    assert "lenet5" in listed.stdout
    assert "\x1b" not in listed.stdout + listed.stderr + failed.stderr


def test_a_reader_that_leaves_early_is_no_defect(tmp_path: Path) -> None:
    """``edgenet models | head -1`` must end without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "edgenet", "models"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    """A result that was not written must not look like one that was."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgenet", "models", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_training_with_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """128 plus the number, one line on stderr, and a run that can be resumed."""
    options = ["--threads", "1", "--model", "mlp", "--no-augment", "--epochs", "1000"]
    with subprocess.Popen(
        [sys.executable, "-m", "edgenet", "train", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "runs" / "train" / "mlp" / "weights" / "last.safetensors").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[-1] == f"error: {'interrupted' if code == 130 else 'terminated'}"
    listed = json.loads(edgenet("runs", "--json", cwd=tmp_path).stdout)
    assert listed["runs"][0]["state"] == "interrupted"


@pytest.mark.parametrize("end", ["| true", ">&-", "2>&-"])
def test_a_reader_that_has_left_is_no_defect(end: str) -> None:
    """``edgenet … | head`` ends quietly, whatever is still to be said."""
    shell = f"{sys.executable} -m edgenet models --json {end}"
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""


def test_a_terminal_without_unicode_gets_escapes() -> None:
    """A layer table has a ×, and must not end in a traceback for that."""
    done = edgenet("inspect", "lenet5", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert r"6\xd728\xd728" in done.stdout
