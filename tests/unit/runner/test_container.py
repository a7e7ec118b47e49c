"""Limits of control groups of both versions: the process's own group and those around it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenet.runner.container import limits, memory_left_bytes, quota_throttled
from tests.machines import write_files


def test_the_least_limit_of_all_groups_around_a_process_counts(tmp_path: Path) -> None:
    """A service of one core within a slice of half a core has half a core."""
    groups = "sys/fs/cgroup/user.slice"
    root = write_files(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/bench.service\n",
            f"{groups}/cpu.max": "50000 100000\n",
            f"{groups}/memory.max": "8192\n",
            f"{groups}/bench.service/cpu.max": "100000 100000\n",
            f"{groups}/bench.service/memory.max": "4096\n",
            "sys/fs/cgroup/other.slice/cpu.max": "1000 100000\n",
        },
    )
    assert limits(root) == {"cores": 0.5, "memory_bytes": 4096}


def test_each_controller_of_the_first_version_has_groups_of_its_own(tmp_path: Path) -> None:
    """As on L4T 32 and older servers, where a process is in one group a controller."""
    root = write_files(
        tmp_path,
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "4096\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 10\n",
            "sys/fs/cgroup/cpu/c/cpu.stat": "nr_throttled 3\nthrottled_time 5\n",
        },
    )
    assert limits(root) == {"cores": 1.5, "memory_bytes": 4096}
    assert quota_throttled(root) == {"nr_throttled": 5, "throttled_time": 15}


def test_a_container_sees_its_own_group_as_the_outermost(tmp_path: Path) -> None:
    """Docker names a path that the container's own file system does not have."""
    root = write_files(
        tmp_path,
        {
            "proc/self/cgroup": "0::/../../docker/0123abc\n",
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 5\nnr_throttled 7\nthrottled_usec 11\n",
        },
    )
    assert limits(root) == {"cores": 2.0, "memory_bytes": None}
    assert quota_throttled(root) == {"nr_throttled": 7, "throttled_usec": 11}


@pytest.mark.parametrize(
    "quota", ["", "100000\n", "max max\n", "100000 0\n", "-1 100000\n", "a b\n"]
)
def test_a_quota_that_is_none_limits_nothing(tmp_path: Path, quota: str) -> None:
    """Zero periods, words and half a line."""
    root = write_files(tmp_path, {"sys/fs/cgroup/cpu.max": quota})
    assert limits(root)["cores"] is None


def test_no_list_of_groups_fails(tmp_path: Path) -> None:
    """What the kernel says is read line by line, whatever it is."""
    root = write_files(tmp_path, {"proc/self/cgroup": ""})

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=600))
    def check(text: str) -> None:
        (root / "proc/self/cgroup").write_text(text, "utf-8")
        assert limits(root) == {"cores": None, "memory_bytes": None}
        assert quota_throttled(root) == {}

    check()


_PAGES = "anon 5\nactive_file 100\ninactive_file 400\n"


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        ({"memory.max": "max\n", "memory.current": "9000\n"}, None),
        ({"memory.max": "10000\n"}, 10000),
        ({"memory.max": "10000\n", "memory.current": "9000\n"}, 1000),
        ({"memory.max": "10000\n", "memory.current": "9000\n", "memory.stat": _PAGES}, 1500),
        ({"memory.max": "10000\n", "memory.current": "11000\n"}, 0),
        ({"memory.max": "10000\n", "memory.current": "100\n", "memory.stat": _PAGES}, 10000),
        (
            {
                "memory/memory.limit_in_bytes": "10000\n",
                "memory/memory.usage_in_bytes": "9000\n",
                "memory/memory.stat": "active_file 1\ninactive_file 2\n"
                "total_active_file 100\ntotal_inactive_file 400\n",
            },
            1500,
        ),
    ],
)
def test_what_a_container_has_taken_already_is_not_left(
    tmp_path: Path, files: dict[str, str], left: int | None
) -> None:
    """Apart from the content of files, which the kernel drops when it needs the memory."""
    root = write_files(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert memory_left_bytes(root) == left
