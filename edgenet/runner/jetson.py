"""What a Jetson is and how it is set, read from its files: nothing is loaded, nothing is run.

A board names itself in the device tree and in ``/etc/nv_tegra_release``. What is not told is None,
and what no table has is not guessed.

Source:
    NVIDIA's JetPack archive and the Jetson Linux release notes for the releases;
    developer.nvidia.com/cuda-gpus and NVIDIA's kernel device trees for the processors.
"""

import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from edgenet.runner.nvidia_libraries import debian_version, read_libraries

_ROOT = Path("/")

COMPUTE_CAPABILITIES = {
    "tegra210": (5, 3),
    "tegra186": (6, 2),
    "tegra194": (7, 2),
    "tegra234": (8, 7),
    "tegra264": (11, 0),
}
"""The GPU of each processor that a Jetson has had since the Nano, as CUDA counts it."""

JETPACKS = {
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.1": "5.1.5",
    "36.2.0": "6.0 DP",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
}
"""JetPack by release of L4T (Jetson Linux). A release that is not here is not known."""

_RELEASE = re.compile(r"^# R(\d+) \(release\), REVISION: ([\d.]+)", re.ASCII)
_SOC = re.compile(r"nvidia,(tegra[0-9a-z]+)\Z")
_MODULE = re.compile(r"nvidia,(?:p[0-9]{4}-[0-9]{4}[a-z0-9-]*\+)?(p[0-9]{4}-[0-9]{4})")
_STATUS = re.compile(r"pmode:(\d{1,9})", re.ASCII)
_MODE = re.compile(r"^\s*<\s*POWER_MODEL\s+ID=(\d{1,9})\s+NAME=([^\s>]+)", re.MULTILINE | re.ASCII)
_GPU_CLOCKS = re.compile(r"gpu|gp10b|gv11b|ga10b|gb10b")  # by kernel, the GPU or its codename


class Board(NamedTuple):
    """A Jetson: what it is, what is installed, how it is set.

    Attributes:
        model: Its name in the device tree, whose wording drifts from release to release.
        module: Part number of the module, such as ``p3448-0000``.
        soc: Its processor, such as ``tegra210``.
        compute_capability: Of its GPU; None for a processor that `COMPUTE_CAPABILITIES` lacks.
        l4t: Release of L4T (Jetson Linux), such as ``32.7.1``.
        jetpack: Its JetPack; None for a release that neither `JETPACKS` nor dpkg names.
        tensorrt: Version.
        cuda: Version.
        cudnn: Version.
        power_mode: Number of the mode that ``nvpmodel`` was last told.
        power_modes: Names of the modes that the board has, by number.
        jetson_clocks: Whether all clocks of CPU and GPU are held; None where they do not tell.
        memory_bytes: What the kernel has; CPU and GPU share it.
    """

    model: Optional[str]
    module: Optional[str]
    soc: Optional[str]
    compute_capability: Optional[Tuple[int, int]]
    l4t: Optional[str]
    jetpack: Optional[str]
    tensorrt: Optional[str]
    cuda: Optional[str]
    cudnn: Optional[str]
    power_mode: Optional[int]
    power_modes: Dict[int, str]
    jetson_clocks: Optional[bool]
    memory_bytes: Optional[int]

    @property
    def power_mode_name(self) -> Optional[str]:
        """The mode's name, or its number where the board has no name for it."""
        if self.power_mode is None:
            return None
        return self.power_modes.get(self.power_mode, str(self.power_mode))

    def to_json(self) -> Dict[str, Any]:
        """Return plain JSON values by field name; the compute capability as ``5.3``."""
        values: Dict[str, Any] = dict(self._asdict())
        if self.compute_capability is not None:
            values["compute_capability"] = "{}.{}".format(*self.compute_capability)
        values["power_mode_name"] = self.power_mode_name
        values["power_modes"] = {str(number): name for number, name in self.power_modes.items()}
        return values


