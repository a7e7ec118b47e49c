"""How an onnxruntime session is made: its options, and its refusals as our errors.

Quantized bundles run in onnxruntime's exact mode. On x86 processors without VNNI its INT8 kernels
otherwise add pairs of products into 16 bits, where they saturate, and the same file gives other
answers than on any other machine (docs/decisions/0008). On such a processor it costs 5 to 6 % of a
U8S8 network's time, and of an S8S8 one's nothing that could be seen (LeNet-5 and the ResNet
teacher, batch 1, one thread, onnxruntime 1.31.1 on an AMD EPYC with AVX2: medians of 60 blocks of
200 calls, both modes taking turns). FP32 networks are not told. Versions before 1.13 accept the
entry as they accept any, and still saturate: there the session's options say that it is unknown.

Source:
    onnxruntime's ``session.x64quantprecision``, github.com/microsoft/onnxruntime/pull/12088.
"""

import re
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.runtimes import onnxruntime_placement as placing
from edgenet.runner.runtimes.onnxruntime_placement import Placement

_LOG_ERRORS_ONLY = 3
_EXACT_INT8 = "session.x64quantprecision"
_EXACT_INT8_SINCE = (1, 13)
_FLOAT_PRECISIONS = ("fp32", "fp16")
_NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "out of memory")
_LONGEST = 300


def library() -> Any:
    """Import onnxruntime.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    try:
        import onnxruntime
    except ImportError as error:
        hint = "install it for this interpreter: pip install onnxruntime"
        raise NotPossible("onnxruntime cannot be loaded: {}".format(error), hint) from error
    return onnxruntime


def arithmetic(precision: str, version: str) -> Dict[str, str]:
    """Return what onnxruntime is told, or cannot be told, about arithmetic in a precision."""
    if precision in _FLOAT_PRECISIONS:
        return {}
    known = tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= _EXACT_INT8_SINCE
    return {_EXACT_INT8: "1" if known else "unknown to onnxruntime {}".format(version)}


def load(library: Any, bundle: Bundle, threads: int, placement: Placement) -> Any:
    """Make a session, and see that it is where it was asked to be.

    Raises:
        NotPossible: onnxruntime does not take the file, cannot use the GPU, or would run nodes on
            the CPU that may not be there.
        CorruptFile: It is no network.
    """
    path = bundle.model_path
    with placing.profile_prefix(library, placement) as prefix:
        try:
            session = _session(library, bundle, threads, placement, profile=prefix)
        except Exception as error:  # its exceptions share no base class of their own
            refusal = placing.explained(error, path)
            if refusal is None:
                raise _explained(error, bundle, library) from error
            if placing.names_nodes(library):
                session = _session(library, bundle, threads, placement, refuse_cpu=False)
                placing.check_session(library, session, placement, path)
            raise refusal from error
        placing.check_session(library, session, placement, path)
        if prefix is not None:
            placing.check_profile(_profiled(session, bundle), path)
    return session


def _profiled(session: Any, bundle: Bundle) -> str:
    """Run one query, end the profile and return its file."""
    declared = bundle.manifest.input
    shape = (bundle.manifest.fixed_batch or 1, *bundle.manifest.picture_shape)
    session.run(None, {declared.name: np.zeros(shape, declared.dtype)})
    return str(session.end_profiling())


def _session(
    library: Any,
    bundle: Bundle,
    threads: int,
    placement: Placement,
    *,
    refuse_cpu: bool = True,
    profile: Optional[str] = None,
) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if bundle.manifest.precision not in _FLOAT_PRECISIONS:
        options.add_session_config_entry(_EXACT_INT8, "1")
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    placing.prepare(library, options, placement, refuse_cpu)
    cpu: Sequence[Any] = [placing.CPU_PROVIDER]
    session = library.InferenceSession(
        str(bundle.model_path),
        sess_options=options,
        providers=list(placement.providers) or cpu,
        # To the CPU, where a provider fails. Versions up to 1.20 at least ignore it; there
        # `check_session` sees that the provider is missing.
        enable_fallback=0,
    )
    session.disable_fallback()
    return session


def failed(error: Exception, path: Path, on_gpu: bool) -> EdgenetError:
    """Return the error to raise where a network that was loaded does not run.

    Args:
        error: onnxruntime's.
        path: The model file.
        on_gpu: Then it may be the GPU's fault as well as the file's.
    """
    said = str(error).strip()
    if any(words in said for words in _NO_MEMORY):
        message = "there is not enough memory to run {}"
        return EdgenetError(message.format(path), "a smaller batch needs less")
    kind = EdgenetError if on_gpu else CorruptFile
    return kind("{} does not run: {}".format(path, said[:_LONGEST]))


def _explained(error: Exception, bundle: Bundle, library: Any) -> EdgenetError:
    """Turn onnxruntime's refusal of a file whose hash is right into ours."""
    if type(error).__name__ in ("InvalidProtobuf", "InvalidGraph"):
        return CorruptFile("{} is not a valid network: {}".format(bundle.model_path, error))
    message = "onnxruntime {} does not load {}: {}"
    hint = "it may be too old for the file: export with a lower --opset, or update onnxruntime"
    return NotPossible(message.format(library.__version__, bundle.model_path, error), hint)
