"""Structured pruning: a trained network without the channels that it would miss least.

What comes out is a network of the same model with smaller numbers in its options, so that it is
trained, evaluated and exported as any other. Channels go in rounds of about equal shares of the
cost, and are judged anew after each, since what one channel does depends on which others are left.
docs/decisions/0011 has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgenet.compress.anatomy import Anatomy, anatomy
from edgenet.compress.budget import Budget
from edgenet.compress.channels import ChannelSet
from edgenet.compress.width_search import WidthSearch
from edgenet.compress.widths import resized, shapes
from edgenet.errors import UsageError
from edgenet.models import ModelSpec, build
from edgenet.progress import ProgressCallback, Step, ignore

ROUNDS = 10

Weights = Mapping[str, Tensor]
Scorer = Callable[[nn.Module, Sequence[ChannelSet]], Sequence[Tensor | None]]
"""Scores every channel of every set of a network, by a criterion."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slimmed:
    """A network with fewer channels.

    Attributes:
        spec: What it is, with its smaller widths.
        weights: Parameters and buffers by name: those of the parent that were kept.
        widths: Name, size before and size after of every width that may vary.
        fixed: Names of the widths that could not be judged, with the reason.
        kept: Which channels of the parent are left, by the first layer that writes them.
    """

    spec: ModelSpec
    weights: Weights
    widths: tuple[tuple[str, int, int], ...]
    fixed: Mapping[str, str]
    kept: Mapping[str, Tensor]


def slim(
    spec: ModelSpec,
    weights: Weights,
    *,
    budget: Budget,
    scorer: Scorer,
    fallback: Scorer,
    rounds: int = ROUNDS,
    progress: ProgressCallback = ignore,
) -> Slimmed:
    """Remove channels until the network costs no more than ``budget``.

    Every round removes, again and again, the channel with the lowest score for what its removal
    saves, in the budget's measure. In the end channels of the last round are put back where the
    budget has room for them.

    Args:
        spec: The trained network.
        weights: Its parameters and buffers.
        budget: What it may cost.
        scorer: Judges channels.
        fallback: Judges all sets; asked for those that ``scorer`` cannot judge and whose size only
            follows from another's. A width whose own channels are not judged stays as it is.
        rounds: How often channels are judged.
        progress: Told of every round.

    Raises:
        UsageError: The network costs no more already, or cannot be made so small; the message names
            the smallest cost that can be reached.
        NotPossible: The network has no channels that may be removed.
    """
    before = budget.cost(spec)
    if before <= budget.limit:
        raise UsageError(
            f"{spec.name} has {budget.describe(before)}: not more than {budget.describe()}",
            "choose a smaller budget",
        )
    body = first = anatomy(spec)
    fixed = dict(first.fixed)
    kept = {each.name: torch.arange(each.size) for each in first.sets}
    for number in range(1, rounds + 1):
        scores = _scored(build_with(spec, weights), body, scorer, fallback)
        curves = [_curve(body, place, scores) for place in range(len(body.widths))]
        search = WidthSearch(spec, body.widths, curves, budget)
        if number == 1:
            unjudged = [
                w.name for w, curve in zip(body.widths, curves, strict=True) if curve is None
            ]
            fixed |= dict.fromkeys(unjudged, "the criterion does not judge it")
            _check_reachable(spec, budget, search.smallest(), fixed)
        last = number == rounds
        share = (budget.limit / before) ** (number / rounds)
        sizes = search.down_to(budget.limit if last else int(before * share), fill=last)
        target = resized(spec, body.widths, sizes)
        chosen = _chosen(body, scores, shapes(target))
        for each, rows in zip(body.sets, chosen, strict=True):
            kept[each.name] = kept[each.name][rows]
        spec, weights = target, cut(weights, body.sets, chosen)
        body = body.slimmed(sizes, chosen)
        figures = {budget.measure: budget.cost(spec)}
        progress(
            Step(task="prune", done=number, total=rounds, unit="round", figures=figures, final=True)
        )
    pairs = zip(first.widths, body.widths, strict=True)
    return Slimmed(
        spec=spec,
        weights=weights,
        widths=tuple((width.name, width.size, now.size) for width, now in pairs),
        fixed=fixed,
        kept=kept,
    )


def build_with(spec: ModelSpec, weights: Weights) -> nn.Module:
    """Return the network of ``spec`` with these weights, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        network = build(spec)
    network.load_state_dict(dict(weights))
    return network.eval()


def cut(weights: Weights, sets: Sequence[ChannelSet], kept: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return copies of the tensors with the channels that are kept.

    Args:
        weights: Parameters and buffers by name.
        sets: Sets of channels.
        kept: For every set the channels that stay, int64, ascending.
    """
    after = dict(weights)
    for each, rows in zip(sets, kept, strict=True):
        for part in each.parts:
            places = part.places[rows].flatten().sort().values
            after[part.tensor] = after[part.tensor].index_select(part.dim, places)
    return {name: tensor.clone() for name, tensor in after.items()}


def _scored(
    network: nn.Module, body: Anatomy, scorer: Scorer, fallback: Scorer
) -> list[Tensor | None]:
    """Return the scores of every set, those of ``fallback`` for sets that no width counts."""
    scores = list(scorer(network, body.sets))
    counted = {number for place in range(len(body.widths)) for number in body.counted(place)}
    missing = [number for number, score in enumerate(scores) if score is None]
    following = [number for number in missing if number not in counted]
    if following:
        others = fallback(network, [body.sets[number] for number in following])
        for number, score in zip(following, others, strict=True):
            scores[number] = score
    return scores


def _curve(body: Anatomy, place: int, scores: Sequence[Tensor | None]) -> Tensor | None:
    """Return what is missed with the first, the second, … channel gone from all sets of a width."""
    curve = torch.zeros(body.widths[place].size, dtype=torch.float64)
    for number in body.counted(place):
        score = scores[number]
        if score is None:
            return None
        curve += score.sort().values
    return curve


def _chosen(
    body: Anatomy, scores: Sequence[Tensor | None], target: Mapping[str, tuple[int, ...]]
) -> list[Tensor]:
    """Return the channels that stay of every set, ascending: those with the highest scores."""
    chosen = []
    for each, score in zip(body.sets, scores, strict=True):
        part = each.parts[0]
        left = target[part.tensor][part.dim] // part.places.shape[1]
        if score is None or left == each.size:
            chosen.append(torch.arange(each.size))
            continue
        order = score.sort(descending=True, stable=True).indices
        chosen.append(order[:left].sort().values)
    return chosen


def _check_reachable(
    spec: ModelSpec, budget: Budget, smallest: int, fixed: Mapping[str, str]
) -> None:
    """Refuse a budget that no widths meet.

    Raises:
        UsageError: It is below ``smallest``.
    """
    if budget.limit < smallest:
        stays = "".join(f"; {name} stays as it is: {reason}" for name, reason in fixed.items())
        raise UsageError(
            f"{spec.name} cannot be slimmed to {budget.describe()}: the smallest that its widths "
            f"allow is {budget.describe(smallest)}{stays}",
            f"choose {budget.measure}={smallest} or more",
        )
