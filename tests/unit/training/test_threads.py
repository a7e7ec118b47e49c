"""The probe that chooses the number of threads."""

from __future__ import annotations

import pytest
import torch

from edgenet.training import threads


@pytest.mark.parametrize(("slow", "chosen"), [(2, 1), (1, 2)])
def test_the_probe_chooses_the_number_that_was_faster(
    monkeypatch: pytest.MonkeyPatch, slow: int, chosen: int
) -> None:
    """Ten times longer with two threads means one, and the other way round."""
    clock = [0]
    monkeypatch.setattr(threads, "now_ns", lambda: clock[0])
    monkeypatch.setattr(threads, "candidates", lambda _: [1, 2])

    def step() -> None:
        clock[0] += 50_000_000 if torch.get_num_threads() == slow else 5_000_000

    before = torch.get_num_threads()
    probe = threads.choose_threads(step)
    assert probe.threads == chosen
    assert probe.step_ms[slow] == pytest.approx(50)
    assert torch.get_num_threads() == before
    assert probe.describe().startswith(f"{chosen} (probe")
