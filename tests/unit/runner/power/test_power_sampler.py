"""The process that samples power: told over a pipe, it reads, answers and ends."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgenet.runner import nvml, power_sampler
from edgenet.runner.power import open_meter
from edgenet.runner.power_sampler import Sampler, serve
from edgenet.runner.power_sensors import SensorError, find_rails
from tests.machines import write_files
from tests.unit.runner.power import sensors
from tests.unit.runner.power.fake_nvml import FakeNvml


class Served:
    """`serve` in a thread, with both pipes in hand."""

    def __init__(self, work: dict[str, Any]) -> None:
        commands, self.tell = os.pipe()
        self.heard, answers = os.pipe()
        self._ends = [commands, self.heard, answers]
        work = {"rails": [], "gpu": None, "rate_hz": 1000.0, "leave": None, **work}
        self._thread = threading.Thread(target=serve, args=(work, commands, answers))
        self._thread.start()

    def ask(self, command: bytes) -> dict[str, Any]:
        """Tell it something and return its answer."""
        os.write(self.tell, command)
        answer: dict[str, Any] = json.loads(os.read(self.heard, 1 << 16))
        return answer

    def close(self) -> None:
        """End its input, and wait for its end."""
        os.close(self.tell)
        self._thread.join()
        for end in self._ends:
            os.close(end)


@pytest.fixture
def rails(tmp_path: Path) -> Iterator[Served]:
    """A served Jetson Nano."""
    found = find_rails(write_files(tmp_path, sensors.NANO)).rails
    served = Served({"rails": json.loads(json.dumps(found))})
    yield served
    served.close()


def test_it_reads_at_once_when_told_to_begin(rails: Served) -> None:
    """Even a short run has a sample, and those of before are forgotten."""
    assert rails.ask(b"ba")["watts"][0] == pytest.approx(2.746)
    assert rails.ask(b"a")["error"] is None


def test_a_file_that_vanishes_is_told(rails: Served, tmp_path: Path) -> None:
    """The reason goes to whoever measures."""
    (tmp_path / "sys/bus/iio/devices/iio:device0/in_power0_input").unlink()
    answer = rails.ask(b"ba")
    assert answer["watts"] == []
    assert "in_power0_input: No such file" in answer["error"]


def test_an_older_gpus_power_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card before Volta counts no energy."""
    monkeypatch.setattr(nvml, "_load", lambda: FakeNvml("GTX 1080", counts_energy=False))
    served = Served({"gpu": ""})
    assert served.ask(b"ba")["watts"][0] == 25.0
    served.close()


def test_a_gpu_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process lives on to say so."""
    monkeypatch.setattr(nvml, "LIBRARY", "libabsent-ml.so.1")
    served = Served({"gpu": ""})
    assert "no NVML" in served.ask(b"a")["error"]
    served.close()


def test_a_process_of_its_own_samples_a_board(tmp_path: Path) -> None:
    """As on a Jetson: rails, process, idle and running power, the end."""
    root = write_files(tmp_path, sensors.AGX_ORIN)
    rails = find_rails(root).rails
    sampler = Sampler(rails, rate_hz=1000.0)
    sampler.begin()
    assert sampler.end()[0] == pytest.approx(6.765)
    (root / "sys/class/hwmon/hwmon3/curr1_input").write_text("1117\n")
    sampler.begin()
    assert sampler.end()[0] == pytest.approx(26.765)
    sampler.close()
    sampler.close()
    with pytest.raises(SensorError, match="ended by itself"):
        sampler.begin()


def test_a_process_that_cannot_start_or_does_not_live_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measurement goes on without it."""
    root = write_files(tmp_path, sensors.NANO)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    meter = open_meter(root=root)
    meter._sleep = lambda seconds: None
    meter.rest()
    assert "the sampling of power" in str(meter.energy(1).reason)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    assert "did not start" in str(open_meter(root=root).energy(1).reason)


@pytest.mark.parametrize("answer", ["", "{}", "[1]", '{"watts": ["a"], "error": null}', "\\xff"])
def test_nonsense_in_place_of_an_answer_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Whatever a library prints there."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nhead -c 2 >/dev/null; printf '{answer}\\n'\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    sampler = Sampler(())
    sampler.begin()
    with pytest.raises(SensorError, match="answers with nonsense"):
        sampler.end()
    sampler.close()


def test_it_leaves_the_processors_of_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are none left it comes last instead."""
    moved: list[set[int]] = []
    nice: list[int] = []
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda pid, cores: moved.append(set(cores)), raising=False
    )
    monkeypatch.setattr(os, "nice", nice.append)
    power_sampler._step_aside([1, 3])
    power_sampler._step_aside([0, 1, 2, 3])
    power_sampler._step_aside(None)
    assert moved == [{0, 2}]
    assert nice == [10, 10]
