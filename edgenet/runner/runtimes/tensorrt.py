"""Engine and ONNX bundles on TensorRT 8.2 to 11, on a GPU.

An engine runs where it was built. The plan of an engine bundle is loaded if its manifest says that
it was built for this TensorRT, GPU and driver; else, and for an ONNX bundle, the engine is built
from the ONNX file of the bundle, once: it is kept with its key in the cache of plans. Which of them
runs is in the session's options, beside every figure. The first load of a bundle that has to be
built takes as long as the building.

Nothing of TensorRT is called before CUDA has told that there is a GPU: without one its libraries
are known to crash.
"""

from typing import Any, Dict, NoReturn, Optional

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner import cuda
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError, integer
from edgenet.runner.manifest import MAX_BATCH
from edgenet.runner.onnx_file import check_self_contained
from edgenet.runner.runtimes import check_device, device_number
from edgenet.runner.tensorrt import library
from edgenet.runner.tensorrt.builder import DEFAULTS, BuildOptions
from edgenet.runner.tensorrt.bundle import OPTION, SOURCE_NAME, machine_in
from edgenet.runner.tensorrt.execution import EngineSession
from edgenet.runner.tensorrt.plan import (
    Machine,
    cached_plan,
    check_header,
    check_machine,
    machine_of,
)
from edgenet.runner.tensorrt.refusals import MEMORY_HINT, is_out_of_memory
from edgenet.runner.timing import CUDA_EVENT, HOST

FORMATS = ("engine", "onnx")
CLOCKS = (HOST, CUDA_EVENT)

_NAME = "tensorrt"
_ONNX = "onnx"


def unavailable() -> Optional[str]:
    """Return None, or why TensorRT cannot run here: it is not installed, or there is no GPU."""
    missing = library.unavailable(library.CLASSIC)
    no_gpu = cuda.probe()
    reasons = [missing, None if no_gpu is None else "there is no usable GPU: " + no_gpu]
    return "; ".join(reason for reason in reasons if reason is not None) or None


def versions() -> Dict[str, str]:
    """Load TensorRT and return its version and those of CUDA's runtime and driver.

    Raises:
        NotPossible: There is no GPU, or no TensorRT.
    """
    cuda.check_gpu()
    module = library.load(library.CLASSIC)
    return dict(cuda.versions(), tensorrt=library.version_of(module).version)


def open_session(
    bundle: Bundle,
    threads: int,  # noqa: ARG001 - every runtime is told
    device: str,
) -> EngineSession:
    """Load an engine, or build it from the bundle's ONNX file and load that.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: Of no use to a GPU.
        device: ``cuda`` or ``cuda:N``.

    Raises:
        NotPossible: There is no GPU or no TensorRT, the engine is another machine's and its bundle
            has no ONNX file, or TensorRT does not build that.
        CorruptFile: A file is not what the manifest says.
        EdgenetError: The GPU has not enough memory.
    """
    check_device(device, _NAME)
    gpu = cuda.Cuda(device_number(device))
    return _open(library.load(library.CLASSIC), bundle, gpu)


def _open(module: Any, bundle: Bundle, gpu: cuda.Cuda) -> EngineSession:
    """Return a session of the bundle's engine, or of one that is built here."""
    manifest = bundle.manifest
    if manifest.format == _ONNX:
        return _from_onnx(module, bundle, gpu, DEFAULTS)
    machine, options = machine_in(bundle), _built_with(bundle)
    try:
        return _from_plan(module, bundle, gpu, machine)
    except NotPossible as error:  # it is another machine's
        if SOURCE_NAME not in manifest.files:
            hint = "it has no {} to build it again from: export it on this machine"
            raise NotPossible(error.message, hint.format(SOURCE_NAME)) from None
        reason = error.message
    source = bundle._replace(manifest=manifest._replace(format=_ONNX, model=SOURCE_NAME))
    return _from_onnx(module, source, gpu, options, reason)


def _from_plan(module: Any, bundle: Bundle, gpu: cuda.Cuda, machine: Machine) -> EngineSession:
    """Load the bundle's own engine.

    Raises:
        NotPossible: It was built for another machine.
    """
    here = library.version_of(module)
    check_machine(machine, machine_of(here, gpu.device))
    plan = bundle.model_content()
    check_header(plan, here, str(bundle.model_path))
    return EngineSession(
        module,
        gpu,
        plan,
        manifest=bundle.manifest,
        place=str(bundle.model_path),
        options={"engine": "the bundle's"},
    )


def _from_onnx(
    module: Any,
    source: Bundle,
    gpu: cuda.Cuda,
    options: BuildOptions,
    reason: Optional[str] = None,
) -> EngineSession:
    """Load an engine of the cache of plans, where it is built if it is not there.

    Args:
        module: TensorRT.
        source: Whose model file is ONNX.
        gpu: With the device chosen.
        options: What to build it for.
        reason: Why the bundle's own engine is not loaded.
    """
    path = source.model_path
    check_self_contained(path)
    here = library.version_of(module)
    found = cached_plan(module, source.model_content(), options, machine_of(here, gpu.device))
    if found.plan is None:
        said = "; ".join(found.built.errors if found.built is not None else ())
        message = "{} builds no engine from {}: {}".format(here.title, path, said)
        if is_out_of_memory(said):
            raise EdgenetError(message, MEMORY_HINT)
        raise NotPossible(message, "`edgenet verify --target` tells what each target takes")
    told = {"engine": "built here"}
    if source.manifest.fixed_batch is None:
        told["batches"] = ", ".join(str(batch) for batch in options.batches)
    if reason is not None:
        told["not the bundle's engine"] = reason
    return EngineSession(
        module,
        gpu,
        found.plan,
        manifest=source.manifest,
        place="the engine of {}".format(path),
        options=told,
    )


def _built_with(bundle: Bundle) -> BuildOptions:
    """Return the options that build an engine for the same batches again.

    Raises:
        CorruptFile: The manifest's batches are none.
    """
    place = "options.{}.batches".format(OPTION)
    value = bundle.manifest.options[OPTION].get("batches")
    if value is None:  # of a network of one batch size
        return DEFAULTS
    try:
        if not isinstance(value, list) or len(value) != 3:
            _refuse("{} must be three numbers".format(place))
        smallest, best, largest = (integer(batch, place, 1, MAX_BATCH) for batch in value)
        if not smallest <= best <= largest:
            _refuse("{} must not fall".format(place))
    except FieldError as error:
        raise CorruptFile("{}: its manifest's {}".format(bundle.path, error)) from None
    return BuildOptions(batches=(smallest, best, largest))


def _refuse(message: str) -> NoReturn:
    raise FieldError(message)
