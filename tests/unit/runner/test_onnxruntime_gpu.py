"""onnxruntime on a GPU: where nodes run, and whose memory is whose, with a fake in its place.

Whatever the fakes are called by, the real library has; what can be refused without a GPU is refused
by the real one, too.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import edgenet.runner.cuda
from edgenet.errors import NotPossible
from edgenet.files import cache_root
from edgenet.runner import runtimes
from edgenet.runner.bundle import Bundle, open_bundle
from edgenet.runner.runtimes import onnxruntime as runtime
from edgenet.runner.runtimes import (
    onnxruntime_loading,
    onnxruntime_placement,
    onnxruntime_tensorrt,
)
from edgenet.runner.runtimes.onnxruntime_placement import Placement
from tests.bundles import edit_manifest, logits_of, pictures, write_onnx_bundle
from tests.fake_onnxruntime import (
    CPU,
    CUDA,
    MIDDLE,
    NEW,
    OLD,
    TENSORRT,
    Binding,
    Options,
    UpdatedValue,
    fake,
)

# The fake's version that has as much as the one that is installed.
HERE = NEW if tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 24) else MIDDLE


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a GPU."""
    monkeypatch.setattr(edgenet.runner.cuda, "probe", lambda: None)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "unset")  # so that it is restored
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle whose logits NumPy computes."""
    return open_bundle(write_onnx_bundle(tmp_path / "bundle"))


def _use(monkeypatch: pytest.MonkeyPatch, module: Any) -> Any:
    for user in (runtime, onnxruntime_tensorrt):
        monkeypatch.setattr(user, "library", lambda: module)
    return module


@pytest.mark.parametrize("version", [NEW, MIDDLE, OLD])
def test_every_query_is_of_the_pictures_that_were_bound_last(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, version: str
) -> None:
    """A buffer of the CPU is copied when it is bound: written to later, the GPU never sees it."""
    _use(monkeypatch, fake(version))
    session = runtime.open_session(bundle, 1, "cuda")
    for n in (1, 5, 5, 64, 5):
        images = pictures(n, seed=n)
        session.bind(images)
        session.execute()
        np.testing.assert_allclose(session.fetch(), logits_of(images), rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(session.run(images), session.fetch())
    session.close()


def test_cuda_is_given_the_device_and_nothing_else_may_step_in(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """The CPU's provider is not on the list, and failing is an error."""
    module = _use(monkeypatch, fake())
    session = runtime.open_session(bundle, 1, "cuda:1")
    (made,) = module.made
    assert made.asked == [(CUDA, {"device_id": "1"})]
    assert made.kwargs["enable_fallback"] == 0
    assert made.strict
    assert made.options.entries["session.disable_cpu_ep_fallback"] == "1"
    assert session.options == {
        "providers": f"{CUDA} {CPU}",
        "cpu_fallback": "refused",
        "NVIDIA_TF32_OVERRIDE": "0",
        "nodes": f"{CUDA} 1",
    }
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (NEW, "2 nodes of .* would run on the CPU: Shape_1, TopK_2$"),
        (MIDDLE, "nodes of .* would run on the CPU$"),
        (OLD, "2 nodes of .* would run on the CPU: Shape_1, TopK_2$"),
    ],
)
def test_nodes_that_would_run_on_the_cpu_are_an_error(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, version: str, words: str
) -> None:
    """With their names where the version tells them."""
    _use(monkeypatch, fake(version, on_cpu=("Shape_1", "TopK_2")))
    with pytest.raises(NotPossible, match=words) as caught:
        runtime.open_session(bundle, 1, "cuda")
    assert caught.value.hint is not None
    assert "--allow-cpu-fallback" in caught.value.hint


@pytest.mark.parametrize("version", [NEW, MIDDLE, OLD])
def test_they_may_run_there_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, version: str
) -> None:
    """And the options say so, beside every figure."""
    module = _use(monkeypatch, fake(version, on_cpu=("Shape_1",)))
    session = runtime.open_session(bundle, 1, "cuda", allow_cpu_fallback=True)
    assert "session.disable_cpu_ep_fallback" not in module.made[0].options.entries
    assert session.options["cpu_fallback"] == "allowed"
    assert session.options.get("nodes") == (f"{CPU} 1, {CUDA} 1" if version == NEW else None)


