"""What a foreign ONNX file answers when it is fed as its author did, and in which batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenet.errors import NotPossible
from edgenet.export.onnx_file import first_line
from edgenet.export.onnx_wrap import ForeignClassifier, wrap
from edgenet.verify.parity import compare, relative_bound, rounding_bound
from edgenet.verify.quantized import INT8, roundings

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgenet.runner.preprocess import Preprocessing

_NOTHING_BUT_FATAL = 4
_TRIED_BATCH = 3


@dataclass(frozen=True, kw_only=True)
class ForeignReference:
    """A foreign classifier's own answers, and the model that is to give the same.

    Attributes:
        wrapped: From raw pixels to logits, with ``batch``.
        batch: The only N that it takes; None if it takes any.
        pictures: uint8 [n, C, H, W].
        logits: The foreign file's output for them, float32 [n, K].
    """

    wrapped: onnx.ModelProto
    batch: int | None
    pictures: NDArray[np.uint8]
    logits: NDArray[np.float32]

    @classmethod
    def run(
        cls, foreign: ForeignClassifier, rule: Preprocessing, pictures: NDArray[np.uint8]
    ) -> ForeignReference:
        """Run the file on normalised pixels, and find out whether its batch can be made free.

        A file that declares a fixed batch often works with any; that is tried, and kept if three
        pictures together give what they give in the declared batch.

        Raises:
            NotPossible: onnxruntime does not run the file, or its outputs are not numbers.
        """
        logits = _answers(foreign, rule, pictures)
        if not np.isfinite(logits).all():
            raise NotPossible("the network's output is not finite for some of the pictures")
        bound = bound_of(foreign)
        wrapped, batch = wrap(foreign, rule, batch=None), None
        if not _takes_any_batch(wrapped, pictures, logits, bound):
            if foreign.batch is None:
                raise NotPossible(
                    f"the file leaves its batch free, but {_TRIED_BATCH} pictures together "
                    "do not give what each of them gives alone",
                    "fix the batch in the file, with the tool that wrote it",
                )
            batch = foreign.batch
            wrapped = wrap(foreign, rule, batch=batch)
        return cls(wrapped=wrapped, batch=batch, pictures=pictures, logits=logits)


def bound_of(foreign: ForeignClassifier) -> float:
    """Return how far two correct computations of a foreign file may differ, over max |logit|."""
    if foreign.precision == INT8:
        return rounding_bound(roundings(foreign.model))
    return relative_bound(foreign.longest_reduction)


def _answers(
    foreign: ForeignClassifier, rule: Preprocessing, pictures: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the file's own output, float32 [n, K], for normalised pictures."""
    session = _session(foreign.model)
    mean = np.asarray(rule.mean, np.float32).reshape(1, -1, 1, 1)
    std = np.asarray(rule.std, np.float32).reshape(1, -1, 1, 1)
    pad = ((0, 0), (0, 0), (rule.pad, rule.pad), (rule.pad, rule.pad))
    size = foreign.batch or 1
    results = []
    for start in range(0, len(pictures), size):
        raw = pictures[start : start + size]
        batch = np.zeros((size, *raw.shape[1:]), np.uint8)
        batch[: len(raw)] = raw
        pixels = (np.pad(batch, pad).astype(np.float32) / np.float32(255) - mean) / std
        results.append(_output(session, foreign.input_name, pixels)[: len(raw)])
    logits = np.concatenate(results)
    if logits.shape != (len(pictures), foreign.classes):
        raise NotPossible(
            f"the network gives {list(logits.shape[1:])} numbers a picture, not {foreign.classes}"
        )
    return logits


def _takes_any_batch(
    wrapped: onnx.ModelProto,
    pictures: NDArray[np.uint8],
    logits: NDArray[np.float32],
    bound: float,
) -> bool:
    """Try batches of one and of three against the answers that are known."""
    for size in (1, _TRIED_BATCH):
        try:
            answers = _output(_session(wrapped), "input", pictures[:size])
        except NotPossible:
            return False
        expected = logits[:size]
        if answers.shape != expected.shape or not compare(expected, answers, bound).passed:
            return False
    return True


def _session(model: onnx.ModelProto) -> Any:
    """Load a model from memory, where it cannot refer to any other file.

    Raises:
        NotPossible: onnxruntime is not installed, or does not load it.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise NotPossible(
            f"onnxruntime cannot be loaded: {error}", "install it: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NOTHING_BUT_FATAL
    options.add_session_config_entry("session.x64quantprecision", "1")  # as the runner does
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no base class of their own
        raise NotPossible(f"onnxruntime does not load the file: {first_line(error)}") from error


def _output(session: Any, name: str, pictures: NDArray[Any]) -> NDArray[np.float32]:
    """Run a session on one batch.

    Raises:
        NotPossible: onnxruntime does not run it.
    """
    try:
        output: NDArray[np.float32] = session.run(None, {name: pictures})[0]
    except Exception as error:  # its exceptions share no base class of their own
        raise NotPossible(f"onnxruntime does not run the file: {first_line(error)}") from error
    return output
