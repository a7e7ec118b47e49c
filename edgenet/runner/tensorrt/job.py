"""What a process that builds engines is asked to do."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from edgenet.runner.fields import FieldError, Record
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.tensorrt.builder import BuildOptions
from edgenet.runner.tensorrt.library import TITLES

_MAX_FILES = 4096
_MAX_WORKSPACE_BYTES = 1 << 40
_FIELDS = ("library", "files", "first", "plans", "options")


class EngineJob(NamedTuple):
    """What to build.

    Attributes:
        library: ``tensorrt`` or ``tensorrt_rtx``.
        files: ONNX files.
        first: Number of the first file.
        plans: Folder for the plans, named by the file's number (``0.plan``); None keeps none.
        options: For all of them.
    """

    library: str
    files: Tuple[str, ...]
    first: int
    plans: Optional[str]
    options: BuildOptions

    def to_json(self) -> Dict[str, Any]:
        """Return it as plain JSON values."""
        cache = self.options.timing_cache
        options = dict(
            self.options._asdict(),
            batches=list(self.options.batches),
            timing_cache=None if cache is None else str(cache),
        )
        return dict(self._asdict(), files=list(self.files), options=options)

    @classmethod
    def from_json(cls, value: Any) -> "EngineJob":
        """Read a job.

        Raises:
            FieldError: A field is missing, unknown or not acceptable.
        """
        record = Record(value, "", _FIELDS)
        return cls(
            record.text("library", "|".join(TITLES)),
            tuple(str(name) for name in record.items("files", _MAX_FILES)),
            record.integer("first", 0, _MAX_FILES),
            record.optional_text("plans"),
            _options(record.raw("options")),
        )


def _options(value: Any) -> BuildOptions:
    record = Record(value, "options", BuildOptions._fields)
    sizes = record.items("batches", 3)
    if len(sizes) != 3 or not all(isinstance(n, int) and 1 <= n <= MAX_BATCH for n in sizes):
        raise FieldError("options.batches must be three batch sizes")
    limit = None
    if record.raw("workspace_bytes") is not None:
        limit = record.integer("workspace_bytes", 1, _MAX_WORKSPACE_BYTES)
    cache = record.optional_text("timing_cache")
    return BuildOptions(
        (sizes[0], sizes[1], sizes[2]),
        limit,
        record.raw("without_cublas_cudnn") is True,
        None if cache is None else Path(cache),
    )
