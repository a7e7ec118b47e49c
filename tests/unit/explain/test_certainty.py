"""Doubt, energy and thresholds, against figures computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgenet.explain.certainty import Certainty, CertaintyRow, Threshold


def test_doubt_and_energy_follow_from_the_logits() -> None:
    """Two classes with logits 1 and 0: 1 − e/(e + 1), and −log(e + 1)."""
    certainty = Certainty.of(np.array([[1, 0]], np.float32))
    assert certainty.doubt[0] == pytest.approx(1 / (1 + math.e))
    assert certainty.energy[0] == pytest.approx(-math.log(1 + math.e))


def test_doubt_is_exact_where_the_probability_rounds_to_one() -> None:
    """Else all sure answers would be equally sure."""
    certainty = Certainty.of(np.array([[100, 0, 0], [50, 0, 0]], np.float32))
    assert certainty.doubt == pytest.approx([2 * math.exp(-100), 2 * math.exp(-50)])


def test_a_network_with_a_sigmoid_a_class_doubts_by_that() -> None:
    """Logits 2 and 2 are two sure answers, not an even choice; far above, doubt stays exact."""
    logits = np.array([[2, 2], [100, -1e4], [-1e4, -1e4]], np.float32)
    certainty = Certainty.of(logits, "sigmoid")
    assert certainty.doubt == pytest.approx([1 / (1 + math.exp(2)), math.exp(-100), 1])
    assert certainty.energy == pytest.approx(Certainty.of(logits).energy)


def test_large_logits_do_not_overflow() -> None:
    """Neither way."""
    certainty = Certainty.of(np.array([[1e4, 0], [-1e4, -1e4]], np.float32))
    assert np.isfinite(certainty.energy).all()
    assert certainty.energy == pytest.approx([-1e4, 1e4 - math.log(2)])


def test_the_threshold_refuses_one_known_picture_in_a_hundred() -> None:
    """By either measure."""
    spread = np.linspace(0, 1, 1000)
    known = Certainty(doubt=spread, energy=spread - 5)
    threshold = Threshold.of(known)
    row = CertaintyRow.of("known", known, threshold, known=True)
    assert row.accepted_by_confidence == row.accepted_by_energy == 0.99
    assert row.mean_confidence == pytest.approx(0.5)
    assert threshold.to_json()["confidence"] == pytest.approx(0.01)
