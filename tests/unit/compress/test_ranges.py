"""The ends of the distributions of a network's values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edgenet.compress.execution import run_batches
from edgenet.compress.ranges import observe
from edgenet.errors import NotPossible, UsageError
from edgenet.progress import Step
from tests.unit.compress.graphs import classifier, content, pictures

READ = ["unit", "r", "f", "h", "g"]  # what the layers read; two of them read r


def all_values(images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return everything that the layers read, each as one array."""
    model = classifier()
    for name in READ:
        model.graph.output.add(name=name)
    batches = list(run_batches(model.SerializeToString(), images, READ))
    return [np.concatenate([batch[i].ravel() for batch in batches]) for i in range(len(READ))]


@pytest.mark.parametrize("percentile", [100.0, 99.99, 99.95, 99.9])
def test_percentiles_are_exact_over_many_batches(percentile: float) -> None:
    """As if all values had been sorted, which takes a thousand times the memory."""
    images = pictures(430)  # nine batches, the last one not full
    tails = observe(content(), images)
    assert list(tails) == READ
    for name, values in zip(READ, all_values(images), strict=True):
        beyond = int(len(values) * (100 - percentile) / 100)
        assert tails[name].n == len(values)
        assert tails[name].magnitude(percentile) == np.sort(np.abs(values))[-1 - beyond]
        ordered = np.sort(values)
        assert tails[name].between(percentile) == (ordered[beyond], ordered[-1 - beyond])


def test_one_picture_is_enough_to_observe() -> None:
    """The two ends of few values are one and the same."""
    tails = observe(content(), pictures(1))
    values = all_values(pictures(1))[0]
    assert tails["unit"].magnitude(100) == values.max()
    assert tails["unit"].between(99.9) == (values.min(), values.max())


def test_no_pictures_are_refused() -> None:
    """Calibration data that are missing must not become ranges of nothing."""
    with pytest.raises(UsageError, match="no calibration pictures"):
        observe(content(), pictures(0))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_network_that_overflows_is_refused(value: float) -> None:
    """A range of infinity would make every value zero."""
    model = classifier()
    (bias,) = [each for each in model.graph.initializer if each.name == "conv.bias"]
    numbers = numpy_helper.to_array(bias).copy()
    numbers[2] = abs(value)
    bias.CopyFrom(numpy_helper.from_array(numbers, "conv.bias"))
    with pytest.raises(NotPossible, match="'r' is not a finite number"):
        observe(model.SerializeToString(), pictures())


def test_progress_counts_the_pictures() -> None:
    """To the last."""
    steps: list[Step] = []
    observe(content(), pictures(60), progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(50, 60), (60, 60)]


def test_a_model_of_a_fixed_batch_is_given_full_batches() -> None:
    """And what fills them up is not counted."""
    model = classifier()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 8
    fixed = observe(model.SerializeToString(), pictures(20))
    free = observe(content(), pictures(20))
    assert fixed["f"].n == free["f"].n
    assert fixed["f"].magnitude(100) == pytest.approx(free["f"].magnitude(100), rel=1e-6)
