"""Running a loaded bundle on any number of pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.errors import NotPossible, UsageError
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import Inference, choose_runtime, open_inference
from edgenet.runner.runtimes import onnxruntime
from tests.bundles import edit_manifest, logits_of, pictures, write_onnx_bundle


class Session:
    """Keeps what it is run on, and answers with the mean of every picture."""

    def __init__(self) -> None:
        self.batches: list[NDArray[Any]] = []
        self.closed = False

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [N, 1]."""
        self.batches.append(images)
        means: NDArray[np.float32] = images.mean(axis=(1, 2, 3), dtype=np.float32)
        return means[:, np.newaxis]

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.mark.parametrize(
    ("fixed", "batch", "sizes"),
    [
        (None, 3, [3, 3, 1]),
        (None, None, [7]),
        (None, 256, [7]),
        (4, 3, [4, 4]),
        (7, None, [7]),
        (1, 256, [1] * 7),
        (9, 1, [9]),
    ],
)
def test_every_picture_is_run_once_in_batches_that_the_bundle_takes(
    fixed: int | None, batch: int | None, sizes: list[int]
) -> None:
    """A fixed batch is always full, and decides; the answers are those of single pictures."""
    session = Session()
    done: list[int] = []
    images = pictures(7)
    logits = Inference(session, fixed).logits(images, batch, done.append)
    np.testing.assert_array_equal(logits, Session().run(images))
    assert [len(batch) for batch in session.batches] == sizes
    assert done[-1] == 7
    assert done == sorted(done)


def test_a_batch_is_filled_up_with_its_last_picture() -> None:
    """Black ones could widen the range of activations that are quantized while running."""
    session, images = Session(), pictures(6)
    Inference(session, 4).logits(images)
    np.testing.assert_array_equal(session.batches[1], images[[4, 5, 5, 5]])


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_a_bundle_gives_the_logits_that_numpy_gives(tmp_path: Path, batch: int | None) -> None:
    """Whatever batch it takes, for a number of pictures that is no multiple of it."""
    bundle = open_bundle(write_onnx_bundle(tmp_path / "bundle", batch=batch))
    images = pictures(10)
    with closing(open_inference(bundle)) as inference:
        np.testing.assert_allclose(inference.logits(images), logits_of(images), rtol=1e-5)


def test_closing_closes_the_session() -> None:
    """It holds the model's memory."""
    session = Session()
    Inference(session, None).close()
    assert session.closed


def test_the_runtime_is_the_first_that_is_here_or_the_one_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never another one than was asked for."""
    folder = write_onnx_bundle(tmp_path / "bundle")
    bundle = open_bundle(folder)
    assert choose_runtime(bundle) == choose_runtime(bundle, "onnxruntime") == "onnxruntime"
    with pytest.raises(UsageError, match="torchscript does not run onnx files"):
        choose_runtime(bundle, "torchscript")
    with pytest.raises(UsageError, match="unknown runtime"):
        choose_runtime(bundle, "onnxrutime")
    monkeypatch.setattr(onnxruntime, "unavailable", lambda: "it is not installed")
    with pytest.raises(NotPossible, match="it is not installed"):
        choose_runtime(bundle)
    edit_manifest(folder, lambda manifest: manifest.update(format="unheard-of"))
    with pytest.raises(NotPossible, match="no runtime takes them"):
        open_inference(open_bundle(folder))