def read_board(root: Path = _ROOT) -> Optional[Board]:
    """Return what this Jetson is, or None where neither device tree nor release file says Jetson.

    Args:
        root: The folder that holds ``proc``, ``sys``, ``etc``, ``usr`` and ``var``.
    """
    compatible = _device_tree(root, "compatible").split("\0")
    soc = _soc(compatible)
    l4t = parse_release(_text(root / "etc/nv_tegra_release"))
    if soc is None and l4t is None:
        return None
    libraries = read_libraries(root)
    return Board(
        model=_device_tree(root, "model").replace("\0", "").strip() or None,
        module=_module(compatible),
        soc=soc,
        compute_capability=COMPUTE_CAPABILITIES.get(soc or ""),
        l4t=l4t,
        jetpack=_jetpack(root, l4t),
        tensorrt=libraries.tensorrt,
        cuda=libraries.cuda,
        cudnn=libraries.cudnn,
        power_mode=_power_mode(root),
        power_modes=_power_modes(root),
        jetson_clocks=_jetson_clocks(root),
        memory_bytes=_memory_bytes(root),
    )


def is_jetson(root: Path = _ROOT) -> bool:
    """Whether this is a Jetson, whose CPU and GPU share their memory.

    Args:
        root: As `read_board` takes it.
    """
    compatible = _device_tree(root, "compatible").split("\0")
    return _soc(compatible) is not None or bool(_text(root / "etc/nv_tegra_release"))


def gpu_clock_khz(root: Path = _ROOT) -> Optional[int]:
    """Return the present clock of a Jetson's GPU, of the fastest part of it; None elsewhere.

    Args:
        root: As `read_board` takes it.
    """
    told = [_text(path / "cur_freq").strip() for path in _gpus(root)]
    return max((int(hertz) // 1000 for hertz in told if hertz.isdigit()), default=None)


def parse_release(text: str) -> Optional[str]:
    """Return L4T's release, such as ``32.7.1``, from ``/etc/nv_tegra_release``; None if not there.

    Its ``BOARD`` is of no use: every board of R35 says ``t186ref``.
    """
    found = _RELEASE.match(text)
    return "{}.{}".format(found.group(1), found.group(2).rstrip(".")) if found else None


def _device_tree(root: Path, name: str) -> str:
    """Return a file of the device tree; a container may have it in one of its two places alone."""
    return _text(root / "proc/device-tree" / name) or _text(
        root / "sys/firmware/devicetree/base" / name
    )


def _soc(compatible: Iterable[str]) -> Optional[str]:
    """Return the processor: a known one first, since ``tegra23x`` and its like stand there too."""
    found = [match.group(1) for match in map(_SOC.match, compatible) if match]
    known = [name for name in found if name in COMPUTE_CAPABILITIES]
    return (known or found or [None])[0]


def _module(compatible: Iterable[str]) -> Optional[str]:
    """Return the part number behind the carrier's: ``p3737-0000+p3701-0005`` is a p3701-0005."""
    for match in map(_MODULE.match, compatible):
        if match:
            return match.group(1)
    return None


def _jetpack(root: Path, l4t: Optional[str]) -> Optional[str]:
    """Return the JetPack of a release, or the one that dpkg names."""
    return JETPACKS.get(l4t or "") or debian_version(root, "nvidia-jetpack")


def _power_mode(root: Path) -> Optional[int]:
    status = _STATUS.search(_text(root / "var/lib/nvpmodel/status"))
    return int(status.group(1)) if status else None


def _power_modes(root: Path) -> Dict[int, str]:
    modes = _MODE.finditer(_text(root / "etc/nvpmodel.conf"))
    return {int(match.group(1)): match.group(2) for match in modes}


def _jetson_clocks(root: Path) -> Optional[bool]:
    """Tell whether lowest and highest clock are the same for every core and the GPU."""
    cores = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq")
    held = [_held(path / "scaling_min_freq", path / "scaling_max_freq") for path in cores]
    gpu_held = [_held(path / "min_freq", path / "max_freq") for path in _gpus(root)]
    if False in held or False in gpu_held:
        return False
    return True if True in held and True in gpu_held else None


def _gpus(root: Path) -> List[Path]:
    """Return the folders of the GPU's clocks."""
    return [path for path in _listed(root / "sys/class/devfreq") if _GPU_CLOCKS.search(path.name)]


def _held(lowest: Path, highest: Path) -> Optional[bool]:
    low, high = _text(lowest).strip(), _text(highest).strip()
    return low == high if low and high else None


def _memory_bytes(root: Path) -> Optional[int]:
    found = re.search(r"^MemTotal:\s+(\d{1,15}) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


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
