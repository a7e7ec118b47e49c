"""What the system tells of memory and of itself, from fake and from real folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.runner import host
from edgenet.runner.memory import read_memory, resident_bytes


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_memory_is_read_in_bytes(tmp_path: Path) -> None:
    """The kernel's kB are 1,024 bytes."""
    _write(
        tmp_path,
        {
            "status": "Name:\tpython\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\nThreads:\t1\n",
            "smaps_rollup": "00-ff ---p 00000000 00:00 0 [rollup]\nRss: 1000 kB\nPss: 700 kB\n",
        },
    )
    memory = read_memory(tmp_path)
    assert memory == (2000 * 1024, 1000 * 1024, 700 * 1024, None)


def test_an_older_kernels_mappings_are_summed_up(tmp_path: Path) -> None:
    """A Jetson Nano's 4.9 has no smaps_rollup."""
    _write(tmp_path, {"status": "VmHWM: 9 kB\nVmRSS: 8 kB\n", "smaps": "Pss: 3 kB\nPss: 4 kB\n"})
    assert read_memory(tmp_path).proportional_bytes == 7 * 1024


def test_where_there_is_no_proc_the_figures_are_none_with_the_reason(tmp_path: Path) -> None:
    """A system without it is no reason to fail."""
    memory = read_memory(tmp_path / "absent")
    assert memory[:3] == (None, None, None)
    assert memory.reason is not None
    assert "absent" in memory.reason


def test_names_of_files_and_nonsense_in_the_mappings_do_no_harm(tmp_path: Path) -> None:
    """A mapped file may have any name, and Python 3.6 may read ASCII where no locale is set."""
    (tmp_path / "status").write_text("VmHWM: 9 kB\nVmRSS: many kB\n")
    (tmp_path / "smaps").write_bytes(b"7f-80 r--p 0 08:01 5 /opt/m\xc3\xb6del\xff.so\nPss: 4 kB\n")
    assert read_memory(tmp_path) == (9 * 1024, None, 4 * 1024, None)


def test_what_is_resident_is_told_in_pages(tmp_path: Path) -> None:
    """The second number; a system without it tells nothing."""
    assert resident_bytes(tmp_path) is None
    (tmp_path / "statm").write_text("3000 200 100 1 0 500 0\n")
    assert resident_bytes(tmp_path) == 200 * os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "statm").write_text("none\n")
    assert resident_bytes(tmp_path) is None


def test_this_process_has_memory() -> None:
    """The real files are understood."""
    memory = read_memory()
    if memory.peak_bytes is None or memory.resident_bytes is None:
        assert memory.reason
    else:
        assert memory.peak_bytes >= memory.resident_bytes > 1 << 20


JETSON = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n"
    "Features\t: fp asimd evtstrm aes crc32\n\nprocessor\t: 1\nmodel name\t: other\n",
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "proc/meminfo": "MemTotal: 4059288 kB\nMemAvailable: 3000000 kB\nSwapTotal: 2029632 kB\n",
    "proc/stat": "cpu  10 1 5 900 3 0 2 7 0 0\ncpu0 1 2 3 4\nctxt 12345\nprocs_running 2\n",
    "proc/loadavg": "0.50 0.25 0.10 1/200 999\n",
    "proc/vmstat": "nr_free_pages 5\npswpin 11\npswpout 12\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "921600\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1479000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_min_freq": "102000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1479000\n",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0\n",
    "sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "1\n",
    "sys/class/devfreq/57000000.gpu/cur_freq": "921600000\n",
    "sys/class/thermal/thermal_zone0/type": "CPU-therm\n",
    "sys/class/thermal/thermal_zone0/temp": "41500\n",
}


