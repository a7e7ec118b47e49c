"""The data that a bundle is calibrated and judged on: those of its export, or others that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import ProgressCallback
from edgenet.workflows.bench_data import recorded_split_seed

if TYPE_CHECKING:
    from pathlib import Path

    from edgenet.data import Dataset
    from edgenet.runner.bundle import Bundle
    from edgenet.workflows.runs import Run

_NAME_DATA = "name the data set: --data mnist, --data fashion-mnist or --data FOLDER"


def data_of(
    bundle: Bundle, run: Run | None, data: str | None, source: str | Path
) -> tuple[str, int]:
    """Return the name of the data and the seed of their splits.

    Raises:
        UsageError: Nothing says which data.
    """
    recorded = bundle.manifest.options.get("data")
    name = data or (recorded if isinstance(recorded, str) else None)
    if name is None:
        raise UsageError(f"{source} does not say what it was trained on", _NAME_DATA)
    return name, recorded_split_seed(bundle.manifest, run) or 0


def load_for(
    bundle: Bundle, name: str, seed: int, *, recorded: bool, progress: ProgressCallback
) -> Dataset:
    """Load the data, and refuse what does not fit the bundle.

    Raises:
        UsageError: Shape or classes differ, or nothing is there to decide on.
        DataUnavailable: They are to be those of the export, and have changed since.
    """
    from edgenet.data import load

    manifest, rule = bundle.manifest, bundle.manifest.preprocessing
    dataset = load(
        name,
        split_seed=seed,
        image_size=(rule.height, rule.width),
        mode=rule.mode,
        progress=progress,
    )
    for split in (dataset.train, dataset.validation, dataset.test):
        if split.images.shape[1:] != manifest.picture_shape:
            found, wanted = list(split.images.shape[1:]), list(manifest.picture_shape)
            raise UsageError(f"the network takes pictures of {wanted}, those of {name} are {found}")
        if tuple(split.class_names) != manifest.labels:
            raise UsageError(f"the classes of {name} are not those of the network", _NAME_DATA)
        at_export = manifest.accuracy.get(split.name)
        if recorded and at_export is not None and at_export.digest != split.digest:
            raise DataUnavailable(
                f"the {split.name} split of {name} is not the one that the FP32 bundle was "
                "exported with: its pictures, labels or class names have changed",
                f"to go on with what is there now, say so: --data {name}",
            )
    if not len(dataset.validation):
        raise UsageError(f"the validation split of {name} has no pictures to decide on")
    return dataset
