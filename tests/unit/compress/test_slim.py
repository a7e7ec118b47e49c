"""Criteria, budgets, and the search for widths that meet them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from edgenet.cli import slimming
from edgenet.compress.anatomy import anatomy
from edgenet.compress.budget import Budget
from edgenet.compress.channels import ChannelSet
from edgenet.compress.criteria import CRITERIA, criterion
from edgenet.compress.slim import Scorer, Slimmed, build_with, slim
from edgenet.compress.widths import find_widths, resized
from edgenet.errors import UsageError
from edgenet.models import ModelSpec, OptionValue, build
from edgenet.models.summary import summarise
from tests.checkpoints import seeded

TINY = ModelSpec(
    name="mlp-small", options={"widths": [2], "dropout": 0.0}, image_size=(1, 1), classes=2
)
LENET = ModelSpec(name="lenet5-relu")


def tiny() -> nn.Module:
    """A network of two hidden units on one pixel: h = relu(w·x), logits = V·h."""
    network = build(TINY).eval()
    values = {
        "classifier.linear1.weight": [[2.0], [-3.0]],
        "classifier.linear1.bias": [0.0, 1.0],
        "classifier.output.weight": [[1.0, 4.0], [-1.0, 0.5]],
        "classifier.output.bias": [0.0, 0.0],
    }
    network.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    return network


def difference(logits: Tensor, _labels: Tensor) -> Tensor:
    """Return a loss whose gradient is (1, −1) on every row: simple to do by hand."""
    return (logits[:, 0] - logits[:, 1]).mean()


def by_order(network: nn.Module, sets: Sequence[ChannelSet]) -> list[Tensor | None]:
    """Score channels by their number, so that the first ones go."""
    return [torch.arange(1.0, each.size + 1, dtype=torch.float64) for each in sets]


def slimmed(spec: ModelSpec, budget: str, scorer: Scorer = by_order, rounds: int = 3) -> Slimmed:
    """Slim an untrained network."""
    weights = seeded(lambda: build(spec)).state_dict()
    return slim(
        spec,
        weights,
        budget=Budget.parse(budget),
        scorer=scorer,
        fallback=by_order,
        rounds=rounds,
    )


def test_taylor_is_the_squared_change_of_the_loss_to_first_order() -> None:
    """At x = 1: h = (2, 0), so dL/dm = ((1+1)·2, (4−.5)·0); at x = −1: h = (0, 4), (0, 3.5·4)."""
    batches = [
        (torch.full((1, 1, 1, 1), pixel), torch.zeros(1, dtype=torch.int64))
        for pixel in (1.0, -1.0)
    ]
    network = tiny()
    scores = CRITERIA["taylor"].score(network, anatomy(TINY).sets, batches, difference)
    assert [score.tolist() for score in scores if score is not None] == [[4**2 / 2, 14**2 / 2]]
    assert all(parameter.grad is None for parameter in network.parameters())


def test_taylor_of_a_batch_is_that_of_its_mean_loss() -> None:
    """Of both pictures at once the changes are means: 4/2 and 14/2."""
    batch = (torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1), torch.zeros(2, dtype=torch.int64))
    scores = CRITERIA["taylor"].score(tiny(), anatomy(TINY).sets, [batch], difference)
    assert [score.tolist() for score in scores if score is not None] == [[2.0**2, 7.0**2]]


def test_taylor_foretells_what_scaling_a_channel_does() -> None:
    """In a residual network, where a channel is read by several layers and added to others."""
    spec = ModelSpec(name="resnet8", options={"channels": [4, 6], "stem": 4}, image_size=(12, 12))
    network, body = seeded(lambda: build(spec)).double(), anatomy(spec)
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(5, 1, 12, 12, generator=draw, dtype=torch.float64)
    labels = torch.arange(5)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.double(), labels)

    scores = CRITERIA["taylor"].score(network, body.sets, [(inputs, labels)], loss)
    for each, score in zip(body.sets, scores, strict=True):
        assert score is not None
        for channel in range(each.size):
            values = []
            for factor in (1 + 1e-3, 1 - 1e-3):
                scaled = build_with(spec, network.state_dict()).double()
                for part in each.readers:
                    weight = scaled.get_parameter(part.tensor).data
                    weight.index_copy_(
                        part.dim,
                        part.places[channel],
                        weight.index_select(part.dim, part.places[channel]) * factor,
                    )
                with torch.no_grad():
                    values.append(loss(scaled(inputs), labels).item())
            slope = (values[0] - values[1]) / 2e-3
            # Off by h²/6 of the third derivative, and by 1e-7/h: the loss sees float32 logits.
            assert score[channel].item() ** 0.5 == pytest.approx(abs(slope), rel=1e-2, abs=1e-3)


def test_batch_norm_is_the_gain_and_says_nothing_of_layers_without() -> None:
    """A hidden linear layer has no normalisation."""
    spec = ModelSpec(name="simple-cnn", options={"channels": [2, 3], "widths": [4]})
    network = seeded(lambda: build(spec))
    first = network.get_parameter("features.norm1.weight")
    first.data = torch.tensor([-2.0, 0.5])
    scores = CRITERIA["batch-norm"].score(network, anatomy(spec).sets, (), difference)
    assert scores[0] is not None
    assert scores[0].tolist() == [2.0, 0.5]
    assert scores[2] is None


def test_magnitude_is_the_weights_that_write_a_channel_over_their_mean() -> None:
    """Rows of 2 and 3: mean 2.5; the bias is not counted."""
    scores = CRITERIA["magnitude"].score(tiny(), anatomy(TINY).sets, (), difference)
    assert [score.tolist() for score in scores if score is not None] == [[2 / 2.5, 3 / 2.5]]


def test_an_unknown_criterion_is_refused_with_the_nearest() -> None:
    """A typo must not become another criterion."""
    with pytest.raises(UsageError, match="unknown criterion 'tailor'") as caught:
        criterion("tailor")
    assert "taylor" in str(caught.value.hint)


def test_the_help_names_every_criterion() -> None:
    """It is written out there, since reading the table imports torch."""
    written = str(slimming.slim.__annotations__["criterion"])  # its source, help included
    assert all(name in written for name in CRITERIA)


@pytest.mark.parametrize(
    ("text", "measure", "limit"),
    [
        ("params=17000", "params", 17000),
        ("macs=1e5", "macs", 100000),
        ("bytes=68_000", "bytes", 68000),
    ],
)
def test_a_budget_is_read(text: str, measure: str, limit: int) -> None:
    """As it is typed."""
    assert Budget.parse(text) == Budget(measure=measure, limit=limit)


@pytest.mark.parametrize(
    "text", ["17000", "params=", "params=1.5", "params=nan", "macs=inf", "params=0", "size=3", "=3"]
)
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    """With a message that names what it was."""
    with pytest.raises(UsageError):
        Budget.parse(text)


@pytest.mark.parametrize(
    ("budget", "rounds"), [("params=17000", 4), ("bytes=100000", 1), ("macs=250000", 2)]
)
def test_the_network_fits_its_budget_and_uses_most_of_it(budget: str, rounds: int) -> None:
    """One more channel in any layer would be too many."""
    after, limit = slimmed(LENET, budget, rounds=rounds), Budget.parse(budget)
    assert limit.cost(after.spec) <= limit.limit
    sizes = [now for _, _, now in after.widths]
    for place, (_, before, now) in enumerate(after.widths):
        if now < before:
            more = resized(
                after.spec, find_widths(after.spec), [*sizes[:place], now + 1, *sizes[place + 1 :]]
            )
            assert limit.cost(more) > limit.limit, f"width {place} has room"
    build_with(after.spec, after.weights)


def test_the_channels_with_the_lowest_scores_go_over_all_rounds() -> None:
    """What is kept is told by the parent's numbers, however many rounds there were."""
    after = slimmed(LENET, "params=30000", rounds=4)
    for rows, (_, before, now) in zip(after.kept.values(), after.widths, strict=True):
        assert rows.tolist() == list(range(before - now, before))
    assert list(after.kept)[::3] == ["features.conv1", "classifier.linear2"]


