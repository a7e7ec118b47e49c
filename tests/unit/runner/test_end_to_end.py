"""From encoded pictures to classes: what is encoded, and that the stages do what `predict` does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import NotPossible
from edgenet.runner.bundle import open_bundle
from edgenet.runner.end_to_end import LEAST_SIDE, encode, measure, stages
from edgenet.runner.job import Job, Scenario
from edgenet.runner.measure import run_job
from edgenet.runner.preprocess import Preprocessing
from edgenet.runner.runtimes import load_runtime
from tests.bundles import pictures, write_onnx_bundle


def test_pictures_are_enlarged_and_encoded_for_queries_of_a_batch() -> None:
    """To at least 224 pixels on the shorter side, by a whole factor."""
    encoded = encode(pictures(10), 4)
    assert [len(batch) for batch in encoded.batches] == [4, 4]
    assert (encoded.height, encoded.width) == (6 * 45, 5 * 45)
    assert min(encoded.height, encoded.width) >= LEAST_SIDE
    assert encoded.batches[0][0].startswith(b"\xff\xd8")
    few = encode(pictures(3), 5)
    assert [len(batch) for batch in few.batches] == [5]
    assert few.batches[0][0] == few.batches[0][3]


def test_the_stages_lead_from_files_to_classes() -> None:
    """A light picture and a dark one come through as such, in colour as in grey."""
    for channels, mode in ((1, "L"), (3, "RGB")):
        images = np.zeros((2, channels, 28, 28), np.uint8)
        images[1] = 255
        rule = Preprocessing(
            mode=mode,
            height=28,
            width=28,
            resize="stretch",
            polarity=None,
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
        )

        class Session:
            def run(self, inputs: Any) -> Any:
                """Say how light each picture is."""
                light = inputs.reshape(len(inputs), -1).mean(axis=1) / 255
                return np.stack([1 - light, light], axis=1)

        value: Any = encode(images, 2).batches[0]
        for stage in stages(Session(), rule):
            value = stage(value)
        assert value.tolist() == [0, 1]


def test_queries_are_timed_by_stage(tmp_path: Path) -> None:
    """With the state of the machine before and after."""
    bundle = open_bundle(write_onnx_bundle(tmp_path / "b"))
    session = load_runtime("onnxruntime").open_session(bundle, 1, "cpu")
    samples, fields = measure(session, bundle, Scenario(2, 0.0, 0.0, 3), encode(pictures(4), 2))
    session.close()
    assert samples.shape == (3, 4)
    assert samples.dtype == np.int64
    assert (samples > 0).all()
    assert (fields["batch"], fields["queries"], fields["picture"]["encoding"]) == (2, 3, "JPEG")
    assert fields["host_after"]["at_ns"] > fields["host_before"]["at_ns"]


def test_without_pillow_it_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board without it has all the other figures; a job that does not ask gets none."""
    bundle = write_onnx_bundle(tmp_path / "b")
    scenario = Scenario(1, 0.0, 0.0, 1)
    asked = Job(
        bundle=bundle, runtime="onnxruntime", output=tmp_path, latency=(scenario,), pin=False
    )
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(NotPossible):
        encode(pictures(1), 1)
    events: list[dict[str, Any]] = []
    run_job(asked._replace(end_to_end=scenario), events.append)
    skipped = [event for event in events if event["event"] == "skipped"]
    assert [event["what"] for event in skipped] == ["end-to-end"]
    assert skipped[0]["reason"] == "Pillow is not installed, which decodes pictures"
    assert events[-1]["event"] == "finished"
