"""Which pictures a bundle is measured on: the test split of its data set, as files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenet.errors import DataUnavailable, UsageError
from edgenet.progress import ProgressCallback
from edgenet.runner.bundle import Bundle, Manifest
from edgenet.workflows.runs import Run

if TYPE_CHECKING:
    from edgenet.data import Split

log = logging.getLogger(__name__)

_NAME_DATA = "name it: --data mnist, --data fashion-mnist or --data FOLDER"


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What a bundle is measured on.

    Attributes:
        folder: The evaluation set, or None for the bundle's golden inputs.
        reason: Why no accuracy can be measured, or None.
    """

    folder: Path | None = None
    reason: str | None = None


class PictureSource:
    """Finds and writes the evaluation sets of bundles, each once.

    Args:
        data: The data set that was asked for, or None for each bundle's own.
        split_seed: Decides the splits; None takes each bundle's own.
        progress: Told of loading.
    """

    def __init__(
        self, data: str | None, split_seed: int | None, progress: ProgressCallback
    ) -> None:
        self._data = data
        self._split_seed = split_seed
        self._progress = progress
        self._loaded: dict[tuple[object, ...], Split] = {}

    def of(self, bundle: Bundle, run: Run | None) -> Pictures:
        """Return what to measure a bundle on.

        A data set that was asked for must be there and fit. Where none was, the one recorded in
        the bundle or its run is taken, and if that cannot be had, accuracy is left out with the
        reason.

        Raises:
            UsageError: The data that were asked for do not fit the bundle.
            DataUnavailable: They are not here.
        """
        given, known = self._split_seed, recorded_split_seed(bundle.manifest, run)
        seed = (known if given is None else given) or 0
        if self._data is not None:
            return Pictures(folder=self._write(bundle, self._data, seed))
        arguments = run.arguments() if run is not None else {}
        recorded = bundle.manifest.options.get("data") or arguments.get("data")
        if not isinstance(recorded, str):
            return Pictures(reason=f"the bundle's data set is not known; {_NAME_DATA}")
        try:
            own = known is None or given in (None, known)
            return Pictures(folder=self._write(bundle, recorded, seed, recorded=own))
        except (DataUnavailable, UsageError) as error:
            log.warning("%s is measured without accuracy: %s", bundle.path, error.message)
            return Pictures(reason=error.message)

    def _write(self, bundle: Bundle, data: str, seed: int, *, recorded: bool = False) -> Path:
        from edgenet.data.evaluation import write_evaluation_set

        split = self._load(bundle, data, seed)
        _check_fit(bundle, data, split, recorded)
        return write_evaluation_set(split)

    def _load(self, bundle: Bundle, data: str, seed: int) -> Split:
        from edgenet.data import load

        rule = bundle.manifest.preprocessing
        key = (data, seed, rule.height, rule.width, rule.mode)
        if key not in self._loaded:
            dataset = load(
                data,
                split_seed=seed,
                image_size=(rule.height, rule.width),
                mode=rule.mode,
                progress=self._progress,
            )
            self._loaded[key] = dataset.test
        return self._loaded[key]


def recorded_split_seed(manifest: Manifest, run: Run | None) -> int | None:
    """Return the seed of the splits that a bundle was exported with, as far as it is known.

    Args:
        manifest: The bundle's own record comes first: it may have left its run.
        run: The run that it lies in, or None.
    """
    told = [manifest.options.get("split_seed")]
    if run is not None:
        told.append(run.arguments().get("split_seed"))
    return next((seed for seed in told if type(seed) is int and seed >= 0), None)


def _check_fit(bundle: Bundle, data: str, split: Split, recorded: bool) -> None:
    """Refuse data that say nothing about the bundle."""
    manifest = bundle.manifest
    if len(split) == 0:
        raise UsageError(f"{data} has no test pictures")
    if split.images.shape[1:] != manifest.picture_shape:
        found, wanted = list(split.images.shape[1:]), list(manifest.picture_shape)
        raise UsageError(f"{bundle.path} takes pictures of {wanted}, those of {data} are {found}")
    if split.class_names != manifest.labels:
        raise UsageError(f"the classes of {data} are not those of {bundle.path}")
    at_export = manifest.accuracy.get("test")
    if recorded and at_export is not None and at_export.digest != split.digest:
        raise DataUnavailable(
            f"the test pictures of {data} have changed since {bundle.path} was exported", _NAME_DATA
        )
