"""Tell what a name means: a run, a group of them, a checkpoint, a bundle, pictures or a model.

A path is known by its marker file. A bare word is a model's name where no such path exists.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edgenet import models
from edgenet.errors import CorruptFile, UsageError, unknown_name
from edgenet.runner.manifest import MANIFEST_NAME
from edgenet.workflows.groups import is_group, member_run, seeds_of
from edgenet.workflows.runs import ARGUMENTS, MEMBERS, OF_SEVERAL, Run

# fmt: off
PICTURE_SUFFIXES = frozenset({
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".npy", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
})
# fmt: on
_MODEL_FILE_SUFFIXES = frozenset({".onnx", ".pt", ".pth", ".pt2", ".engine", ".plan"})


class Kind(Enum):
    """What a source can be; the value is what people call it."""

    RUN = "a run folder"
    GROUP = "a seed group"
    CHECKPOINT = "a checkpoint"
    BUNDLE = "a bundle"
    PICTURE = "a picture"
    PICTURES = "a folder of pictures"
    MODEL = "a model name"


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a source turned out to be.

    Attributes:
        source: As it was written.
        kind: What it is.
        path: Where it lies; the bare word itself for a model name.
    """

    source: str
    kind: Kind
    path: Path

    @property
    def run(self) -> Run | None:
        """The run that it is or lies in, or None; a group is one, too."""
        if self.kind in (Kind.RUN, Kind.GROUP):
            return Run(self.path)
        if self.kind in (Kind.CHECKPOINT, Kind.BUNDLE):
            grandparent = self.path.absolute().parent.parent
            if (grandparent / ARGUMENTS).is_file():
                return Run(grandparent)
        return None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that it is, or the run's best one.

        Raises:
            UsageError: It is neither, or the run has no checkpoint yet.
        """
        if self.kind is Kind.CHECKPOINT:
            return self.path
        if self.kind is not Kind.RUN:
            raise _unwanted(self, (Kind.RUN, Kind.CHECKPOINT))
        best = Run(self.path).best
        if not best.is_file():
            raise _without_weights(Run(self.path))
        return best

    @property
    def bundles(self) -> tuple[Path, ...]:
        """The bundle that it is, or all of the run's in the order of their names; maybe none.

        Raises:
            UsageError: It is neither.
        """
        if self.kind is Kind.BUNDLE:
            return (self.path,)
        if self.kind is not Kind.RUN:
            raise _unwanted(self, (Kind.RUN, Kind.BUNDLE))
        return _folders_with(MANIFEST_NAME, Run(self.path).bundles)


def resolve(source: str | Path, *, accept: tuple[Kind, ...] = tuple(Kind)) -> Resolved:
    """Tell what ``source`` is.

    Args:
        source: A path, or a model's name.
        accept: The kinds that the caller can use.

    Raises:
        UsageError: It is none of these or not among ``accept``; the hint has the nearest match.
        CorruptFile: A folder has a run's weights, but what describes the run is missing.
    """
    text = os.fspath(source)
    path = Path(text)
    kind = _kind_of(path, text) if text else None
    if kind is None:
        raise _unknown(text, accept)
    resolved = Resolved(source=text, kind=kind, path=path)
    if kind not in accept:
        raise _unwanted(resolved, accept)
    return resolved


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder and of all folders in it, by their suffix, in order."""
    return tuple(
        sorted(
            file
            for file in folder.rglob("*")
            if file.suffix.lower() in PICTURE_SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        )
    )


def newest_interrupted(project: Path, verb: str = "train") -> Path:
    """Return the newest run below ``project`` that was interrupted or failed.

    Raises:
        UsageError: There is none.
    """
    waiting = [
        run
        for run in map(Run, _folders_with(ARGUMENTS, project / verb))
        if run.status()["state"] in ("interrupted", "failed")
    ]
    if not waiting:
        raise UsageError(f"no run in {project / verb} was interrupted", "see: edgenet runs")
    return max(waiting, key=lambda run: (run.path / ARGUMENTS).stat().st_mtime).path


def _folders_with(marker: str, folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file.parent for file in folder.glob(f"*/{marker}")))


def _kind_of(path: Path, text: str) -> Kind | None:
    if path.is_dir():
        return _kind_of_folder(path)
    if path.exists():
        return _kind_of_file(path)
    return Kind.MODEL if text in models.names() else None


def _kind_of_folder(path: Path) -> Kind:
    if os.path.lexists(path / MANIFEST_NAME):
        return Kind.BUNDLE
    if (path / ARGUMENTS).is_file():
        return Kind.GROUP if is_group(path) else Kind.RUN
    if Run(path).best.is_file():
        raise CorruptFile(
            f"{path} looks like a run, but its {ARGUMENTS} is missing",
            f"name the checkpoint itself: {Run(path).best}",
        )
    if pictures_in(path):
        return Kind.PICTURES
    inside = _folders_with(ARGUMENTS, path) + _folders_with(MANIFEST_NAME, path)
    raise UsageError(
        f"{path} is no run, no bundle and has no pictures in it",
        f"did you mean {inside[0]}?" if inside else None,
    )