def test_what_is_kept_are_the_parents_weights() -> None:
    """Untouched: fine-tuning starts where the parent stood."""
    before, after = seeded(lambda: build(LENET)).state_dict(), slimmed(LENET, "params=40000")
    rows = after.kept["features.conv1"]
    assert torch.equal(
        after.weights["features.conv1.weight"], before["features.conv1.weight"][rows]
    )
    both = before["features.conv2.weight"][after.kept["features.conv2"]][:, rows]
    assert torch.equal(after.weights["features.conv2.weight"], both)


def test_a_budget_that_cannot_be_met_names_the_smallest() -> None:
    """And that one can be had."""
    with pytest.raises(UsageError, match="the smallest that its widths allow is") as caught:
        slimmed(LENET, "params=100")
    smallest = str(caught.value.hint).split("params=")[1].split(" ")[0]
    assert summarise(slimmed(LENET, f"params={smallest}").spec).parameters == int(smallest)


def test_a_budget_that_is_met_already_is_refused() -> None:
    """There is nothing to remove."""
    with pytest.raises(UsageError, match="61,706 parameters: not more than 61,706"):
        slimmed(LENET, "params=61706")


def test_a_width_that_the_criterion_cannot_judge_stays_and_is_named() -> None:
    """Batch normalisation says nothing of a hidden layer."""

    def gains(network: nn.Module, sets: Sequence[ChannelSet]) -> list[Tensor | None]:
        return CRITERIA["batch-norm"].score(network, sets, (), difference)

    after = slimmed(ModelSpec(name="simple-cnn"), "params=100000", gains)
    assert after.widths[2] == ("widths[0]", 128, 128)
    assert "widths[0]" in after.fixed
    with pytest.raises(UsageError, match="stays as it is"):
        slimmed(ModelSpec(name="simple-cnn"), "params=1000", gains)


def test_a_stage_never_comes_to_the_width_of_its_stem() -> None:
    """The convolution in the first shortcut would vanish, and its weights with it: 7 leads to 5."""

    def stage_first(network: nn.Module, sets: Sequence[ChannelSet]) -> list[Tensor | None]:
        return [
            torch.full((each.size,), 1e-9 if "stage1" in each.name else 1.0).double()
            for each in sets
        ]

    options: dict[str, OptionValue] = {"stem": 6, "channels": [16, 16, 16]}
    spec = ModelSpec(name="resnet8", options=options)
    wanted = ModelSpec(name="resnet8", options={**options, "channels": [5, 16, 16]})
    budget = f"params={summarise(wanted).parameters}"
    after = slimmed(spec, budget, stage_first, rounds=1)
    assert after.spec == wanted
    build_with(after.spec, after.weights)


def test_an_attention_block_shrinks_with_its_channels() -> None:
    """Its bottleneck has a quarter of them, and keeps its own best units."""
    after = slimmed(ModelSpec(name="lenet5-relu", options={"attention": "se"}), "params=9000")
    channels = after.widths[1][2]
    assert after.weights["features.attention.excite.reduce.weight"].shape[:2] == (
        max(1, channels // 4),
        channels,
    )
    build_with(after.spec, after.weights)
