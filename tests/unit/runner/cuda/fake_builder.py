"""Stand-ins for TensorRT's classes that build an engine: its plan is the ONNX file itself."""

from __future__ import annotations

from typing import Any

import onnx

from tests.unit.runner.cuda.fake_base import Counted, plan_of


class Builder(Counted):
    """Makes plans; ``module.fake_refusal`` is what it says instead, where a test sets it."""

    stands_for = "Builder"
    platform_has_fast_fp16 = True
    platform_has_fast_int8 = True

    def __init__(self, logger: Any) -> None:
        self._log = logger

    def create_network(self, flags: int = 0) -> Any:
        """Return an empty network."""
        return self._module.INetworkDefinition()

    def create_builder_config(self) -> Any:
        """Return a configuration."""
        return self._module.IBuilderConfig()

    def create_optimization_profile(self) -> Any:
        """Return a profile."""
        return self._module.IOptimizationProfile()

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        """Return the plan, or None after an error in the log."""
        refusal = getattr(self._module, "fake_refusal", None)
        if refusal is not None:
            self._log.log(self._module.ILogger.ERROR, refusal)
            return None
        self._module.fake_builds += 1
        batches = config._batches or [network._fixed_batch()] * 3
        return plan_of(self._module.fake_version, network._content, batches)


class Network(Counted):
    """What the parser read."""

    stands_for = "INetworkDefinition"
    num_inputs = 1
    num_layers = 0
    _content = b""

    def get_input(self, index: int) -> Any:
        """Return the only input."""
        assert index == 0
        given = onnx.load_model_from_string(self._content).graph.input[0]
        sizes = given.type.tensor_type.shape.dim
        shape = tuple(size.dim_value if size.HasField("dim_value") else -1 for size in sizes)
        return self._module.ITensor(given.name, shape)

    def _fixed_batch(self) -> int:
        return int(self.get_input(0).shape[0])


class Tensor(Counted):
    """A name and a shape."""

    stands_for = "ITensor"
    name = ""
    shape: tuple[int, ...] = ()

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape


class Config(Counted):
    """Takes what it is told, and keeps the batches."""

    stands_for = "IBuilderConfig"
    max_workspace_size = 0
    profiling_verbosity: Any = None
    _batches: list[int] | None = None
    _names: list[str]

    def __getattr__(self, name: str) -> Any:
        """Take all that this version's configuration takes, and do nothing of it."""
        if name in self._names:
            return lambda *arguments: None
        raise AttributeError(name)

    def add_optimization_profile(self, profile: Any) -> int:
        """Take the batches."""
        self._batches = profile._batches
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        """Return a cache."""
        return self._module.ITimingCache()

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        """Take a cache."""
        return True

    def get_timing_cache(self) -> Any:
        """Return a cache."""
        return self._module.ITimingCache()


class Cache(Counted):
    """What kernels took: nothing."""

    stands_for = "ITimingCache"

    def serialize(self) -> bytes:
        """Return some bytes."""
        return b"timing"


class Profile(Counted):
    """The batches of an engine."""

    stands_for = "IOptimizationProfile"
    _batches: list[int]

    def set_shape(self, name: str, smallest: Any, best: Any, largest: Any) -> None:
        """Keep the first sizes."""
        self._batches = [smallest[0], best[0], largest[0]]


class Parser(Counted):
    """Takes every ONNX file."""

    stands_for = "OnnxParser"
    num_errors = 0

    def __init__(self, network: Any, logger: Any) -> None:
        self._network = network

    def parse(self, model: bytes) -> bool:
        """Keep the file."""
        self._network._content = model
        return True

    def get_error(self, index: int) -> Any:
        """There is none."""
        raise IndexError(index)
