"""Building an engine from an ONNX file, with TensorRT 8.2 to 11 and TensorRT for RTX.

The precision is that of the graph (Q/DQ pairs, casts to FP16) and never chosen here. TensorRT 8
is told by flags that agree with the graph; it may then compute more in FP16 than the graph says.
TensorRT 10 is made to follow the graph's types; 11 and TensorRT for RTX always do. TF32 is off:
products of ten bits are no FP32.

What an engine is built for is decided by `BuildOptions`, in which everything has a fixed default,
and by the machine. The library is handed in: the same lines run with every version, and with
stand-ins whose names are checked against each version's.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from edgenet.runner.tensorrt import timing_cache
from edgenet.runner.tensorrt.library import Library, version_of
from edgenet.runner.tensorrt.log import (
    Multiplication,
    inspected_multiplications,
    layer_kinds,
    message_log,
    multiplications,
    nodes_of,
    one_line,
)
from edgenet.runner.timing import now_ns

BATCHES = (1, 8, 64)
"""Of the profile of a free batch: the smallest, the one that is made fastest, the largest."""

OLD_WORKSPACE_BYTES = 1 << 28
"""Where TensorRT's own default is none at all: before 8.4."""


class BuildOptions(NamedTuple):
    """What decides an engine beside its ONNX file and the machine.

    Attributes:
        batches: Smallest, best and largest batch of the profile; for a free batch only.
        workspace_bytes: The most memory that a layer may take to work in; None leaves it to
            TensorRT (all of the device's), or takes `OLD_WORKSPACE_BYTES` before 8.4.
        without_cublas_cudnn: Use none of cuBLAS's and cuDNN's kernels, so that neither library is
            loaded: some 400 MiB less on a Jetson Nano. Has no effect from TensorRT 11 on, which
            has no such kernels.
        timing_cache: File that keeps what kernels took, for the next build; None keeps nothing.
    """

    batches: Tuple[int, int, int] = BATCHES
    workspace_bytes: Optional[int] = None
    without_cublas_cudnn: bool = False
    timing_cache: Optional[Path] = None


DEFAULTS = BuildOptions()


class Built(NamedTuple):
    """What became of an ONNX file.

    Attributes:
        library: What built it.
        plan: The serialized engine; None where there is none.
        errors: Why it was not parsed or not built, with the node; none where it was.
        warnings: What else the library warned of; see `edgenet.runner.tensorrt.log.message_log`.
        flags: What the builder was told of precision, by TensorRT's names.
        description: The layers as the log describes them; empty where it does not.
        inspected: The layers as the engine inspector describes them, JSON; None where there was no
            GPU to load the engine on.
        nodes: The ONNX nodes that multiply by a weight.
        timing_cache: What became of it, see `edgenet.runner.tensorrt.timing_cache`.
        seconds: Wall time of parsing and building.
    """

    library: Library
    plan: Optional[bytes]
    errors: Tuple[str, ...]
    warnings: Tuple[str, ...] = ()
    flags: Tuple[str, ...] = ()
    description: str = ""
    inspected: Optional[str] = None
    nodes: Tuple[str, ...] = ()
    timing_cache: str = timing_cache.NONE
    seconds: float = 0.0

    @property
    def multiplications(self) -> List[Multiplication]:
        """The layers that multiply by a weight, with their precision."""
        if self.inspected is not None:
            return list(inspected_multiplications(self.inspected, self.nodes))
        return list(multiplications(self.description, self.nodes))

    def to_json(self) -> Dict[str, Any]:
        """Return what became of the file as plain JSON values, without the plan itself."""
        return {
            "version": self.library.version,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "flags": list(self.flags),
            "engine_bytes": 0 if self.plan is None else len(self.plan),
            "multiplications": [dict(each._asdict()) for each in self.multiplications],
            "layers": layer_kinds(self.description, self.inspected),
            "timing_cache": self.timing_cache,
            "seconds": self.seconds,
        }


def build_plan(module: Any, content: bytes, options: BuildOptions = DEFAULTS) -> Built:
    """Parse an ONNX file and build an engine.

    The library is native code that may end the process; the classic one does without a GPU, so
    that `edgenet.runner.cuda.check_gpu` has to be asked before.

    Args:
        module: ``tensorrt``, ``tensorrt_rtx`` or a stand-in, see `edgenet.runner.tensorrt.library`.
        content: The ONNX file, with nothing outside of it.
        options: What to build it for.

    Returns:
        The plan, or why there is none: a file that is not taken is a result.
    """
    started = now_ns()
    library = version_of(module)
    log = message_log(module)
    builder = module.Builder(log)
    network = builder.create_network(_creation_flags(module, library))
    parser = module.OnnxParser(network, log)
    if not parser.parse(content):
        errors = tuple(_parser_errors(parser, library)) or log.said("it is not parsed")
        return Built(library, None, errors, tuple(log.warnings))
    config = builder.create_builder_config()
    flags, refusal = _precision_flags(module, library, builder, network)
    config.clear_flag(module.BuilderFlag.TF32)
    for flag in flags:
        config.set_flag(flag)
    names = tuple(flag.name for flag in flags)
    if refusal is not None:
        return Built(library, None, (refusal,), tuple(log.warnings), names)
    _configure(module, library, config, options)
    _add_profile(builder, network, config, options.batches)
    cache = timing_cache.use(library, config, options.timing_cache)
    host_memory = builder.build_serialized_network(network, config)
    seconds = (now_ns() - started) / 1e9
    if host_memory is None:
        return Built(library, None, log.said("it is not built"), tuple(log.warnings), names)
    plan = bytes(memoryview(host_memory))
    if options.timing_cache is not None and cache != timing_cache.NONE:
        timing_cache.keep(config, options.timing_cache)
    return Built(
        library=library,
        plan=plan,
        errors=(),
        warnings=tuple(log.warnings),
        flags=names,
        description=log.layers,
        inspected=_inspect(module, library, log, plan),
        nodes=tuple(_weighted_nodes(module, library, network)),
        timing_cache=cache,
        seconds=seconds,
    )


