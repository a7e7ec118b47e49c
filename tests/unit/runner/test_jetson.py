"""What a Jetson's files tell, from recorded boards and from folders made up around them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenet.runner import host
from edgenet.runner.jetson import COMPUTE_CAPABILITIES, JETPACKS, parse_release, read_board
from edgenet.runner.nvidia_libraries import debian_version, read_libraries
from tests.machines import BOARDS, board, write_board, write_files

CONF = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
# < POWER_MODEL ID=1 NAME=COMMENTED >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< PM_CONFIG DEFAULT=0 >
"""


@pytest.mark.parametrize("recorded", BOARDS, ids=lambda recorded: recorded["name"])
def test_a_recorded_board_is_read(tmp_path: Path, recorded: dict[str, Any]) -> None:
    """Its processor decides; the wording of its model is kept and never relied upon."""
    found = read_board(write_board(tmp_path, recorded))
    assert found is not None
    told = found.to_json()
    for field in ("model", "soc", "compute_capability", "module", "l4t", "jetpack"):
        assert told[field] == recorded[field], field


def test_a_machine_without_a_jetsons_files_is_none(tmp_path: Path) -> None:
    """Other boards have a device tree, too."""
    assert read_board(tmp_path) is None
    files = {
        "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    }
    assert read_board(write_files(tmp_path, files)) is None


def test_a_container_with_the_release_file_alone_is_a_jetson_of_unknown_processor(
    tmp_path: Path,
) -> None:
    """JetPack's containers get that file mounted, and not always the device tree."""
    found = read_board(write_files(tmp_path, {"etc/nv_tegra_release": BOARDS[0]["release"]}))
    assert found is not None
    assert (found.soc, found.compute_capability, found.l4t) == (None, None, "32.7.1")


def test_the_device_tree_is_also_found_where_the_kernel_has_it(tmp_path: Path) -> None:
    """``/proc/device-tree`` is a link to it, and may be missing."""
    found = read_board(
        write_files(tmp_path, {"sys/firmware/devicetree/base/compatible": "nvidia,tegra234\0"})
    )
    assert found is not None
    assert found.compute_capability == (8, 7)


def test_what_no_table_has_is_not_guessed(tmp_path: Path) -> None:
    """Neither the JetPack of a release to come nor the GPU of a processor to come."""
    files = {
        "etc/nv_tegra_release": "# R41 (release), REVISION: 1.0, GCID: 1, BOARD: generic",
        "proc/device-tree/compatible": "nvidia,tegra999\0",
    }
    found = read_board(write_files(tmp_path, files))
    assert found is not None
    assert (found.l4t, found.jetpack) == ("41.1.0", None)
    assert (found.soc, found.compute_capability) == ("tegra999", None)


def test_a_release_that_the_table_lacks_is_told_by_dpkg(tmp_path: Path) -> None:
    """The package of JetPack itself has its number: read, and not guessed."""
    status = "Package: nvidia-jetpack\nStatus: install ok installed\nVersion: 6.2.3+b5\n"
    files = {
        "etc/nv_tegra_release": "# R36 (release), REVISION: 9.9, GCID: 1",
        "var/lib/dpkg/status": status,
    }
    found = read_board(write_files(tmp_path, files))
    assert found is not None
    assert found.jetpack == "6.2.3"


def test_the_tables_have_the_forms_that_are_looked_up() -> None:
    """A release has three numbers, as the release file gives them."""
    assert all(len(release.split(".")) == 3 for release in JETPACKS)
    assert set(COMPUTE_CAPABILITIES) >= {each["soc"] for each in BOARDS}


@pytest.mark.parametrize(
    ("status", "conf", "mode", "name"),
    [
        ("pmode:0002 fmode:quiet\n", CONF, 2, "MAXN_SUPER"),
        ("pmode:0000", CONF, 0, "15W"),
        ("pmode:0001", CONF, 1, "1"),
        ("pmode:0002", "", 2, "2"),
        ("", CONF, None, None),
        ("pmode:fast", CONF, None, None),
    ],
)
def test_the_power_mode_has_the_name_that_the_board_gives_it(
    tmp_path: Path, status: str, conf: str, mode: int | None, name: str | None
) -> None:
    """Mode 0 is the fastest on a Nano and the slowest on an Orin Nano Super."""
    files = {"var/lib/nvpmodel/status": status, "etc/nvpmodel.conf": conf}
    found = board(tmp_path, "jetson-orin-nano", files)
    assert (found.power_mode, found.power_mode_name) == (mode, name)


@pytest.mark.parametrize(
    ("cpu", "gpu", "held"),
    [
        (("1479000", "1479000"), ("921600000", "921600000"), True),
        (("102000", "1479000"), ("921600000", "921600000"), False),
        (("1479000", "1479000"), ("76800000", "921600000"), False),
        (("1479000", "1479000"), None, None),
        (None, None, None),
    ],
)
def test_jetson_clocks_hold_the_lowest_clock_at_the_highest(
    tmp_path: Path,
    cpu: tuple[str, str] | None,
    gpu: tuple[str, str] | None,
    held: bool | None,
) -> None:
    """Of CPU and GPU both; where one does not tell, nothing is claimed."""
    files = {}
    if cpu:
        folder = "sys/devices/system/cpu/cpu0/cpufreq"
        files = {f"{folder}/scaling_{end}_freq": text for end, text in _ends(cpu)}
    if gpu:
        folder = "sys/class/devfreq/57000000.gpu"
        files.update({f"{folder}/{end}_freq": text for end, text in _ends(gpu)})
    assert board(tmp_path, "jetson-nano", files).jetson_clocks is held


def _ends(clocks: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return ("min", clocks[0]), ("max", clocks[1])


HEADER_8 = "#define NV_TENSORRT_MAJOR 8 //!< major\n#define NV_TENSORRT_MINOR 2\n"
HEADER_10 = "#define TRT_MAJOR_ENTERPRISE 10\n#define TRT_MINOR_ENTERPRISE 3\n"
DPKG = (
    "Package: libnvinfer8\nStatus: install ok installed\nVersion: 8.2.1-1+cuda10.2\n\n"
    "Package: libnvinfer7\nStatus: deinstall ok config-files\nVersion: 9.0.0-1\n\n"
    "Package: libcudnn8\nStatus: install ok installed\nVersion: 8.2.1.32-1+cuda10.2\n\n"
    "Package: cuda-cudart-10-2\nStatus: install ok installed\nVersion: 10.2.300-1\n"
)


@pytest.mark.parametrize(
    ("files", "versions"),
    [
        ({}, (None, None, None)),
        (
            {
                "usr/lib/aarch64-linux-gnu/libnvinfer.so.8.2.1": "",
                "usr/lib/aarch64-linux-gnu/libnvinfer.so.8": "",
                "usr/local/cuda/lib64/libcudart.so.10.2.300": "",
                "usr/lib/aarch64-linux-gnu/libcudnn.so.8.2.1": "",
            },
            ("8.2.1", "10.2.300", "8.2.1"),
        ),
        (
            {
                "usr/lib/x86_64-linux-gnu/libnvinfer.so.8.6.1": "",
                "usr/lib/x86_64-linux-gnu/libnvinfer.so.10.13.3": "",
            },
            ("10.13.3", None, None),
        ),
        (
            {
                "usr/include/aarch64-linux-gnu/NvInferVersion.h": HEADER_8
                + "#define NV_TENSORRT_PATCH 1\n",
                "usr/local/cuda/version.txt": "CUDA Version 10.2.300\n",
                "usr/include/cudnn_version.h": "#define CUDNN_MAJOR 8\n#define CUDNN_MINOR 2\n"
                "#define CUDNN_PATCHLEVEL 1\n",
            },
            ("8.2.1", "10.2.300", "8.2.1"),
        ),
        (
            {
                "usr/include/aarch64-linux-gnu/NvInferVersion.h": HEADER_10
                + "#define TRT_PATCH_ENTERPRISE 0\n"
                + "#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE\n",
                "usr/local/cuda/version.json": json.dumps(
                    {"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}
                ),
            },
            ("10.3.0", "12.6.11", None),
        ),
        (
            {
                "usr/include/NvInferVersion.h": HEADER_8,
                "usr/local/cuda/include/cuda_runtime_api.h": "#define CUDART_VERSION  13000\n",
            },
            (None, "13.0", None),
        ),
        ({"var/lib/dpkg/status": DPKG}, ("8.2.1", "10.2.300", "8.2.1.32")),
    ],
    ids=["nothing", "names", "the highest", "headers of 8", "headers of 10", "parts", "dpkg"],
)
def test_versions_are_read_from_names_then_headers_then_dpkg(
    tmp_path: Path, files: dict[str, str], versions: tuple[str | None, ...]
) -> None:
    """Loading a library to ask it can crash where there is no GPU."""
    assert tuple(read_libraries(write_files(tmp_path, files))) == versions


def test_a_package_is_found_by_its_whole_name(tmp_path: Path) -> None:
    """``nvidia-jetpack-dev`` is another one."""
    status = "Package: nvidia-jetpack-dev\nStatus: install ok installed\nVersion: 6.2\n"
    root = write_files(tmp_path, {"var/lib/dpkg/status": status})
    assert debian_version(root, "nvidia-jetpack") is None


def test_the_description_of_the_host_has_the_board(tmp_path: Path) -> None:
    """So every measurement's environment does."""
    root = write_board(tmp_path, BOARDS[0])
    told = host.describe(root)["jetson"]
    assert (told["jetpack"], told["compute_capability"]) == ("4.6.1", "5.3")
    json.dumps(told, allow_nan=False)
    assert host.describe(tmp_path / "elsewhere")["jetson"] is None


@given(st.text())
def test_no_release_file_is_a_reason_to_fail(text: str) -> None:
    """It is a version of numbers, or nothing."""
    for content in (text, "# R" + text, "# R36 (release), REVISION: " + text):
        found = parse_release(content)
        assert found is None or found.replace(".", "").isdecimal()


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\0nvidia,tegra234", b"pmode:", b"# R36 "]))
def test_no_content_of_a_boards_files_is_a_reason_to_fail(garbage: bytes, before: bytes) -> None:
    """A damaged file system, or a release that changes their form."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in (
            *("proc/device-tree/compatible", "proc/device-tree/model", "etc/nv_tegra_release"),
            *("var/lib/nvpmodel/status", "etc/nvpmodel.conf", "var/lib/dpkg/status"),
            *("usr/include/NvInferVersion.h", "usr/local/cuda/version.json", "proc/meminfo"),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(before + garbage)
        found = read_board(root)
        json.dumps(None if found is None else found.to_json(), allow_nan=False)