def _kind_of_file(path: Path) -> Kind:
    if path.name == MANIFEST_NAME:
        raise UsageError(f"{path} is part of a bundle", f"name the bundle's folder: {path.parent}")
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return Kind.CHECKPOINT
    if suffix in PICTURE_SUFFIXES:
        return Kind.PICTURE
    if suffix in _MODEL_FILE_SUFFIXES:
        if (path.parent / MANIFEST_NAME).exists():
            hint = f"name the bundle's folder: {path.parent}"
        elif suffix == ".onnx":
            hint = f"make a bundle of it: edgenet import {path} --labels … --mean … --std …"
        else:
            hint = "edgenet reads run folders, .safetensors checkpoints and bundles"
        raise UsageError(f"{path} is a bare model file", hint)
    raise UsageError(
        f"{path} is no checkpoint (.safetensors) and no picture",
        f"pictures end in {', '.join(sorted(PICTURE_SUFFIXES))}",
    )


def _unwanted(resolved: Resolved, accept: tuple[Kind, ...]) -> UsageError:
    message = f"{resolved.source} is {resolved.kind.value}, not {_either(accept)}"
    if resolved.kind is Kind.GROUP:
        return UsageError(message, _hint_to_a_member(resolved.path, accept))
    if resolved.kind is Kind.RUN and Kind.BUNDLE in accept:
        bundles = ", ".join(str(bundle) for bundle in resolved.bundles)
        missing = f"make a bundle of it first: edgenet export {resolved.source}"
        return UsageError(message, f"name one of its bundles: {bundles}" if bundles else missing)
    if resolved.kind is Kind.MODEL and Kind.RUN in accept:
        hint = f"train it first: edgenet train --model {resolved.source}"
        return UsageError(message, hint)
    return UsageError(message)


def _without_weights(run: Run) -> UsageError:
    """Build the error for a run without weights: unfinished, or with those of its members alone."""
    message = f"the run {run.path} has no {run.best.relative_to(run.path)}"
    if run.status()["state"] == "finished":
        members = sorted(str(place.parent) for place in run.path.glob(f"{MEMBERS}/*/{ARGUMENTS}"))
        if members:
            return UsageError(message, f"name one of its members: {', '.join(members)}")
    verb = run.path.absolute().parent.name
    verb = verb if verb in OF_SEVERAL else "train"
    return UsageError(f"{message} yet", f"continue it with: edgenet {verb} --resume {run.path}")


def _hint_to_a_member(group: Path, accept: tuple[Kind, ...]) -> str | None:
    """Say what to name instead of a group where one network is wanted."""
    members = [member_run(group, seed) for seed in seeds_of(group)]
    if Kind.RUN in accept or Kind.CHECKPOINT in accept:
        return f"name one of its members: {', '.join(str(member.path) for member in members)}"
    if Kind.BUNDLE not in accept:
        return None
    bundles = [bundle for run in members for bundle in _folders_with(MANIFEST_NAME, run.bundles)]
    if bundles:
        return f"name a bundle of one of its members: {', '.join(map(str, bundles))}"
    return f"make a bundle of one of its members first: edgenet export {members[0].path}"


def _either(kinds: tuple[Kind, ...]) -> str:
    *others, last = (kind.value for kind in kinds)
    return f"{', '.join(others)} or {last}" if others else last


def _unknown(text: str, accept: tuple[Kind, ...]) -> UsageError:
    """Build the error for what is neither a path nor a model, naming the nearest thing there is."""
    bare = text and not Path(text).suffix and Path(text).name == text
    if not bare:
        return UsageError(f"there is no {text!r}", _nearest_path(text))
    run = next(iter(sorted(Path("runs").glob(f"*/{text}/{ARGUMENTS}"))), None)
    hint = f"did you mean {run.parent}?" if run else _nearest_path(text)
    if Kind.MODEL in accept:
        unknown = unknown_name("model", text, models.names())
        near_model = unknown.hint is not None and unknown.hint.startswith("did you mean")
        message = f"{text!r} is neither a path nor a model"
        return UsageError(message, unknown.hint if near_model or not hint else hint)
    return UsageError(f"there is no {text!r} to take for {_either(accept)}", hint)


def _nearest_path(text: str) -> str | None:
    """Return a hint that names the entry most like ``text`` in the deepest folder that exists."""
    path = Path(text)
    while path.parent != path:
        folder, wanted = path.parent, path.name
        if folder.is_dir():
            try:
                names = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
            except OSError:
                return None
            nearest = difflib.get_close_matches(wanted, names, n=1)
            return f"did you mean {folder / nearest[0]}?" if nearest else None
        path = folder
    return None
