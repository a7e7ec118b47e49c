"""Engines on TensorRT's stand-in: both ways of execution, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgenet.errors import CorruptFile, EdgenetError, NotPossible, UsageError
from edgenet.runner.bundle import open_bundle
from edgenet.runner.inference import Inference
from edgenet.runner.runtimes import tensorrt as runtime
from tests.bundles import edit_manifest, pictures
from tests.unit.runner.cuda.bundles import write_engine_bundle
from tests.unit.runner.cuda.fake_base import VERSIONS

Install = Callable[[str], Any]

PINNED = 1  # the kind of page-locked memory, as the stand-in for libcudart counts


def _session(path: Path, device: str = "cuda") -> Any:
    return runtime.open_session(open_bundle(path), 1, device)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_gives_onnxruntimes_logits_bit_by_bit_on_1000_pictures(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """By numbers of bindings on 8.2, by names from 8.5 on; the last batch is smaller."""
    tensorrt(version)
    bundle = write_engine_bundle(tmp_path / "bundle", version, uint8=version != "8.2")
    images = pictures(1000, seed=7)
    session = _session(bundle)
    logits = Inference(session, None).logits(images, 64)
    session.close()
    dtype = np.uint8 if version != "8.2" else np.float32
    reference = onnxruntime.InferenceSession(
        str(bundle / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = np.concatenate(
        [
            reference.run(None, {"input": images[first : first + 64].astype(dtype)})[0]
            for first in range(0, 1000, 64)
        ]
    )
    assert np.array_equal(logits, expected)


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_the_order_of_an_engines_tensors_does_not_matter(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """TensorRT does not promise that the input is the first."""
    module = tensorrt(version)
    bundle = write_engine_bundle(tmp_path / "bundle", version)
    results = []
    for module.fake_outputs_first in (False, True):
        session = _session(bundle)
        results.append(session.run(pictures(5)))
        session.close()
    assert np.array_equal(*results)


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_execute_waits_for_the_stream_and_the_gpus_time_can_be_read_after_it(
    tmp_path: Path, tensorrt: Install, cudart: Any, version: str
) -> None:
    """The host's time of a query holds the GPU's; an event that is not reached cannot be read."""
    tensorrt(version)
    session = _session(write_engine_bundle(tmp_path / "bundle", version))
    session.bind(pictures(1))
    waited = cudart.fake_synchronized()
    session.execute()
    assert cudart.fake_synchronized() == waited + 1
    assert 0 < session.gpu_ns() < 10**9
    session.close()


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_shapes_that_the_engine_does_not_take_are_refused(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """With what it takes; the session goes on."""
    tensorrt(version)
    session = _session(write_engine_bundle(tmp_path / "bundle", version))
    assert session.batch_range == (1, 64)
    with pytest.raises(UsageError, match=r"takes batches of 1 to 64, not of 65"):
        session.run(pictures(65))
    with pytest.raises(UsageError, match="not of 0"):
        session.run(pictures(0))
    with pytest.raises(UsageError, match=r"takes pictures of \[1, 6, 5\], not \[1, 5, 6\]"):
        session.run(np.zeros((1, 1, 5, 6), np.uint8))
    assert session.run(pictures(64)).shape == (64, 3)
    session.close()
    with pytest.raises(EdgenetError, match="closed"):
        session.run(pictures(1))


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("8.2", ("set_binding_shape", "get_binding_shape")),
        ("10.3", ("set_input_shape", "get_tensor_shape")),
    ],
)
def test_what_tensorrt_says_of_a_shape_is_heeded(
    tmp_path: Path,
    tensorrt: Install,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    names: tuple[str, str],
) -> None:
    """A refusal, and logits of another shape than the manifest's; no buffer is left."""
    module = tensorrt(version)
    context, (setter, getter) = module.IExecutionContext, names
    session = _session(write_engine_bundle(tmp_path / "bundle", version))
    with monkeypatch.context() as patch:
        patch.setattr(context, setter, lambda *arguments: False)
        with pytest.raises(EdgenetError, match=r"does not take pictures of \[2, 1, 6, 5\]"):
            session.bind(pictures(2))
    with monkeypatch.context() as patch:
        patch.setattr(context, getter, lambda *arguments: (4, 3))
        with pytest.raises(CorruptFile, match=r"gives \[4, 3\] for pictures of \[2, 1, 6, 5\]"):
            session.bind(pictures(2))
    assert module.cudart.fake_live(PINNED) == 0
    assert session.run(pictures(2)).shape == (2, 3)
    session.close()


@pytest.mark.parametrize("version", ["8.2", "11.4"])
def test_an_engine_of_a_fixed_batch_takes_that_batch_alone(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """There is no profile to ask."""
    tensorrt(version)
    session = _session(write_engine_bundle(tmp_path / "bundle", version, batch=3))
    assert session.run(pictures(3)).shape == (3, 3)
    with pytest.raises(UsageError, match="takes batches of 3, not of 1"):
        session.run(pictures(1))
    session.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["input"].update(name="pixels"),
        lambda manifest: manifest["input"].update(dtype="uint8"),
        lambda manifest: manifest["output"].update(name="scores"),
        lambda manifest: (
            manifest["output"]["shape"].__setitem__(1, 4),
            manifest.update(labels=["a", "b", "c", "d"]),
        ),
    ],
)
@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_an_engine_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, tensorrt: Install, version: str, change: Callable[[dict[str, Any]], object]
) -> None:
    """Name and type of the input, name and size of the output."""
    tensorrt(version)
    bundle = write_engine_bundle(tmp_path / "bundle", version)
    edit_manifest(bundle, change)
    with pytest.raises(CorruptFile, match="the manifest says"):
        _session(bundle)


def test_a_tensorrt_that_does_not_start_is_an_error_with_the_reason(
    tmp_path: Path, tensorrt: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its constructor returns null in C++, for which pybind11 raises a TypeError."""
    module = tensorrt("10.3")
    bundle = write_engine_bundle(tmp_path / "bundle", "10.3")

    def refuse(logger: Any) -> None:
        logger.log(module.ILogger.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(module, "Runtime", refuse)
    with pytest.raises(EdgenetError, match=r"does not start .*CUDA initialization failure"):
        _session(bundle)


def test_the_device_that_was_asked_for_is_taken(
    tmp_path: Path, tensorrt: Install, cudart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two; one that is not there, and the CPU, are refused."""
    tensorrt("10.3")
    bundle = write_engine_bundle(tmp_path / "bundle", "10.3")
    monkeypatch.setenv("FAKECUDART_DEVICES", "2")
    _session(bundle, "cuda:1").close()
    assert cudart.fake_device() == 1
    with pytest.raises(NotPossible, match="cudaErrorInvalidDevice"):
        _session(bundle, "cuda:2")
    with pytest.raises(NotPossible, match="does not run on cpu"):
        _session(bundle, "cpu")


def test_the_versions_are_those_of_tensorrt_and_of_cuda(tensorrt: Install) -> None:
    """All three decide an engine."""
    tensorrt("8.5")
    assert runtime.unavailable() is None
    assert runtime.versions() == {
        "tensorrt": "8.5.2.2",
        "cuda": "12.2",
        "cuda driver": "12.6",
    }