def _creation_flags(module: Any, library: Library) -> int:
    """Return what the network is created with: a bit a flag."""
    if library.supports("NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        return 1 << int(module.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    if library.supports("NetworkDefinitionCreationFlag.STRONGLY_TYPED"):
        return 1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return 0


def _parser_errors(parser: Any, library: Library) -> Iterator[str]:
    for fault in (parser.get_error(index) for index in range(parser.num_errors)):
        node = (
            repr(fault.node_name()) if library.supports("ParserError.node_name") else fault.node()
        )
        yield "{} (node {})".format(one_line(fault.desc()), node)


def _precision_flags(
    module: Any, library: Library, builder: Any, network: Any
) -> Tuple[Tuple[Any, ...], Optional[str]]:
    """Return the flags that agree with the graph, and why this GPU cannot compute it."""
    if not library.supports("BuilderFlag.FP16"):
        return (), None
    quantizes = (module.LayerType.QUANTIZE, module.LayerType.DEQUANTIZE)
    flags: List[Any] = []
    refusal = None
    layers = list(_layers(network))
    if any(layer.type in quantizes for layer in layers):
        flags.append(module.BuilderFlag.INT8)
        if not builder.platform_has_fast_int8:
            refusal = (
                "the network is quantized to INT8, and this GPU has no INT8: take its FP16 or "
                "FP32 file, or run the INT8 file on the CPU with onnxruntime"
            )
    if any(_is_half(module, layer) for layer in layers):
        flags.append(module.BuilderFlag.FP16)
    return tuple(flags), refusal


def _is_half(module: Any, layer: Any) -> bool:
    itensors = [layer.get_output(index) for index in range(layer.num_outputs)]
    return any(itensor.dtype == module.DataType.HALF for itensor in itensors)


def _layers(network: Any) -> Iterator[Any]:
    return (network.get_layer(index) for index in range(network.num_layers))


def _weighted_nodes(module: Any, library: Library, network: Any) -> Iterator[str]:
    """Yield the ONNX nodes of convolutions and matrix products; layers have their names in 8."""
    kinds = [module.LayerType.CONVOLUTION, module.LayerType.MATRIX_MULTIPLY]
    if library.supports("LayerType.FULLY_CONNECTED"):
        kinds.append(module.LayerType.FULLY_CONNECTED)
    for layer in _layers(network):
        if layer.type in kinds:
            named = nodes_of(layer.metadata) if library.supports("ILayer.metadata") else []
            for node in named or [layer.name]:
                yield node


def _configure(module: Any, library: Library, config: Any, options: BuildOptions) -> None:
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    if library.supports("IBuilderConfig.max_workspace_size"):
        config.max_workspace_size = options.workspace_bytes or OLD_WORKSPACE_BYTES
    elif options.workspace_bytes is not None:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.without_cublas_cudnn and library.supports("TacticSource.CUBLAS"):
        sources = config.get_tactic_sources()
        for source in (
            module.TacticSource.CUBLAS,
            module.TacticSource.CUBLAS_LT,
            module.TacticSource.CUDNN,
        ):
            sources &= ~(1 << int(source))
        config.set_tactic_sources(sources)


def _add_profile(builder: Any, network: Any, config: Any, batches: Tuple[int, int, int]) -> None:
    """Say which batches the engine is to take, where the file leaves them free."""
    itensors = [network.get_input(index) for index in range(network.num_inputs)]
    free = [itensor for itensor in itensors if -1 in tuple(itensor.shape)]
    if not free:
        return
    profile = builder.create_optimization_profile()
    for itensor in free:
        sizes = [tuple(n if size < 0 else size for size in itensor.shape) for n in batches]
        profile.set_shape(itensor.name, *sizes)
    config.add_optimization_profile(profile)


def _inspect(module: Any, library: Library, log: Any, plan: bytes) -> Optional[str]:
    """Ask the inspector about the layers; None where the engine cannot be loaded here.

    TensorRT for RTX is not asked: it builds without a GPU, and describes the layers in its log.
    """
    if not library.needs_gpu:
        return None
    runtime = module.Runtime(log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        return None
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(module.LayerInformationFormat.JSON))
