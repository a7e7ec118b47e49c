"""Which engine is run: the bundle's own where it is this machine's, else one that is built here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner.bundle import open_bundle
from edgenet.runner.runtimes import tensorrt as runtime
from edgenet.runner.tensorrt import library
from tests.bundles import edit_manifest, edit_onnx, pictures, replace_file, write_onnx_bundle
from tests.unit.runner.cuda.bundles import write_engine_bundle, write_float_bundle
from tests.unit.runner.cuda.fake_base import VERSIONS

Install = Callable[[str], Any]

GPU = "Stand-in, compute capability 8.7"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans of one test are not found by another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _open(path: Path, device: str = "cuda") -> Any:
    return runtime.open_session(open_bundle(path), 1, device)


def _run(path: Path) -> tuple[np.ndarray[Any, Any], dict[str, str]]:
    session = _open(path)
    try:
        return session.run(pictures(5)), session.options
    finally:
        session.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_of_this_machine_is_loaded_as_it_is(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """Nothing is built."""
    module = tensorrt(version)
    _, options = _run(write_engine_bundle(tmp_path / "bundle", version))
    assert options == {"engine": "the bundle's", "gpu": GPU}
    assert module.fake_builds == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_an_onnx_bundle_is_built_once_and_kept(
    tmp_path: Path, tensorrt: Install, version: str
) -> None:
    """The second load finds the plan of this network for this machine."""
    module = tensorrt(version)
    bundle = write_float_bundle(tmp_path / "bundle")
    first, options = _run(bundle)
    again, _ = _run(bundle)
    assert options == {"engine": "built here", "batches": "1, 8, 64", "gpu": GPU}
    assert module.fake_builds == 1
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"version": "10.0.1.6"}, "TensorRT 10.0.1.6"),
        ({"compute_capability": "8.9"}, "compute capability 8.9"),
        ({"driver": "12.2"}, "CUDA 12.2"),
    ],
)
@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_an_engine_of_another_machine_is_built_again_from_the_onnx_file(
    tmp_path: Path, tensorrt: Install, version: str, key: dict[str, str], said: str
) -> None:
    """The result says so, beside its figures; the next time it is found."""
    module = tensorrt(version)
    own, _ = _run(write_engine_bundle(tmp_path / "own", version))
    bundle = write_engine_bundle(tmp_path / "bundle", version, key=key)
    logits, options = _run(bundle)
    assert options["engine"] == "built here"
    assert said in options["not the bundle's engine"]
    assert np.array_equal(logits, own)
    _run(bundle)
    assert module.fake_builds == 1


def test_an_engine_is_built_again_for_the_batches_that_it_had(
    tmp_path: Path, tensorrt: Install
) -> None:
    """And not for the ones that are the default."""
    tensorrt("8.6")
    bundle = write_engine_bundle(tmp_path / "bundle", "8.6", key={"driver": "11.4"})
    edit_manifest(bundle, lambda manifest: manifest["options"]["engine"].update(batches=[2, 5, 7]))
    session = _open(bundle)
    assert session.options["batches"] == "2, 5, 7"
    assert session.batch_range == (2, 7)
    session.close()


def test_an_engine_of_a_fixed_batch_is_built_again_for_that_batch(
    tmp_path: Path, tensorrt: Install
) -> None:
    """Its manifest names no batches."""
    tensorrt("8.6")
    bundle = write_engine_bundle(tmp_path / "bundle", "8.6", batch=5, key={"driver": "11.4"})
    logits, options = _run(bundle)
    assert logits.shape == (5, 3)
    assert "batches" not in options


@pytest.mark.parametrize(("built_by", "here"), [("8.5", "8.2"), ("10.3", "10.13"), ("8.6", "8.5")])
def test_an_engine_whose_manifest_is_wrong_about_its_version_is_built_again(
    tmp_path: Path, tensorrt: Install, built_by: str, here: str
) -> None:
    """TensorRT returns nothing and logs why; from 10 on the file's header tells it before."""
    module = tensorrt(here)
    key = {"version": VERSIONS[here]}
    _, options = _run(write_engine_bundle(tmp_path / "bundle", built_by, key=key))
    assert options["engine"] == "built here"
    assert module.fake_builds == 1


@pytest.mark.parametrize(("built_by", "here"), [("8.5", "8.2"), ("10.3", "10.13"), ("8.6", "8.5")])
def test_an_engine_of_another_version_without_its_onnx_file_is_refused(
    tmp_path: Path, tensorrt: Install, built_by: str, here: str
) -> None:
    """Whether the manifest says it, or TensorRT itself."""
    tensorrt(here)
    for key in ({}, {"version": VERSIONS[here]}):
        bundle = write_engine_bundle(tmp_path / str(key), built_by, source=False, key=key)
        with pytest.raises(NotPossible) as caught:
            _open(bundle)
        assert VERSIONS[here] in caught.value.message
        assert "export it on this machine" in str(caught.value.hint)


