"""Running edgenet's commands as a person types them, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edgenet.errors import EXIT_DONE, EXIT_INVALID_MEASUREMENT

Command = Callable[..., "subprocess.CompletedProcess[str]"]
"""Takes a folder and the words of a command."""


def edgenet(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` to its end, with some environment variables set."""
    return subprocess.run(
        [sys.executable, "-m", "edgenet", *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def said(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check the exit code and that stderr has the words, without a traceback."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def measured(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that ``bench`` measured; whether the machine was quiet is none of a test's business."""
    invalid = result.returncode == EXIT_INVALID_MEASUREMENT
    said(result, EXIT_INVALID_MEASUREMENT if invalid else EXIT_DONE, *words)
