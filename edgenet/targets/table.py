"""The targets, one row each, with where its facts are from.

A row describes the oldest software that a target has to be expected with, since a file for it must
run on every machine of that name. What was not read in a vendor's document says so in ``notes``.
"""

from __future__ import annotations

from edgenet.targets.target import RuntimeSupport, Target

_GIB = 1 << 30
_MIB = 1 << 20

_ALL = ("fp32", "fp16", "int8")
_FLOAT = ("fp32", "fp16")

_ORT_DOCUMENT = "onnxruntime: docs/Versioning.md and the compatibility page"
_MATRIX = "NVIDIA: TensorRT support matrix, hardware and precision"
_PARSER = "onnx-tensorrt: docs/operators.md of the release"
_JETPACK = "NVIDIA: JetPack archive and L4T release notes"
_RASPBERRY = "Raspberry Pi: product briefs and the processor documentation"


def _onnxruntime(version: tuple[int, int], opset: int) -> RuntimeSupport:
    return RuntimeSupport(
        name="onnxruntime",
        version=version,
        precisions=_ALL,
        opset=opset,
        uint8_input=True,
        source=_ORT_DOCUMENT,
    )


def _tensorrt(
    version: tuple[int, ...], opset: int, precisions: tuple[str, ...] = _ALL
) -> RuntimeSupport:
    return RuntimeSupport(
        name="tensorrt",
        version=version,
        precisions=precisions,
        opset=opset,
        uint8_input=version >= (8, 5),
        source=f"{_PARSER}; {_MATRIX}",
    )


# The lowest version that edgenet supports outside of a Jetson's system Python.
_ORT = _onnxruntime((1, 20), 21)
# The last one with wheels for the system Python of JetPack 4 (3.6) and of JetPack 5 (3.8).
_ORT_PYTHON_36 = _onnxruntime((1, 10), 15)
_ORT_PYTHON_38 = _onnxruntime((1, 19), 21)

_TENSORRT_82_FLOAT = _tensorrt((8, 2), 13, _FLOAT)

# What initialising CUDA, cuBLAS and cuDNN took on a Jetson Nano, in one process.
_CUDA_FLOOR = (230 + 160 + 240) * _MIB

_NO_INT8 = (
    "its GPU has no INT8: TensorRT refuses a network with Q/DQ there, and with the INT8 flag alone "
    "it builds one that is slower than FP16"
)
_NO_DOT_PRODUCT = (
    "its CPU has no dot-product instruction for INT8: a quantized file is smaller, and whether it "
    "is faster has to be measured"
)

_SATURATES = (
    "onnxruntime's INT8 kernels saturate there unless it is told to be exact, as edgenet tells it; "
    "expect INT8 to be smaller and not faster"
)

