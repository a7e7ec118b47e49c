"""The ends of the distributions of a network's values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

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


@pytest.mark.parametrize("batch", [None, 8])
def test_a_layer_that_reads_several_rows_of_each_picture_is_seen_with_all_of_them(
    batch: int | None,
) -> None:
    """As in an attention network that was flattened; the brightest picture is not the first."""
    floats = {"a.weight": np.ones((4, 8)), "b.weight": np.ones((8, 3))}
    sizes = {"rows": [-1, 4], "pictures": [-1, 7, 8]}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["f", "rows"], ["m"]),
            helper.make_node("MatMul", ["m", "a.weight"], ["y"]),
            helper.make_node("Reshape", ["y", "pictures"], ["p"]),
            helper.make_node("ReduceMean", ["p"], ["q"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["q", "b.weight"], ["logits"]),
        ],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, [batch, 1, 7, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3])],
        [
            *(numpy_helper.from_array(each.astype(np.float32), n) for n, each in floats.items()),
            *(numpy_helper.from_array(np.array(each), n) for n, each in sizes.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    images = np.full((60, 1, 7, 4), 100, np.uint8)
    images[59] = 255
    observed = observe(model.SerializeToString(), images)
    assert observed["m"].n == images.size
    assert observed["m"].magnitude(100) == 255
