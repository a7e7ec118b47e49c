"""Which TensorRT, CUDA and cuDNN a system has installed: nothing is loaded, nothing is run.

They are told by the names of their libraries, else by their headers, else by dpkg. Loading them to
ask takes seconds and memory, and can crash where there is no GPU.
"""

import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

_ROOT = Path("/")

_LIBRARY_FOLDERS = (
    "usr/lib/aarch64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib64",
    "usr/local/cuda/lib64",
    "usr/local/cuda/targets/aarch64-linux/lib",
    "usr/local/lib",
)
_HEADER_FOLDERS = (
    "usr/include/aarch64-linux-gnu",
    "usr/include/x86_64-linux-gnu",
    "usr/include",
    "usr/local/cuda/include",
    "usr/local/include",
)


class Libraries(NamedTuple):
    """Versions of what a GPU needs as the system has it installed; None where it is not found."""

    tensorrt: Optional[str]
    cuda: Optional[str]
    cudnn: Optional[str]


def read_libraries(root: Path = _ROOT) -> Libraries:
    """Return the versions of TensorRT, CUDA and cuDNN that a system has installed.

    Of several the highest is told. Packages of pip, which lie elsewhere, are not looked for.
    """
    return Libraries(
        tensorrt=_library(root, "libnvinfer.so.")
        or _header(root, "NvInferVersion.h", ("(?:NV_TENSORRT|TRT)_{}(?:_ENTERPRISE)?", "PATCH"))
        or debian_version(root, r"libnvinfer\d+"),
        cuda=_library(root, "libcudart.so.")
        or _cuda_toolkit(root)
        or debian_version(root, r"cuda-cudart-\d+-\d+"),
        cudnn=_library(root, "libcudnn.so.")
        or _header(root, "cudnn_version.h", ("CUDNN_{}", "PATCHLEVEL"))
        or debian_version(root, r"libcudnn\d+(?:-cuda-\d+)?"),
    )


def driver_version(root: Path = _ROOT) -> Optional[str]:
    """Return the version of NVIDIA's driver for cards; a Jetson's comes with L4T."""
    told = _text(root / "proc/driver/nvidia/version")
    found = re.search(r"Kernel Module.*?\s(\d{1,6}\.[\d.]{1,20})\s", told, re.ASCII)
    return found.group(1) if found else None


def cards(root: Path = _ROOT) -> Optional[List[str]]:
    """Return the models of NVIDIA's cards, in the order of the bus; None where there are none."""
    models = []
    for folder in _listed(root / "proc/driver/nvidia/gpus"):
        found = re.search(r"^Model:\s*(\S.*?)\s*$", _text(folder / "information"), re.MULTILINE)
        models.extend([found.group(1)] if found else [])
    return models or None


def _library(root: Path, stem: str) -> Optional[str]:
    """Return the highest version with a minor one among the names of a library's files."""
    pattern = re.compile(re.escape(stem) + r"(\d{1,6}(?:\.\d{1,6}){1,3})\Z", re.ASCII)
    names = (path.name for folder in _LIBRARY_FOLDERS for path in _listed(root / folder))
    return _highest([match.group(1) for match in map(pattern.match, names) if match])


def _header(root: Path, name: str, macros: Tuple[str, str]) -> Optional[str]:
    """Return the version that a header's macros give; TensorRT 10 and later have others than 8."""
    form, patch = macros
    for folder in _HEADER_FOLDERS:
        content = _text(root / folder / name)
        numbers = []
        for part in ("MAJOR", "MINOR", patch):
            pattern = r"^#define {}[ \t]+(\d{{1,6}})\b".format(form.format(part))
            found = re.search(pattern, content, re.MULTILINE | re.ASCII)
            if found:
                numbers.append(found.group(1))
        if len(numbers) == 3:
            return ".".join(numbers)
    return None


def _cuda_toolkit(root: Path) -> Optional[str]:
    """Return the version that a file of CUDA's tells: it has another one in each generation."""
    folder = root / "usr/local/cuda"
    found = re.search(
        r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([0-9.]+)"', _text(folder / "version.json")
    ) or re.search(r"CUDA Version ([0-9.]+)", _text(folder / "version.txt"))
    if found:
        return found.group(1)
    header = _text(folder / "include/cuda_runtime_api.h")
    number = re.search(r"^#define CUDART_VERSION\s+(\d{4,6})\b", header, re.MULTILINE | re.ASCII)
    if number is None:
        return None
    return "{}.{}".format(int(number.group(1)) // 1000, int(number.group(1)) % 1000 // 10)


def debian_version(root: Path, name: str) -> Optional[str]:
    """Return the version of an installed Debian package, without its revision.

    Args:
        root: The folder that holds ``var``.
        name: A regular expression for its whole name; of several the highest version is told.
    """
    content = _text(root / "var/lib/dpkg/status")
    pattern = re.compile(r"^Package: {}$".format(name), re.MULTILINE)
    versions = []
    for match in pattern.finditer(content):
        stanza = content[match.start() :].split("\n\n", 1)[0]
        version = re.search(
            r"^Version: (?:\d+:)?(\d{1,9}(?:\.\d{1,9})*)", stanza, re.MULTILINE | re.ASCII
        )
        if version and "\nStatus: install ok installed" in stanza:
            versions.append(version.group(1))
    return _highest(versions)


def _highest(versions: List[str]) -> Optional[str]:
    """Return the version with the highest numbers; None where there is none."""
    return max(versions, key=_numbers) if versions else None


def _numbers(version: str) -> List[int]:
    return [int(number) for number in version.split(".")]


def _listed(folder: Path) -> List[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