def test_a_boards_facts_are_read_from_its_files(tmp_path: Path) -> None:
    """Model, instruction set, clocks and memory of a Jetson Nano."""
    facts = host.describe(_write(tmp_path, JETSON))
    assert facts["board"] == "NVIDIA Jetson Nano Developer Kit"
    assert facts["cpu"]["model"] == "ARMv8 Processor rev 1 (v8l)"
    assert facts["cpu"]["isa"] == ["asimd"]
    assert facts["cpu"]["physical_cores"] == 2
    assert (facts["cpu"]["governor"], facts["cpu"]["highest_khz"]) == ("schedutil", 1479000)
    assert facts["memory_bytes"] == 4059288 * 1024


def test_what_a_machine_does_is_told_as_raw_counters(tmp_path: Path) -> None:
    """Two snapshots give rates; the judge applies his own limits."""
    now = host.snapshot(_write(tmp_path, JETSON))
    assert now["cpu_ticks"]["steal"] == 7
    assert (now["context_switches"], now["running_tasks"]) == (12345, 2)
    assert (now["swapped_in_pages"], now["swapped_out_pages"]) == (11, 12)
    assert now["load_average"] == [0.5, 0.25, 0.1]
    assert now["frequencies_khz"] == [921600, 1479000]
    assert now["gpu_frequency_khz"] == 921600
    assert now["temperatures_c"] == {"0 CPU-therm": 41.5}
    assert now["own"]["user_s"] > 0


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({}, None, None),
        ({"cpu.max": "max 100000\n", "memory.max": "max\n"}, None, None),
        ({"cpu.max": "150000 100000\n", "memory.max": "1048576\n"}, 1.5, 1048576),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5, None),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None, None),
        ({"memory/memory.limit_in_bytes": "4096\n"}, None, 4096),
    ],
)
def test_a_containers_limits_are_found_in_both_versions_of_control_groups(
    tmp_path: Path, files: dict[str, str], cores: float | None, memory: int | None
) -> None:
    """A container of half a core is not a machine of two."""
    root = _write(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert host.describe(root)["limits"] == {"cores": cores, "memory_bytes": memory}


def test_a_machine_that_tells_nothing_fails_nothing(tmp_path: Path) -> None:
    """Everything is None or empty, and JSON."""
    json.dumps([host.describe(tmp_path), host.snapshot(tmp_path)], allow_nan=False)


def test_this_machine_can_be_described() -> None:
    """The real files are understood."""
    facts = host.describe()
    assert facts["cpu"]["logical_cores"] >= 1
    json.dumps([facts, host.snapshot()], allow_nan=False)


CARDS = {
    "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  "
    "Thu Feb 22 01:44:30 UTC 2024\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA A2 \nIRQ: 5\n",
    "proc/driver/nvidia/gpus/0000:41:00.0/information": "Model: \t\t NVIDIA L4 \nIRQ: 6\n",
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd07\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/cpu/smt/control": "off\n",
}


def test_cards_distribution_and_switches_are_told(tmp_path: Path) -> None:
    """What else decides figures: the driver, turbo and hyper-threading."""
    facts = host.describe(_write(tmp_path, CARDS))
    assert facts["distribution"] == "Debian GNU/Linux 12 (bookworm)"
    assert (facts["gpu_driver"], facts["gpus"]) == ("550.54.14", ["NVIDIA A2", "NVIDIA L4"])
    assert facts["cpu"]["model"] == "ARM Cortex-A57"
    assert (facts["cpu"]["boost"], facts["cpu"]["smt"]) == ("0", "off")


def test_a_core_without_a_name_is_told_by_its_numbers(tmp_path: Path) -> None:
    """Arm's processors have none in newer kernels, and not every part is in the table."""
    files = {"proc/cpuinfo": "CPU implementer\t: 0x61\nCPU part\t: 0x022\n"}
    assert host.describe(_write(tmp_path, files))["cpu"]["model"] == "0x61 0x022"


def test_the_time_that_the_main_thread_waited_for_a_processor_is_told(tmp_path: Path) -> None:
    """The second of three numbers, nanoseconds; a kernel without them tells none."""
    assert host.snapshot(tmp_path)["own"]["waited_s"] is None
    root = _write(tmp_path, {"proc/self/schedstat": "900000000 2500000000 31\n"})
    assert host.snapshot(root)["own"]["waited_s"] == 2.5


def test_what_is_left_for_a_process_is_bounded_by_its_container(tmp_path: Path) -> None:
    """A system that tells nothing has None."""
    assert host.available_bytes(tmp_path) is None
    root = _write(tmp_path, {"proc/meminfo": "MemAvailable:    4096 kB\n"})
    assert host.available_bytes(root) == 4096 * 1024
    _write(tmp_path, {"sys/fs/cgroup/memory.max": "1048576\n"})
    assert host.available_bytes(root) == 1 << 20
    _write(tmp_path, {"sys/fs/cgroup/memory.current": "1048000\n"})
    assert host.available_bytes(root) == 576


def test_clocks_stand_in_the_order_of_their_cores(tmp_path: Path) -> None:
    """Core 10 is not the third."""
    files = {
        f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq": f"{1000 + number}\n"
        for number in range(12)
    }
    found = host.snapshot(_write(tmp_path, files))["frequencies_khz"]
    assert found == list(range(1000, 1012))


def test_nothing_that_a_kernel_writes_can_fail_a_measurement(tmp_path: Path) -> None:
    """Half a line, a word for a number, and what other kernels write there."""
    names = ["stat", "vmstat", "loadavg", "meminfo", "cpuinfo", "self/schedstat"]
    root = _write(tmp_path, {f"proc/{name}": "" for name in names})
    texts = ["cpu  1 x 3", "cpu", "pswpin many", "nan nan nan 1/2 3", "0.1 0.2", "cpu MHz : 1.2.3"]

    @given(st.lists(st.one_of(st.sampled_from(texts), st.text(max_size=30)), max_size=3))
    def check(lines: list[str]) -> None:
        for name in names:
            (root / "proc" / name).write_bytes("\n".join(lines).encode("utf-8", "replace"))
        json.dumps(host.snapshot(root), allow_nan=False)
        host.instruction_sets(root)

    check()


def test_what_places_threads_is_told_like_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting in a loop, or pinned to a core, changes every figure."""
    for name in ("OMP_WAIT_POLICY", "KMP_AFFINITY", "GOMP_CPU_AFFINITY", "COMPOSE_X"):
        monkeypatch.setenv(name, "told")
    told = host.describe()["thread_variables"]
    assert {"OMP_WAIT_POLICY", "KMP_AFFINITY", "GOMP_CPU_AFFINITY"} <= set(told)
    assert "COMPOSE_X" not in told


def test_a_processor_of_two_kinds_of_cores_is_told_with_both(tmp_path: Path) -> None:
    """The first core of an RK3588 is a slow one, and what is measured runs on a fast one."""
    files = {"proc/cpuinfo": ""}
    for number, (part, khz, governor) in enumerate(
        [("0xd05", 1800000, "schedutil")] * 4 + [("0xd0b", 2400000, "performance")] * 4
    ):
        files["proc/cpuinfo"] += (
            f"processor\t: {number}\nBogoMIPS\t: 48.00\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x2\nCPU part\t: {part}\nCPU revision\t: 0\n\n"
        )
        place = f"sys/devices/system/cpu/cpu{number}/cpufreq"
        files[f"{place}/scaling_governor"] = governor + "\n"
        files[f"{place}/cpuinfo_min_freq"] = "408000\n"
        files[f"{place}/cpuinfo_max_freq"] = f"{khz}\n"
    cpu = host.describe(_write(tmp_path, files))["cpu"]
    assert cpu["model"] == "ARM Cortex-A55 + ARM Cortex-A76"
    assert cpu["governor"] == "schedutil, performance"
    assert (cpu["lowest_khz"], cpu["highest_khz"]) == (408000, 2400000)
    files["proc/cpuinfo"] = files["proc/cpuinfo"].replace("0xd0b", "0xd4e")
    assert host.describe(_write(tmp_path, files))["cpu"]["model"] == "ARM Cortex-A55 + 0x41 0xd4e"
