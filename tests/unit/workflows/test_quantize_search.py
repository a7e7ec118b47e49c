"""Choosing a scheme, and rolling layers back until the gate would pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgenet.compress.execution import logits_of
from edgenet.compress.ranges import Tails, observe
from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.data import Split
from edgenet.errors import UsageError
from edgenet.progress import Step
from edgenet.workflows.quantize_search import Search, Trials, check_layers
from tests.unit.compress.graphs import LAYERS, classifier, content, pictures

N = 400
SYMMETRIC = tuple(scheme for scheme in SCHEMES.values() if scheme.activations == "int8")


def spoiled() -> bytes:
    """Return a classifier with one layer whose largest weight drowns all its others."""
    model = classifier()
    for name, place, value in (
        ("left.weight", np.s_[:, 0], 1e4),
        ("conv.bias", np.s_[0], -100),
    ):
        (tensor,) = [each for each in model.graph.initializer if each.name == name]
        values = numpy_helper.to_array(tensor).copy()
        values[place] = value  # the channel that the large weight reads is dead
        tensor.CopyFrom(numpy_helper.from_array(values, name))
    written: bytes = model.SerializeToString()
    return written


def trials(model: bytes, max_drop: float, n: int = N, steps: list[Step] | None = None) -> Trials:
    """Prepare a search on random pictures whose labels are the FP32 network's decisions."""
    images = pictures(n, seed=2)
    labels = logits_of(model, images).argmax(axis=1).astype(np.int64)
    observed: Mapping[str, Tails] = observe(model, pictures())
    return Trials(
        model=model,
        observed=observed,
        validation=Split(
            name="validation", images=images, labels=labels, class_names=tuple("abcd")
        ),
        max_drop=max_drop,
        stored="int8",
        threads=1,
        progress=(steps if steps is not None else []).append,
    )


@pytest.fixture(scope="module")
def rolled_back() -> Search:
    """Return a search in which no scheme passes."""
    return trials(spoiled(), 0.1).search(SYMMETRIC)


def test_every_scheme_is_tried_and_the_best_of_validation_is_chosen() -> None:
    """Most right, then most agreement, then the first; nothing is rolled back if it passes."""
    steps: list[Step] = []
    found = trials(content(), 0.9, steps=steps).search(SYMMETRIC)
    assert [trial.scheme.name for trial in found.trials] == [each.name for each in SYMMETRIC]
    assert found.chosen.rank == max(trial.rank for trial in found.trials)
    best = [trial for trial in found.trials if trial.rank == found.chosen.rank]
    assert best[0] is found.chosen
    assert found.sensitivity is None
    assert found.chosen.verdict == "passed"
    assert {step.task for step in steps} == {"calibrate", "schemes"} - {"calibrate"}


def test_the_most_sensitive_layer_goes_back_first_and_it_passes(rolled_back: Search) -> None:
    """The layer that was spoiled; each attempt is a candidate."""
    assert {trial.verdict for trial in rolled_back.trials[: len(SYMMETRIC)]} == {"failed"}
    assert rolled_back.sensitivity is not None
    assert rolled_back.sensitivity[0].layer == "left"
    assert rolled_back.chosen.verdict == "passed"
    assert rolled_back.chosen.rolled_back[0] == "left"
    assert rolled_back.chosen is rolled_back.trials[-1]
    assert set(rolled_back.chosen.rolled_back) <= set(rolled_back.chosen.scheme.exclude)


def test_a_layer_that_went_back_is_in_fp32_in_the_file(rolled_back: Search) -> None:
    """As its weight says."""
    graph = onnx.load_model_from_string(rolled_back.chosen.content).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for layer in LAYERS:
        wanted = (
            onnx.TensorProto.FLOAT
            if layer in rolled_back.chosen.rolled_back
            else onnx.TensorProto.INT8
        )
        assert types[f"{layer}.weight"] == wanted


def test_no_more_layers_go_back_than_allowed() -> None:
    """The best that was seen is chosen, though it fails."""
    found = trials(spoiled(), 0.1).search(SYMMETRIC, max_rollbacks=0)
    assert len(found.trials) == len(SYMMETRIC)
    assert found.chosen.verdict == "failed"
    assert found.sensitivity is None


def test_nothing_goes_back_where_the_pictures_are_too_few() -> None:
    """It would prove nothing: no child could pass."""
    found = trials(content(), 0.001, n=30).search((Scheme(),))
    assert [trial.verdict for trial in found.trials] == ["too few pictures"]


def test_the_sensitivity_is_there_when_asked_for() -> None:
    """Every layer once, the costliest first."""
    found = trials(content(), 0.9, n=60).search((Scheme(),), with_sensitivity=True)
    assert found.sensitivity is not None
    assert {row.layer for row in found.sensitivity} == set(LAYERS)
    assert len(found.trials) == 1


def test_layers_left_in_fp32_by_name_stay_there_in_every_candidate() -> None:
    """They count neither as rolled back nor as sensitive."""
    scheme = Scheme(exclude=("left",))
    found = trials(spoiled(), 0.1).search((scheme,), with_sensitivity=True)
    assert all("left" in trial.scheme.exclude for trial in found.trials)
    assert found.sensitivity is not None
    assert "left" not in {row.layer for row in found.sensitivity}


def test_a_scheme_that_leaves_nothing_to_quantize_is_refused() -> None:
    """And so is one that names a layer which is not there."""
    check_layers(content(), Scheme(exclude=LAYERS[1:]))
    with pytest.raises(UsageError, match="every layer"):
        check_layers(content(), Scheme(exclude=LAYERS))
    with pytest.raises(UsageError, match="unknown layer"):
        check_layers(content(), Scheme(exclude=("nothing",)))


def test_a_trial_is_plain_values(rolled_back: Search) -> None:
    """For --json."""
    row = rolled_back.chosen.to_json()
    assert row["correct"] == rolled_back.chosen.pairs.child_correct
    assert row["model_bytes"] == len(rolled_back.chosen.content)
