"""Where the nodes of a network run, in onnxruntime: asked for, and found out.

onnxruntime gives what its GPU providers do not take to the CPU, and drops a provider that does not
load, both without an error. Neither may happen to a figure under a GPU's name. So a provider must
be in the build, there must be a GPU, the provider must be in the session that was made, and no node
may be the CPU's unless that was allowed. The last is known

from 1.16 on
    by onnxruntime itself, told not to (``session.disable_cpu_ep_fallback``); and from 1.24 on it
    names the provider of each node;
before
    by the profile of one query, which is run when the session is made.

TF32, which computes FP32 networks with products of 10 bits, is off unless the environment variable
``NVIDIA_TF32_OVERRIDE`` was set before.

Source:
    onnxruntime.ai/docs/execution-providers (CUDA, TensorRT); onnxruntime's pull request 16016;
    for the words of options ``CreateExecutionProviderInstance`` in its
    ``python/onnxruntime_pybind_state.cc``.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from edgenet.errors import EdgenetError, NotPossible
from edgenet.files import cache_root
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.runtimes import CPU, device_number, kind

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
TENSORRT_PROVIDER = "TensorrtExecutionProvider"

_REFUSE_CPU = "session.disable_cpu_ep_fallback"
_REFUSES_SINCE = (1, 16)
_RECORD_NODES = "session.record_ep_graph_assignment_info"
_TF32 = "NVIDIA_TF32_OVERRIDE"
_MOST_NAMED = 5
_MAX_PROFILE_BYTES = 1 << 26
_CPU_WORDS = "assigned to the default CPU EP"
_INSTALL = {
    CUDA_PROVIDER: "pip install onnxruntime-gpu (for a Jetson, NVIDIA's own wheel)",
    TENSORRT_PROVIDER: "pip install onnxruntime-gpu and TensorRT (a Jetson's wheel has both)",
}


class Placement(NamedTuple):
    """Which providers a session is given.

    Attributes:
        providers: Names with their options, the preferred first; the CPU's is not among them.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        allow_cpu_fallback: Nodes that no other provider takes may run on the CPU.
    """

    providers: Tuple[Tuple[str, Dict[str, str]], ...]
    device: str
    allow_cpu_fallback: bool

    @property
    def on_gpu(self) -> bool:
        """Whether there is any provider but the CPU's."""
        return kind(self.device) != CPU


def cpu_placement() -> Placement:
    """Return the placement on the CPU."""
    return Placement((), CPU, True)


def cuda_placement(device: str, allow_cpu_fallback: bool) -> Placement:
    """Return the placement on CUDA's own provider."""
    return Placement((_cuda(device),), device, allow_cpu_fallback)


