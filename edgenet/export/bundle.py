"""Writing a bundle: all of it at once, after it has been verified, or nothing. Needs no torch."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.files import new_folder_atomically, sha256_of
from edgenet.runner.bundle import GOLDEN_NAME, MANIFEST_NAME, MAX_GOLDEN_INPUTS, Bundle
from edgenet.runner.manifest import FileInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edgenet.export.format import Written
    from edgenet.runner.manifest import Manifest


def golden_rows(n: int, most: int = MAX_GOLDEN_INPUTS) -> NDArray[np.int64]:
    """Choose golden pictures, spread evenly over a split that may be sorted by class.

    Args:
        n: Pictures of the split, one at least.
        most: How many to choose, if there are so many.

    Returns:
        Ascending positions, int64 [min(n, most)].
    """
    rows: NDArray[np.int64] = np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)
    return rows


class BundleWriter:
    """A bundle in the making, in a folder that does not yet have its final name.

    First the model file is written to ``model_path``, then ``complete`` adds the rest. What is
    complete can be opened at ``folder`` like any bundle, and be discarded.

    Args:
        folder: Empty.
        draft: The manifest without the hashes of files.
    """

    def __init__(self, folder: Path, draft: Manifest) -> None:
        self.folder = folder
        self.discarded = False
        self._draft = draft

    @property
    def model_path(self) -> Path:
        """Where the model file is to be written."""
        return self.folder / self._draft.model

    @property
    def metadata(self) -> dict[str, Any]:
        """What the model file itself is to carry, so that it can be used without its bundle."""
        declared = self._draft.to_json()
        names = ("name", "labels", "preprocessing", "probability")
        return {**{name: declared[name] for name in names}, "edgenet": self._draft.tools["edgenet"]}

    def unverified(self) -> Bundle:
        """Return what a runtime needs to run the model file before golden vectors exist."""
        return Bundle(self.folder, self._draft)

    def complete(self, golden: Mapping[str, NDArray[Any]], written: Written) -> None:
        """Write the golden vectors and the manifest.

        Args:
            golden: Arrays by name, as :meth:`edgenet.runner.bundle.Bundle.golden` describes them.
            written: What the format said of the model file.
        """
        arrays: dict[str, Any] = dict(golden)
        np.savez(self.folder / GOLDEN_NAME, **arrays)
        files = {
            name: FileInfo(sha256_of(self.folder / name), (self.folder / name).stat().st_size)
            for name in (self._draft.model, GOLDEN_NAME)
        }
        manifest = self._draft._replace(
            files=files,
            options={**self._draft.options, **written.options},
            tools={**self._draft.tools, **written.tools},
        )
        text = json.dumps(manifest.to_json(), indent=2, ensure_ascii=False)
        (self.folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")

    def discard(self) -> None:
        """Let the surrounding :func:`new_bundle` block end without a bundle."""
        self.discarded = True


class _Discarded(Exception):  # noqa: N818 - nothing went wrong
    """Keeps the folder from getting its name; never seen outside."""


def _end(writer: BundleWriter) -> None:
    if writer.discarded:
        raise _Discarded


@contextlib.contextmanager
def new_bundle(path: Path, draft: Manifest, *, overwrite: bool = False) -> Iterator[BundleWriter]:
    """Make a bundle that appears at ``path`` when the block ends without an error.

    After an error, or :meth:`BundleWriter.discard`, nothing is left behind, and a bundle that was
    there before is still there.

    Raises:
        UsageError: ``path`` exists and is not to be overwritten.
        EdgenetError: The disk is full or the place cannot be written.
    """
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        with new_folder_atomically(path, overwrite) as folder:
            writer = BundleWriter(folder, draft)
            yield writer
            _end(writer)
    except BaseException as reason:
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if not isinstance(reason, _Discarded):
            raise
