"""Run folders: where a run keeps what it was asked, what it did and what came of it."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import importlib.metadata
import io
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from edgenet.errors import CorruptFile, EdgenetError, UsageError
from edgenet.files import numbered_folder, write_text
from edgenet.runner import host
from edgenet.workflows.looks import LOG_NAME

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ARGUMENTS = "args.toml"
_PACKAGES = ("edgenet", "torch", "torchvision", "numpy", "onnx", "onnxscript", "onnxruntime")
_STATUS = "status.json"
_LOCK = ".lock"
ENVIRONMENT = "env.json"
HISTORY = "results.csv"
GROUP = "group.json"
MEMBERS = "members"
SEARCH = "search.json"
DISTILLATION = "distill.json"
SLIMMING = "slim.json"
OF_SEVERAL = ("distill", "slim")
"""Verbs whose runs have others below ``members/``, and are resumed by the verb itself."""
# All that a run's folder can hold, what says that it is one first.
_CONTENT = (
    *(ARGUMENTS, GROUP, _STATUS, ENVIRONMENT, HISTORY, LOG_NAME),
    *(SEARCH, DISTILLATION, SLIMMING),
    *(MEMBERS, "weights", "figures", "bundles", "rejected", "reports"),
)


@dataclass(frozen=True)
class Run:
    """A run's folder, with the places in it.

    Attributes:
        path: ``<project>/<verb>/<name>``.
    """

    path: Path

    @property
    def best(self) -> Path:
        """Weights of the best epoch, to be used."""
        return self.path / "weights" / "best.safetensors"

    @property
    def last(self) -> Path:
        """Weights and state of the last epoch, to be resumed from."""
        return self.path / "weights" / "last.safetensors"

    @property
    def figures(self) -> Path:
        """Folder of the pictures of what came of it."""
        return self.path / "figures"

    @property
    def bundles(self) -> Path:
        """Folder of the exported bundles."""
        return self.path / "bundles"

    @property
    def reports(self) -> Path:
        """Folder of what was measured later."""
        return self.path / "reports"

    def arguments(self) -> dict[str, Any]:
        """Read what the run was asked to do, with every default resolved.

        Raises:
            UsageError: The folder is not a run.
            CorruptFile: The file cannot be understood.
        """
        file = self.path / ARGUMENTS
        if not file.is_file():
            raise UsageError(f"{self.path} is not a run: it has no {ARGUMENTS}")
        return read_toml(file)

    def write_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Record what the run is asked to do."""
        write_text(self.path / ARGUMENTS, tomli_w.dumps(dict(arguments)))

    def write_json(self, name: str, values: object) -> None:
        """Write a JSON file into the run's folder."""
        write_text(self.path / name, json.dumps(values, indent=2) + "\n")

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write ``results.csv``: one row an epoch, all with the same names, one row at least."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / HISTORY, text.getvalue())

    def set_status(self, state: str, **figures: Any) -> None:
        """Record the state, with figures that ``edgenet runs`` shows."""
        self.write_json(_STATUS, {"state": state, **figures})

    def status(self) -> dict[str, Any]:
        """Return the recorded figures with the state as it is now.

        A run that says it is running, but that no process works on, was interrupted.
        """
        try:
            found = json.loads((self.path / _STATUS).read_text("utf-8"))
        except (OSError, ValueError):
            found = None
        status: dict[str, Any] = {"state": "running", **(found if isinstance(found, dict) else {})}
        if status["state"] == "running" and not self._locked():
            status["state"] = "interrupted"
        return status

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Keep every other process from working on this run, until the block or this process ends.

        Raises:
            EdgenetError: Another process works on it.
        """
        with (self.path / _LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise EdgenetError(
                    f"another process works on {self.path}", "wait for it"
                ) from error
            yield

    @contextlib.contextmanager
    def resuming(self) -> Iterator[None]:
        """Work on an interrupted run, swept of what a killed process left.

        Raises:
            UsageError: It is finished.
            EdgenetError: Another process works on it.
        """
        with self.working():
            if self.status()["state"] == "finished":
                raise UsageError(f"{self.path} is finished: there is nothing to resume")
            self.sweep()
            yield

    @contextlib.contextmanager
    def noting_failure(self) -> Iterator[None]:
        """Record the state ``failed``, with the reason, when an error ends the block."""
        try:
            yield
        except Exception as error:
            figures = {name: value for name, value in self.status().items() if name != "state"}
            with contextlib.suppress(EdgenetError, OSError):  # the first error is the one to tell
                self.set_status("failed", **{**figures, "reason": str(error)})
            raise

    def clear(self) -> None:
        """Remove what an earlier run left, so that nothing of it is taken for this run's.

        Raises:
            EdgenetError: The folder cannot be written.
        """
        for name in _CONTENT:
            place = self.path / name
            try:
                if place.is_dir() and not place.is_symlink():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)
            except OSError as error:
                raise EdgenetError(
                    f"cannot overwrite {place}: {error.strerror}", "choose another --name"
                ) from error

    def refuse_to_clear(self, *sources: str | Path) -> None:
        """Refuse to overwrite the run where it holds what is to be read.

        Raises:
            UsageError: A source lies in it.
        """
        own = self.path.resolve()
        for source in sources:
            if Path(source).resolve().is_relative_to(own):
                raise UsageError(
                    f"{source} lies in {self.path}, which would be overwritten",
                    "choose another --name",
                )

    def sweep(self) -> None:
        """Remove the temporary files that a killed process left; only for who works on the run."""
        for folder in (self.path, self.best.parent, self.figures):
            for left in folder.glob(".*-*"):
                if left.is_file():
                    left.unlink()

    def _locked(self) -> bool:
        try:
            with self.working():
                return False
        except (EdgenetError, OSError):
            return (self.path / _LOCK).exists()


def new_run(project: Path, verb: str, name: str, *, exist_ok: bool = False) -> Run:
    """Make the folder of a run; a name that is taken gets a number.

    Args:
        project: Folder of all runs.
        verb: What is run, such as ``train``.
        name: Wanted name of the run.
        exist_ok: Work in the folder of that name even if it is there.

    Raises:
        UsageError: ``name`` is not the plain name of a folder.
        EdgenetError: The folder cannot be made.
    """
    check_name(name)
    hint = "choose another --project"
    return Run(numbered_folder(project / verb, name, hint, exist_ok=exist_ok))


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a run's folder.

    Raises:
        UsageError: It is empty, hidden or has a slash.
    """
    if not name or name.startswith(".") or Path(name).name != name:
        raise UsageError(
            f"{name!r} cannot be the name of a run", "use a plain name without slashes"
        )


def environment() -> dict[str, Any]:
    """Return machine, its present load and installed packages, as plain JSON values."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {"host": host.describe(), "now": host.snapshot(), "packages": versions}


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: It cannot be read.
        CorruptFile: It is not TOML.
    """
    try:
        values: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise CorruptFile(f"{file} is not valid TOML: {error}") from error
    return values
