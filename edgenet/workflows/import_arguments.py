"""What ``import`` is asked to do, checked as far as it can be without looking at the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenet.errors import UsageError, unknown_name
from edgenet.runner.preprocess import MAX_INPUT_SIDE, MODES, POLARITIES

OUTPUTS = ("logits", "probabilities")


@dataclass(frozen=True, kw_only=True)
class ImportArguments:
    """What to import, and what its file does not say.

    Attributes:
        file: An ONNX file with its weights inside: float32 [N, C, H, W] to [N, K].
        labels: The K class names, in the order of the outputs.
        mean: Of [0, 1] pixels, one a channel, that the network's training subtracted.
        std: By which it divided then, one a channel.
        mode: ``L`` or ``RGB``; None takes what the number of channels says.
        image_size: Height and width of the pictures; None takes the file's.
        pad: Zero pixels around the raw picture that the network was trained with.
        polarity: ``light-on-dark`` or ``dark-on-light``, what it was trained on; None for mixed.
        output: ``logits`` or ``probabilities``; None takes a final Softmax for probabilities.
        data: A data set or folder whose validation pictures become the golden inputs; None takes
            random pixels from a fixed seed.
        project: Folder of all runs.
        name: Name of the run; None takes the file's. A name that is taken gets a number.
        exist_ok: Replace the run of that name instead.

    Raises:
        UsageError: A value cannot be.
    """

    file: Path
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mode: str | None = None
    image_size: tuple[int, int] | None = None
    pad: int = 0
    polarity: str | None = None
    output: str | None = None
    data: str | None = None
    project: Path = Path("runs")
    name: str | None = None
    exist_ok: bool = False

    def __post_init__(self) -> None:
        if len(self.labels) < 2:
            raise UsageError(f"a classifier has 2 labels or more, not {len(self.labels)}")
        for kind, name, known in (
            ("mode", self.mode, tuple(MODES)),
            ("polarity", self.polarity, POLARITIES),
            ("output", self.output, OUTPUTS),
        ):
            if name is not None and name not in known:
                raise unknown_name(kind, name, known)
        if not all(math.isfinite(value) for value in self.mean):
            raise UsageError(f"mean must be numbers, not {self.mean}")
        if not all(math.isfinite(value) and value > 0 for value in self.std):
            raise UsageError(f"std must be numbers above 0, not {self.std}")
        if self.pad < 0:
            raise UsageError(f"pad must be 0 or more, not {self.pad}")
        sides = self.image_size or ()
        if not all(1 <= side <= MAX_INPUT_SIDE for side in sides):
            raise UsageError(f"image_size must be 1 to {MAX_INPUT_SIDE}, not {sides}")

    def to_config(self) -> dict[str, Any]:
        """Return the arguments as the table that ``args.toml`` holds."""
        values = {**vars(self), "file": str(self.file), "project": str(self.project)}
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
        return {name: value for name, value in plain.items() if value is not None}