_ROWS = (
    Target(
        name="cpu",
        title="any CPU with a current onnxruntime",
        machine=None,
        runtimes=(_ORT,),
        notes=("FP16 is computed in FP32 where the processor has no half-precision arithmetic",),
        sources=(_ORT_DOCUMENT,),
    ),
    Target(
        name="x86-64-avx2",
        title="x86-64 with AVX2 and without VNNI",
        machine="x86_64",
        runtimes=(_ORT,),
        isa=("avx2",),
        glibc=(2, 28),
        notes=(_SATURATES,),
        sources=(_ORT_DOCUMENT, "onnxruntime: quantization guide, and pull request 12088"),
    ),
    Target(
        name="x86-64-vnni",
        title="x86-64 with VNNI",
        machine="x86_64",
        runtimes=(_ORT,),
        isa=("avx2", "avx512_vnni|avx_vnni"),
        int8_activations="uint8",
        glibc=(2, 28),
        notes=("VNNI multiplies unsigned by signed bytes: U8S8 is its native form",),
        sources=(_ORT_DOCUMENT, "Intel: Architecture Instruction Set Extensions, VPDPBUSD"),
    ),
    Target(
        name="cuda",
        title="desktop or server with an NVIDIA GPU",
        machine="x86_64",
        runtimes=(_ORT, _tensorrt((10, 3), 20)),
        glibc=(2, 28),
        notes=(
            "an engine runs on the GPU model, driver and TensorRT version that it was built on",
        ),
        sources=(_ORT_DOCUMENT, _MATRIX),
    ),
    Target(
        name="jetson-nano",
        title="NVIDIA Jetson Nano",
        machine="aarch64",
        soc="tegra210",
        compute_capability=(5, 3),
        runtimes=(_ORT_PYTHON_36, _TENSORRT_82_FLOAT),
        isa=("asimd",),
        python="3.6",
        jetpack="4.6.1 to 4.6.6, its last",
        l4t=("32.7",),
        glibc=(2, 27),
        memory_bytes=3955 * _MIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=(
            _NO_INT8,
            _NO_DOT_PRODUCT,
            "torch 2.10.0 and onnxruntime 1.21.0 stop with SIGILL on its Cortex-A57",
            "PyTorch there is for a Python that was installed beside the system's 3.6",
            "the 2 GB board of that name has half of this memory",
        ),
        sources=(_JETPACK, _MATRIX, "measured memory: 4 GB developer kit, JetPack 4.6"),
    ),
    Target(
        name="jetson-tx2",
        title="NVIDIA Jetson TX2",
        machine="aarch64",
        soc="tegra186",
        compute_capability=(6, 2),
        runtimes=(_ORT_PYTHON_36, _TENSORRT_82_FLOAT),
        isa=("asimd",),
        python="3.6",
        jetpack="4.6.1 to 4.6.6, its last",
        l4t=("32.7",),
        glibc=(2, 27),
        memory_bytes=4 * _GIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=(_NO_INT8, _NO_DOT_PRODUCT, "memory is that of the TX2 NX and TX2 4GB, nominal"),
        sources=(_JETPACK, _MATRIX),
    ),
    Target(
        name="jetson-xavier",
        title="NVIDIA Jetson Xavier NX and AGX Xavier",
        machine="aarch64",
        soc="tegra194",
        compute_capability=(7, 2),
        runtimes=(_ORT_PYTHON_38, _tensorrt((8, 5), 17)),
        isa=("asimd",),
        python="3.8",
        jetpack="5.1 to 5.1.6, its last",
        l4t=("35.2", "35.3", "35.4", "35.5", "35.6"),
        glibc=(2, 31),
        memory_bytes=8 * _GIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=(
            _NO_DOT_PRODUCT,
            "with JetPack 4.6 it has TensorRT 8.2: export FP32 and FP16 for it as for a jetson-tx2",
            "memory is the smaller Xavier NX's, nominal; CUDA's floor is a Jetson Nano's",
        ),
        sources=(_JETPACK, _MATRIX, "TensorRT 8.5.2 of JetPack 5.1: from memory, to be checked"),
    ),
    Target(
        name="jetson-orin-nano",
        title="NVIDIA Jetson Orin Nano",
        machine="aarch64",
        soc="tegra234",
        compute_capability=(8, 7),
        runtimes=(_ORT, _tensorrt((8, 6), 17)),
        isa=("asimd", "asimddp"),
        python="3.10",
        jetpack="6.0 to 6.2, 7.2",
        l4t=("36", "39.2"),
        glibc=(2, 35),
        memory_bytes=4 * _GIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=(
            "from JetPack 6.1 it has TensorRT 10.3, from 7.2 TensorRT 10.16",
            "with JetPack 5.1 it has TensorRT 8.5 and Python 3.8, which take the same files",
            "memory is that of the 4 GB module, nominal; CUDA's floor is a Jetson Nano's",
        ),
        sources=(_JETPACK, _MATRIX, "TensorRT 8.6.2 of JetPack 6.0: from memory, to be checked"),
    ),
    Target(
        name="jetson-orin",
        title="NVIDIA Jetson Orin NX and AGX Orin",
        machine="aarch64",
        soc="tegra234",
        compute_capability=(8, 7),
        runtimes=(_ORT, _tensorrt((8, 6), 17)),
        isa=("asimd", "asimddp"),
        python="3.10",
        jetpack="6.0 to 6.2, 7.2",
        l4t=("36", "39.2"),
        glibc=(2, 35),
        memory_bytes=8 * _GIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=(
            "from JetPack 6.1 it has TensorRT 10.3, from 7.2 TensorRT 10.16",
            "with JetPack 5.1 it has TensorRT 8.5 and Python 3.8, which take the same files",
            "memory is that of the Orin NX 8GB, nominal; CUDA's floor is a Jetson Nano's",
        ),
        sources=(_JETPACK, _MATRIX, "TensorRT 8.6.2 of JetPack 6.0: from memory, to be checked"),
    ),
    Target(
        name="jetson-thor",
        title="NVIDIA Jetson AGX Thor",
        machine="aarch64",
        soc="tegra264",
        compute_capability=(11, 0),
        runtimes=(_ORT, _tensorrt((10, 13), 24)),
        isa=("asimd", "asimddp"),
        python="3.12",
        jetpack="7.0 to 7.2",
        l4t=("38", "39"),
        glibc=(2, 39),
        memory_bytes=128 * _GIB,
        memory_shared=True,
        gpu_floor_bytes=_CUDA_FLOOR,
        notes=("memory is nominal; CUDA's floor is a Jetson Nano's",),
        sources=(_JETPACK, _MATRIX),
    ),
    Target(
        name="raspberry-pi-4",
        title="Raspberry Pi 4",
        machine="aarch64",
        runtimes=(_ORT,),
        isa=("asimd",),
        python="3.11",
        glibc=(2, 36),
        memory_bytes=1 * _GIB,
        notes=(
            _NO_DOT_PRODUCT,
            "onnxruntime 1.21.0 stops with SIGILL on its Cortex-A72",
            "a 64-bit system; memory is that of the smallest board",
        ),
        sources=(
            _RASPBERRY,
            _ORT_DOCUMENT,
            "Raspberry Pi OS 12: Python 3.11, glibc 2.36",
            "microsoft/onnxruntime issue 23957: 1.21.0 on a Raspberry Pi 4",
        ),
    ),
    Target(
        name="raspberry-pi-5",
        title="Raspberry Pi 5",
        machine="aarch64",
        runtimes=(_ORT,),
        isa=("asimd", "asimddp"),
        python="3.11",
        glibc=(2, 36),
        memory_bytes=1 * _GIB,
        notes=("a 64-bit system; memory is that of the smallest board",),
        sources=(_RASPBERRY, _ORT_DOCUMENT, "Raspberry Pi OS 12: Python 3.11, glibc 2.36"),
    ),
    Target(
        name="arm64",
        title="any 64-bit ARM board with a current onnxruntime",
        machine="aarch64",
        runtimes=(_ORT,),
        isa=("asimd",),
        glibc=(2, 28),
        notes=("a CPU without dot-product instructions (asimddp) may be slower in INT8",),
        sources=(_ORT_DOCUMENT, "wheels of onnxruntime: manylinux_2_28_aarch64"),
    ),
)

TABLE: dict[str, Target] = {target.name: target for target in _ROWS}