def tensorrt_placement(
    bundle: Bundle, device: str, allow_cpu_fallback: bool, library_version: str
) -> Placement:
    """Return the placement on TensorRT's provider, and on CUDA's for what it does not take.

    The engines that it builds are kept in our cache, one folder for each file and onnxruntime.
    They are built for the batches that come, anew for one that none was built for.
    """
    digest = hashlib.sha256(bundle.model_path.read_bytes()).hexdigest()
    folder = cache_root() / "onnxruntime-tensorrt" / "{}-{}".format(library_version, digest[:16])
    precision = bundle.manifest.precision
    options = {  # it takes the words True and False alone, and refuses 1 and 0
        "device_id": str(device_number(device)),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_fp16_enable": str(precision == "fp16"),
        "trt_int8_enable": str(precision not in ("fp32", "fp16")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    providers = ((TENSORRT_PROVIDER, options), _cuda(device))
    return Placement(providers, device, allow_cpu_fallback)


def check_build(library: Any, placement: Placement) -> None:
    """Refuse a provider that this build of onnxruntime does not have.

    Raises:
        NotPossible: It does not; the hint says what to install.
    """
    there = library.get_available_providers()
    for name, _ in placement.providers:
        if name not in there:
            message = "this onnxruntime {} has no {}; it has {}"
            told = message.format(library.__version__, name, ", ".join(there))
            raise NotPossible(told, _INSTALL.get(name))


def prepare(library: Any, options: Any, placement: Placement, refuse_cpu: bool) -> None:
    """Set the session options that keep nodes off the CPU and tell where they are.

    Args:
        library: onnxruntime.
        options: A session's.
        placement: Of the session.
        refuse_cpu: Let onnxruntime refuse, which then names no node.
    """
    if not placement.on_gpu:
        return
    os.environ.setdefault(_TF32, "0")
    if refuse_cpu and not placement.allow_cpu_fallback:
        options.add_session_config_entry(_REFUSE_CPU, "1")  # older versions take any entry
    if names_nodes(library):
        options.add_session_config_entry(_RECORD_NODES, "1")


def told(library: Any, session: Any, placement: Placement) -> Dict[str, str]:
    """Return what decides a session's figures besides its file: text by name."""
    if not placement.on_gpu:
        return {}
    return {
        "providers": " ".join(session.get_providers()),
        "cpu_fallback": _fallback_told(library, placement),
        _TF32: os.environ.get(_TF32, ""),
        **{
            key: value
            for name, options in placement.providers
            if name == TENSORRT_PROVIDER
            for key, value in sorted(options.items())
        },
        **({"nodes": _nodes_told(session)} if names_nodes(library) else {}),
    }


def check_session(library: Any, session: Any, placement: Placement, path: Path) -> None:
    """Refuse a session that is not where it was asked to be.

    Raises:
        NotPossible: A provider did not load, or nodes are the CPU's and may not be.
    """
    if not placement.on_gpu:
        return
    there = session.get_providers()
    for name, _ in placement.providers:
        if name not in there:
            message = "onnxruntime {} could not load its {}: its own log, above, says why"
            hint = "its version of CUDA, cuDNN or TensorRT is not the one installed here"
            raise NotPossible(message.format(library.__version__, name), hint)
    if names_nodes(library) and not placement.allow_cpu_fallback:
        _refuse([name for name, where in _nodes(session) if where == CPU_PROVIDER], path)


def needs_profile(library: Any, placement: Placement) -> bool:
    """Whether only a profiled query tells where the nodes of a session are."""
    old = _version(library) < _REFUSES_SINCE
    return placement.on_gpu and old and not placement.allow_cpu_fallback


@contextlib.contextmanager
def profile_prefix(library: Any, placement: Placement) -> Iterator[Optional[str]]:
    """Give what the name of a session's profile starts with; None where none is needed.

    The profile must have ended with the block.
    """
    if not needs_profile(library, placement):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="edgenet-profile-") as folder:
        yield str(Path(folder) / "profile")


def check_profile(profile: str, path: Path) -> None:
    """Refuse a session whose profile shows nodes on the CPU.

    Args:
        profile: The file that ``end_profiling`` named.
        path: The network's, for the message.

    Raises:
        NotPossible: Nodes ran on the CPU, or the profile does not tell.
    """
    try:
        with open(profile, "rb") as file:
            events = parse_json(file.read(_MAX_PROFILE_BYTES))
        ran = [
            (str(event["name"]), event["args"]["provider"])
            for event in events
            if event.get("cat") == "Node" and "provider" in event.get("args", {})
        ]
    except (OSError, FieldError, AttributeError, KeyError, TypeError):
        ran = []
    if not ran:
        message = "this onnxruntime does not tell where the nodes of {} run"
        raise NotPossible(message.format(path), _ALLOW_HINT)
    _refuse([name.replace("_kernel_time", "") for name, on in ran if on == CPU_PROVIDER], path)


def explained(error: Exception, path: Path) -> Optional[EdgenetError]:
    """Return our error for onnxruntime's refusal to use the CPU; None where it is another."""
    if _CPU_WORDS not in str(error):
        return None
    return NotPossible("nodes of {} would run on the CPU".format(path), _ALLOW_HINT)


_ALLOW_HINT = "--allow-cpu-fallback lets them; the figures are then no GPU's alone"


def _cuda(device: str) -> Tuple[str, Dict[str, str]]:
    return CUDA_PROVIDER, {"device_id": str(device_number(device))}


def _refuse(names: List[str], path: Path) -> None:
    if names:
        first = ", ".join(names[:_MOST_NAMED])
        rest = len(names) - _MOST_NAMED
        more = " and {} more".format(rest) if rest > 0 else ""
        message = "{} nodes of {} would run on the CPU: {}{}"
        raise NotPossible(message.format(len(names), path, first, more), _ALLOW_HINT)


def _fallback_told(library: Any, placement: Placement) -> str:
    if placement.allow_cpu_fallback:
        return "allowed"
    return "refused, seen in a profile" if needs_profile(library, placement) else "refused"


def names_nodes(library: Any) -> bool:
    """Whether this onnxruntime tells which provider each node of a session runs on."""
    return hasattr(library.InferenceSession, "get_provider_graph_assignment_info")


def _nodes(session: Any) -> List[Tuple[str, str]]:
    """Return the name and the provider of each node."""
    return [
        (str(node.name), str(part.ep_name))
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def _nodes_told(session: Any) -> str:
    counts: Dict[str, int] = {}
    for _, where in _nodes(session):
        counts[where] = counts.get(where, 0) + 1
    return ", ".join("{} {}".format(name, counts[name]) for name in sorted(counts))


def _version(library: Any) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(library.__version__))[:2])