def test_a_version_that_cannot_refuse_is_asked_for_a_profile(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """Which ends before anything is measured."""
    _use(monkeypatch, fake(OLD))
    session = runtime.open_session(bundle, 1, "cuda")
    assert session.options["cpu_fallback"] == "refused, seen in a profile"


def test_a_provider_that_is_not_in_the_build_is_named(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """With what to install."""
    _use(monkeypatch, fake(there=(CPU,)))
    with pytest.raises(NotPossible, match=f"has no {CUDA}; it has {CPU}") as caught:
        runtime.open_session(bundle, 1, "cuda")
    assert caught.value.hint is not None
    assert "onnxruntime-gpu" in caught.value.hint


@pytest.mark.parametrize("allowed", [False, True])
def test_a_provider_that_does_not_load_is_an_error(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, allowed: bool
) -> None:
    """It is only logged, and the whole network would be the CPU's."""
    _use(monkeypatch, fake(loads=()))
    with pytest.raises(NotPossible, match=f"could not load its {CUDA}"):
        runtime.open_session(bundle, 1, "cuda", allow_cpu_fallback=allowed)


@pytest.mark.parametrize(
    ("precision", "half", "int8"),
    [
        ("fp32", "False", "False"),
        ("fp16", "True", "False"),
        ("int8", "False", "True"),
        ("w8a8", "False", "True"),
    ],
)
def test_tensorrt_is_told_the_precision_of_the_graph(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, precision: str, half: str, int8: str
) -> None:
    """In the only words that it takes; its engines are in our cache, CUDA has what it leaves."""
    edit_manifest(bundle.path, lambda manifest: manifest.update(precision=precision))
    module = _use(monkeypatch, fake())
    session = onnxruntime_tensorrt.open_session(open_bundle(bundle.path), 1, "cuda:2")
    (tensorrt, options), cuda = module.made[0].asked
    assert (tensorrt, cuda) == (TENSORRT, (CUDA, {"device_id": "2"}))
    assert options["device_id"] == "2"
    assert options["trt_engine_cache_enable"] == "True"
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == (half, int8)
    cache = Path(options["trt_engine_cache_path"])
    assert cache.is_dir()
    assert cache_root() in cache.parents
    assert session.options["nodes"] == f"{TENSORRT} 1"
    told = {name: value for name, value in session.options.items() if name.startswith("trt_")}
    assert told == {name: value for name, value in options.items() if name != "device_id"}


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-tensorrt"])
def test_without_a_gpu_no_session_is_made(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, name: str
) -> None:
    """Not even onnxruntime is loaded."""
    monkeypatch.setattr(edgenet.runner.cuda, "probe", lambda: "no driver")
    module = _use(monkeypatch, fake())
    with pytest.raises(NotPossible, match="cuda cannot be used: no driver"):
        runtimes.load_runtime(name).open_session(bundle, 1, "cuda")
    assert module.made == []


def _own_methods(kind: type) -> dict[str, Any]:
    return {
        name: value
        for base in kind.__mro__[:-1]
        for name, value in vars(base).items()
        if not name.startswith("_") and callable(getattr(kind, name))
    }


@pytest.mark.parametrize(
    ("imitation", "real"),
    [
        (UpdatedValue, onnxruntime.OrtValue),
        (Binding, onnxruntime.IOBinding),
        (fake(HERE).InferenceSession, onnxruntime.InferenceSession),
        (Options, onnxruntime.SessionOptions),
    ],
)
def test_the_real_library_has_all_that_the_fake_is_called_by(imitation: type, real: type) -> None:
    """And takes as many arguments, where it tells; their names change between versions."""
    for name in _own_methods(imitation):
        assert hasattr(real, name), name
        try:
            expected = inspect.signature(getattr(real, name)).parameters
        except ValueError:  # of C++
            continue
        assert len(inspect.signature(getattr(imitation, name)).parameters) <= len(expected), name
    for name in vars(imitation()) if imitation is Options else ():
        assert name == "entries" or hasattr(real, name)


def _elsewhere() -> Placement:
    """Place a network on a provider that every wheel has and that takes no ordinary node."""
    return Placement((("AzureExecutionProvider", {}),), "cuda", False)


def test_the_real_library_refuses_and_names_the_nodes_of_the_cpu(bundle: Bundle) -> None:
    """As it would where CUDA leaves some."""
    with pytest.raises(NotPossible, match=r"nodes of .*model\.onnx would run on the CPU"):
        onnxruntime_loading.load(onnxruntime, bundle, 1, _elsewhere())


def test_the_profile_of_the_real_library_is_understood(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    """Read as that of a version that can do nothing else."""
    monkeypatch.setattr(onnxruntime_placement, "_version", lambda library: (1, 10))
    monkeypatch.setattr(onnxruntime_placement, "_REFUSE_CPU", "session.no_such_entry")
    monkeypatch.setattr(onnxruntime_placement, "names_nodes", lambda library: False)
    with pytest.raises(NotPossible, match=r"6 nodes of .* would run on the CPU: .*Gemm|and 1 more"):
        onnxruntime_loading.load(onnxruntime, bundle, 1, _elsewhere())


@pytest.mark.parametrize("updates", [True, False])
def test_the_calls_for_a_gpus_memory_are_understood_by_the_real_library(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, updates: bool
) -> None:
    """With memory of the CPU, the one device that is here; and as versions before 1.11 do it."""
    session = runtime.open_session(bundle, 1, "cpu")
    buffers = runtime._GpuBuffers(onnxruntime.OrtValue, session._binding, bundle, 0)
    buffers._place = ("cpu", 0)
    buffers._updates = updates
    session._buffers = buffers
    for n in (1, 5, 5, 64):
        images = pictures(n, seed=n)
        np.testing.assert_allclose(session.run(images), logits_of(images), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("content", ["", "[]", "[3]", "{}", '[{"cat": "Node"}]'])
def test_a_profile_that_does_not_tell_is_no_leave(
    tmp_path: Path, bundle: Bundle, content: str
) -> None:
    """Nothing seen on the CPU is not the same as everything seen elsewhere."""
    (tmp_path / "profile.json").write_text(content)
    with pytest.raises(NotPossible, match="does not tell"):
        onnxruntime_placement.check_profile(str(tmp_path / "profile.json"), bundle.model_path)