def test_an_onnx_file_that_names_other_files_is_refused_before_tensorrt_reads_it(
    tmp_path: Path, tensorrt: Install
) -> None:
    """Beside an engine of another machine as in a bundle of its own."""

    def lie_elsewhere(model: ModelProto) -> None:
        tensor = model.graph.initializer[3]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../weights.bin")

    module = tensorrt("8.6")
    own = write_float_bundle(tmp_path / "own")
    beside = write_engine_bundle(tmp_path / "beside", "8.6", key={"driver": "11.4"})
    for bundle in (own, beside):
        edit_onnx(bundle, lie_elsewhere)
        with pytest.raises(CorruptFile, match="another file"):
            _open(bundle)
    assert module.fake_builds == 0


def test_a_network_that_tensorrt_does_not_take_is_not_possible_here(
    tmp_path: Path, tensorrt: Install
) -> None:
    """With what it said and the file."""
    module = tensorrt("8.6")
    module.fake_refusal = "Error Code 9: Networks with QuantizeLayer require hardware with Int8"
    with pytest.raises(NotPossible, match=r"builds no engine from .*model\.onnx: Error Code 9"):
        _open(write_float_bundle(tmp_path / "bundle"))


def test_a_build_that_runs_out_of_memory_is_told_as_that(tmp_path: Path, tensorrt: Install) -> None:
    """It is no fault of the network."""
    module = tensorrt("8.6")
    module.fake_refusal = "Requested amount of GPU memory (4294967296 bytes) could not be allocated"
    with pytest.raises(EdgenetError) as caught:
        _open(write_float_bundle(tmp_path / "bundle"))
    assert caught.value.exit_code == 1
    assert "free GPU memory" in str(caught.value.hint)


@pytest.mark.parametrize(
    "engine",
    [
        None,
        "yes",
        {},
        {"key": {}},
        {"key": None, "batches": [1, 8, 64]},
        {"batches": [64, 8, 1]},
        {"batches": [1, 2]},
        {"batches": [0, 1, 2]},
        {"batches": [1, 8, 10**9]},
    ],
)
def test_a_manifest_that_says_nothing_of_its_engine_is_corrupt(
    tmp_path: Path, tensorrt: Install, engine: Any
) -> None:
    """An engine of unknown origin is never given to native code."""
    module = tensorrt("10.3")
    bundle = write_engine_bundle(tmp_path / "bundle", "10.3")

    def claim(manifest: dict[str, Any]) -> None:
        told = manifest["options"]["engine"]
        manifest["options"]["engine"] = engine
        if isinstance(engine, dict) and "batches" in engine and "key" not in engine:
            manifest["options"]["engine"] = {**told, **engine}

    edit_manifest(bundle, claim)
    with pytest.raises(CorruptFile, match=r"options\.engine"):
        _open(bundle)
    assert module.live["Runtime"] == 0


def test_an_engine_that_is_none_is_corrupt(tmp_path: Path, tensorrt: Install) -> None:
    """Its hash is right, its content is not."""
    tensorrt("10.3")
    bundle = write_engine_bundle(tmp_path / "bundle", "10.3")
    replace_file(bundle, "model.engine", b"x" * 4096)
    with pytest.raises(CorruptFile, match="no engine of TensorRT"):
        _open(bundle)


def test_a_file_that_changes_after_it_was_checked_is_refused(
    tmp_path: Path, tensorrt: Install
) -> None:
    """The bytes that are hashed are the bytes that are loaded."""
    tensorrt("10.3")
    opened = open_bundle(write_engine_bundle(tmp_path / "bundle", "10.3"))
    path = opened.model_path
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(CorruptFile, match="is not the file that was exported"):
        runtime.open_session(opened, 1, "cuda")


def test_without_a_gpu_nothing_of_tensorrt_is_called(
    tmp_path: Path, tensorrt: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its libraries are known to crash there."""
    module = tensorrt("10.3")
    monkeypatch.setenv("FAKECUDART_CODE", "100")
    called: list[str] = []
    monkeypatch.setattr(library, "load", called.append)
    for written in (write_engine_bundle(tmp_path / "a", "10.3"), write_onnx_bundle(tmp_path / "b")):
        with pytest.raises(NotPossible, match="no CUDA-capable") as caught:
            _open(written)
        assert caught.value.exit_code == 5
    with pytest.raises(NotPossible, match="no usable GPU"):
        runtime.versions()
    assert "no usable GPU" in str(runtime.unavailable())
    assert called == []
    assert sum(module.live.values()) == 0
