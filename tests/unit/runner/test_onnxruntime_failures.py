"""Networks that onnxruntime loads and does not run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgenet.errors import CorruptFile, EdgenetError
from edgenet.runner.bundle import open_bundle
from edgenet.runner.runtimes import onnxruntime
from edgenet.runner.runtimes.onnxruntime_loading import failed
from tests.bundles import edit_onnx, pictures, write_onnx_bundle


def test_a_network_that_loads_and_does_not_run_is_refused(tmp_path: Path) -> None:
    """It cannot fold six logits into seven."""
    bundle = write_onnx_bundle(tmp_path / "bundle")

    def fold(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(np.array([7, -1]), "sizes"))
        graph.initializer.append(numpy_helper.from_array(np.array([-1, 3]), "back"))
        graph.node[-1].output[0] = "before"
        graph.node.append(helper.make_node("Reshape", ["before", "sizes"], ["folded"]))
        graph.node.append(helper.make_node("Reshape", ["folded", "back"], ["logits"]))

    edit_onnx(bundle, fold)
    session = onnxruntime.open_session(open_bundle(bundle), 1, "cpu")
    with pytest.raises(CorruptFile, match=r"model\.onnx does not run: "):
        session.run(pictures(2))
    session.close()


@pytest.mark.parametrize(
    ("said", "on_gpu", "kind", "words"),
    [
        ("Failed to allocate memory for requested buffer", False, EdgenetError, "enough memory"),
        ("std::bad_alloc", False, EdgenetError, "enough memory"),
        ("CUDA failure 2: out of memory", True, EdgenetError, "enough memory"),
        ("CUDA failure 719: unspecified launch failure", True, EdgenetError, "does not run"),
        ("input_shape_size == size was false", False, CorruptFile, "does not run"),
    ],
)
def test_a_run_that_fails_says_whose_fault_it_is(
    said: str, on_gpu: bool, kind: type[EdgenetError], words: str
) -> None:
    """Too little memory and a GPU's failure say nothing about the file."""
    error = failed(RuntimeError(said), Path("model.onnx"), on_gpu)
    assert type(error) is kind
    assert words in error.message
