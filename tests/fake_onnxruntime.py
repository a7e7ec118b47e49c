"""An onnxruntime with a GPU, in whose place the real one computes on the CPU.

What it is for is memory and providers: a GPU's buffers are apart from NumPy's, a CPU's buffer that
is bound to a GPU's session is copied once, when it is bound, and nodes may be left to the CPU.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
CPU = "CPUExecutionProvider"

NEW, MIDDLE, OLD = "1.31.1", "1.18.0", "1.10.0"
"""One that names the provider of each node, one that only refuses, and one that does neither."""


class Value:
    """A tensor on a device."""

    def __init__(self, array: NDArray[Any], device: str) -> None:
        self.array = array
        self.device = device

    @staticmethod
    def ortvalue_from_numpy(numpy_obj: NDArray[Any]) -> Value:
        """Share NumPy's memory."""
        return Value(numpy_obj, "cpu")

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: list[int], element_type: Any, device_type: str, device_id: int
    ) -> Value:
        """Take memory that is not cleared."""
        array = np.full(shape, 77, element_type)
        return Value(array, f"{device_type}:{device_id}")

    def numpy(self) -> NDArray[Any]:
        """Copy to the CPU."""
        copied: NDArray[Any] = self.array.copy()
        return copied


class UpdatedValue(Value):
    """That of later versions, which can be written anew."""

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: list[int], element_type: Any, device_type: str, device_id: int
    ) -> UpdatedValue:
        """Take memory that is not cleared."""
        taken = Value.ortvalue_from_shape_and_type(shape, element_type, device_type, device_id)
        return UpdatedValue(taken.array, taken.device)

    def update_inplace(self, np_arr: NDArray[Any]) -> None:
        """Copy to the device."""
        assert np_arr.flags.c_contiguous
        assert (np_arr.shape, np_arr.dtype) == (self.array.shape, self.array.dtype)
        self.array[...] = np_arr


class Binding:
    """What is bound to a session of a GPU."""

    def __init__(self) -> None:
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}

    def bind_ortvalue_input(self, name: str, ortvalue: Value) -> None:
        """Bind memory of the GPU, or copy that of the CPU, now and never again."""
        on_gpu = ortvalue.device != "cpu"
        self.inputs[name] = ortvalue if on_gpu else Value(ortvalue.array.copy(), "cuda:0")

    def bind_cpu_input(self, name: str, arr_on_cpu: NDArray[Any]) -> None:
        """Copy to the device."""
        self.inputs[name] = Value(arr_on_cpu.copy(), "cuda:0")

    def bind_ortvalue_output(self, name: str, ortvalue: Value) -> None:
        """Bind memory that the session writes to."""
        self.outputs[name] = ortvalue

    def synchronize_inputs(self) -> None:
        """Wait for the copies."""

    def synchronize_outputs(self) -> None:
        """Wait for the results."""


class Options:
    """A session's options."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.intra_op_num_threads = 0
        self.inter_op_num_threads = 0
        self.log_severity_level = 2
        self.enable_profiling = False
        self.profile_file_prefix = ""

    def add_session_config_entry(self, config_key: str, config_value: str) -> None:
        """Keep an entry; any is taken."""
        self.entries[config_key] = config_value


def fake(
    version: str = NEW,
    *,
    on_cpu: tuple[str, ...] = (),
    there: tuple[str, ...] = (TENSORRT, CUDA, CPU),
    loads: tuple[str, ...] = (TENSORRT, CUDA),
) -> Any:
    """Return a module in onnxruntime's place.

    Args:
        version: One of `NEW`, `MIDDLE` and `OLD`.
        on_cpu: Names of nodes that the GPU does not take.
        there: Providers of the build.
        loads: Those whose libraries are there.
    """

    class Session:
        """A session that computes on the CPU."""

        def __init__(
            self, path: str, sess_options: Options, providers: list[Any], **kwargs: Any
        ) -> None:
            self.options, self.asked, self.kwargs = sess_options, providers, kwargs
            refuses = sess_options.entries.get("session.disable_cpu_ep_fallback") == "1"
            if on_cpu and refuses and version != OLD:
                raise RuntimeError("nodes that are assigned to the default CPU EP, but fallback")
            self._real = onnxruntime.InferenceSession(path, providers=[CPU])
            self.get_inputs, self.get_outputs = self._real.get_inputs, self._real.get_outputs
            made.append(self)

        def get_providers(self) -> list[str]:
            """Return those that loaded; one that did not is dropped without an error."""
            names = [one if isinstance(one, str) else one[0] for one in self.asked]
            return [*(name for name in names if name in loads), CPU]

        def disable_fallback(self) -> None:
            """Let a failing provider be an error."""
            self.strict = True

        def io_binding(self) -> Binding:
            """Return a binding."""
            return Binding()

        def run_with_iobinding(self, iobinding: Binding) -> None:
            """Run on the GPU's memory."""
            (name, value), (output, target) = *iobinding.inputs.items(), *iobinding.outputs.items()
            assert value.device.startswith("cuda")
            assert target.device.startswith("cuda")
            target.array[...] = self._real.run([output], {name: value.array})[0]

        def run(self, output_names: Any, input_feed: dict[str, Any]) -> Any:
            """Run once."""
            return self._real.run(output_names, input_feed)

        def end_profiling(self) -> str:
            """Write the profile."""
            where = {"Gemm": CUDA, **dict.fromkeys(on_cpu, CPU)}
            events = [{"cat": "Session", "name": "model_loading"}]
            for name, provider in where.items():
                args = {"provider": provider, "op_name": name}
                events.append({"cat": "Node", "name": f"{name}_kernel_time", "args": args})  # type: ignore[dict-item]
            path = Path(f"{self.options.profile_file_prefix}.json")
            path.write_text(json.dumps(events))
            return str(path)

    def get_provider_graph_assignment_info(self: Session) -> list[Any]:
        """Tell where nodes are."""
        assert self.options.entries["session.record_ep_graph_assignment_info"] == "1"
        first = self.get_providers()[0]
        where = {"Gemm": first, **dict.fromkeys(on_cpu, CPU)}
        return [_part(provider, name) for name, provider in where.items()]

    if version == NEW:
        Session.get_provider_graph_assignment_info = get_provider_graph_assignment_info  # type: ignore[attr-defined]
    made: list[Session] = []
    return SimpleNamespace(
        __version__=version,
        get_available_providers=lambda: list(there),
        SessionOptions=Options,
        InferenceSession=Session,
        OrtValue=Value if version == OLD else UpdatedValue,
        made=made,
    )


def _part(provider: str, name: str) -> Any:
    return SimpleNamespace(ep_name=provider, get_nodes=lambda: [SimpleNamespace(name=name)])
