"""A stand-in for TensorRT that notes what it is told, with the names of one version alone.

A name that is not in that version's table (tests/contract/tensorrt_api) is an AttributeError, as it
is with the real library; the numbers behind enums differ between versions, as they do there.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parents[3] / "contract" / "tensorrt_api"
LABELS = ("8.2", "8.5", "8.6", "10.3", "10.13", "11.4", "rtx")
SHAPE = (-1, 1, 28, 28)


def version_text(label: str) -> str:
    """Return the version that a stand-in says it has."""
    return "1.7.1.116" if label == "rtx" else f"{label}.1.2"


class Object:
    """An object of one of TensorRT's classes: it has that class's names, and notes their use."""

    def __init__(self, world: FakeTensorRT, kind: str, values: Mapping[str, Any]) -> None:
        vars(self).update(_world=world, _kind=kind, _values=dict(values))

    def __getattr__(self, name: str) -> Any:
        """Return what was given for a name, else a method that notes its arguments."""
        place = self._world.check(self._kind, name)
        if name in self._values:
            found = self._values[name]
            return self._noted(place, found) if callable(found) else found
        return self._noted(place, lambda *arguments: None)

    def __setattr__(self, name: str, value: Any) -> None:
        """Note a property that is set."""
        self._world.calls.append((self._world.check(self._kind, name), (value,)))

    def _noted(self, place: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._world.calls.append((place, arguments))
            return method(*arguments)

        return call


class FakeTensorRT:
    """The module.

    Args:
        label: Of the name table.
        layers: Kind, output type, ONNX node of each layer of the network that every file becomes.
        shape: Of its input.
        fast_int8: Whether the GPU has INT8.
        parsed: Whether files are taken.
        parser_errors: Description, node's number and name of each error of the parser.
        plan: What is built; None builds nothing.
        says: Severity and text of what the log is told when it builds.
        inspected: What the inspector says; None where the engine cannot be loaded.
        takes_cache: Whether a timing cache with content is of this device.
    """

    def __init__(
        self,
        label: str,
        *,
        layers: Sequence[tuple[str, str, str]] = (),
        shape: tuple[int, ...] = SHAPE,
        fast_int8: bool = True,
        parsed: bool = True,
        parser_errors: Sequence[tuple[str, int, str]] = (),
        plan: bytes | None = b"plan",
        says: Sequence[tuple[str, str]] = (),
        inspected: str | None = None,
        takes_cache: bool = True,
    ) -> None:
        self._names = json.loads((TABLES / f"{label}.json").read_text())["names"]
        self.__name__ = "tensorrt_rtx" if label == "rtx" else "tensorrt"
        self.__version__ = version_text(label)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._layers, self._shape, self._fast_int8 = layers, shape, fast_int8
        self._parsed, self._parser_errors = parsed, parser_errors
        self._plan, self._says, self._inspected = plan, says, inspected
        self._takes_cache = takes_cache
        for kind, names in self._names.items():
            members = [name for name in names if name.isupper()]
            if members and kind != "ILogger":
                start = 1 + len(label) + len(kind) % 3
                vars(self)[kind] = enum.IntEnum(kind, members[::-1], start=start)
        self.ILogger = type("ILogger", (), {"ERROR": "E", "INTERNAL_ERROR": "F", "WARNING": "W"})

    def check(self, kind: str, name: str) -> str:
        """Return the full name of an attribute.

        Raises:
            AttributeError: This version has no such name.
        """
        if name not in self._names.get(kind, ()):
            raise AttributeError(f"TensorRT {self.__version__} has no {kind}.{name}")
        return f"{kind}.{name}"

    def told(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every use of a name, in order."""
        return [arguments for place, arguments in self.calls if place == name]

    def Builder(self, log: Any) -> Object:  # noqa: N802 - TensorRT's name
        """Return a builder."""

        def build(network: Any, config: Any) -> bytes | None:
            for severity, text in self._says:
                log.log(getattr(self.ILogger, severity, severity), text)
            return self._plan

        return self._make(
            "Builder",
            create_network=lambda flags: self._network(),
            create_builder_config=self._config,
            create_optimization_profile=lambda: self._make("IOptimizationProfile"),
            build_serialized_network=build,
            platform_has_fast_int8=self._fast_int8,
        )

    def OnnxParser(self, network: Any, log: Any) -> Object:  # noqa: N802 - TensorRT's name
        """Return a parser."""

        def error(index: int) -> Object:
            text, number, name = self._parser_errors[index]
            values = {"desc": lambda: text, "node": lambda: number, "node_name": lambda: name}
            return self._make("ParserError", **values)

        return self._make(
            "OnnxParser",
            parse=lambda content: self._parsed,
            num_errors=len(self._parser_errors),
            get_error=error,
        )

    def Runtime(self, log: Any) -> Object:  # noqa: N802 - TensorRT's name
        """Return a runtime."""
        inspector = self._make(
            "EngineInspector", get_engine_information=lambda form: self._inspected
        )
        engine = self._make("ICudaEngine", create_engine_inspector=lambda: inspector)
        found = None if self._inspected is None else engine
        return self._make("Runtime", deserialize_cuda_engine=lambda plan: found)

    def _make(self, kind: str, **values: Any) -> Object:
        return Object(self, kind, values)

    def _network(self) -> Object:
        layers = [self._layer(*each) for each in self._layers]
        given = self._make("ITensor", name="input", shape=self._shape)
        return self._make(
            "INetworkDefinition",
            num_inputs=1,
            get_input=lambda index: given,
            num_layers=len(layers),
            get_layer=lambda index: layers[index],
        )

    def _layer(self, kind: str, dtype: str, node: str) -> Object:
        made = self._make("ITensor", dtype=getattr(vars(self)["DataType"], dtype))
        return self._make(
            "ILayer",
            type=getattr(vars(self)["LayerType"], kind),
            name=node,
            metadata=f"[ONNX Layer: {node}]",
            num_outputs=1,
            get_output=lambda index: made,
        )

    def _config(self) -> Object:
        cache = self._make("ITimingCache", serialize=lambda: b"timings")
        return self._make(
            "IBuilderConfig",
            get_tactic_sources=lambda: -1,
            create_timing_cache=lambda content: cache if content != b"broken" else None,
            set_timing_cache=lambda found, ignore: self._takes_cache,
            get_timing_cache=lambda: cache,
        )
