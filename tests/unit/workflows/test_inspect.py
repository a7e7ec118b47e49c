"""Looking into a network by its name, and listing all of them."""

from __future__ import annotations

import pytest

from edgenet.errors import UsageError
from edgenet.models import names
from edgenet.workflows import InspectArguments, inspect, list_models


def test_lenet5_has_about_a_quarter_of_the_baselines_parameters() -> None:
    """SPEC U2: 61,706 of 235,146."""
    result = inspect(InspectArguments(source="lenet5"))
    assert result.baseline == "mlp"
    assert result.share_of_baseline == pytest.approx(61_706 / 235_146)
    assert result.summary is not None
    assert result.to_json()["network"]["parameters"] == 61_706


def test_shapes_and_options_are_those_asked_for() -> None:
    """Before anything is trained, and before any data are there."""
    arguments = InspectArguments(
        source="lenet5",
        model_options={"channels": [3, 6]},
        in_channels=3,
        image_size=32,
        classes=4,
    )
    summary = inspect(arguments).summary
    assert summary is not None
    assert summary.layers[0].output == (3, 32, 32)
    assert summary.layers[-1].output == (4,)


def test_the_list_has_every_model_with_what_it_costs() -> None:
    """The table of models is the list."""
    rows = {row.name: row for row in list_models()}
    assert tuple(rows) == names()
    assert rows["lenet5"].to_json()["macs"] == 416_520


def test_what_has_no_layers_is_refused() -> None:
    """The message names what is wanted."""
    with pytest.raises(UsageError, match="neither a path nor a model"):
        inspect(InspectArguments(source="lenet7"))
