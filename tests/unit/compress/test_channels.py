"""A network without some of its channels computes what the whole one does when nobody reads them.

That is shown for every model of the table and for random choices of channels: it holds only where
every number of a channel was found, and nothing of any other channel was taken for it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from edgenet import models
from edgenet.compress.anatomy import Anatomy, anatomy
from edgenet.compress.slim import build_with, cut
from edgenet.compress.widths import resized, shapes
from edgenet.errors import NotPossible
from edgenet.models import ModelSpec, OptionValue, build, variant
from edgenet.models.attention import MeanAndMaximum
from edgenet.models.summary import summarise
from edgenet.verify.parity import compare, relative_bound
from tests.checkpoints import seeded

GREY, COLOUR, ODD = (1, 28, 28), (3, 64, 64), (3, 40, 33)
Case = tuple[str, dict[str, OptionValue], tuple[int, int, int]]
CASES: list[Case] = [
    *((name, {}, GREY) for name in models.TABLE if name != "lenet5-1998"),
    ("lenet5-relu", {"attention": "se"}, GREY),
    ("lenet5-relu", {"attention": "cbam"}, GREY),
    ("lenet5", {"attention": "cbam", "batch_norm": True, "channels": [9, 21]}, COLOUR),
    ("lenet5-relu", {"head": "global-average", "pooling": "stochastic"}, GREY),
    ("lenet5-relu", {"widths": [], "pooling": "lp", "kernel": 3, "channels": [4, 5, 6]}, ODD),
    ("lenet5-conv", {}, ODD),
    ("mlp-small", {}, COLOUR),
    ("simple-cnn", {}, ODD),
    ("resnet8", {}, COLOUR),
    ("resnet8", {"blocks": 2}, GREY),
    ("resnet8", {"stem": 8, "pool_stem": False}, ODD),
]


def spec_of(case: Case) -> ModelSpec:
    """Return the spec of a case, for ten classes."""
    name, options, (channels, height, width) = case
    return ModelSpec(
        name=name, options=options, in_channels=channels, image_size=(height, width), classes=10
    )


@functools.lru_cache
def anatomy_of(number: int) -> Anatomy:
    """Return the anatomy of a case, found out once."""
    return anatomy(spec_of(CASES[number]))


def picked(count: int, of: int, draw: torch.Generator) -> Tensor:
    """Draw ``count`` channels of so many, ascending."""
    return torch.randperm(of, generator=draw)[:count].sort().values


def unread(network: nn.Module, body: Anatomy, kept: Sequence[Tensor]) -> nn.Module:
    """Let no layer read the other channels; a mean or maximum over channels leaves them out."""
    for each, rows in zip(body.sets, kept, strict=True):
        gone = torch.ones(each.size, dtype=torch.bool)
        gone[rows] = False
        for part in each.readers:
            weight = network.get_parameter(part.tensor).data
            weight.index_fill_(part.dim, part.places[gone].flatten(), 0)
    attention = [each for each in body.sets if any("attention" in p.tensor for p in each.readers)]
    for name, module in network.named_modules():
        if isinstance(module, MeanAndMaximum):
            rows = kept[body.sets.index(attention[0])]
            module.register_forward_pre_hook(lambda _, inputs, rows=rows: (inputs[0][:, rows],))
            assert name == "features.attention.over_channels"
    return network


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}-{CASES[n][1]}-{CASES[n][2]}"
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_slimmed_network_computes_what_its_parent_does_without_the_channels(
    number: int, seed: int
) -> None:
    """Equal decisions, and logits within the bound of two orders of float32 summation."""
    case = CASES[number]
    spec, draw = spec_of(case), torch.Generator().manual_seed(seed)
    parent, body = seeded(lambda: build(spec)), anatomy_of(number)
    assert not body.fixed
    sizes = [int(torch.randint(1, w.size + 1, (), generator=draw)) for w in body.widths]
    target = resized(spec, body.widths, sizes)
    shape = shapes(target)
    assert shape.keys() == shapes(spec).keys(), "choose another seed: a shortcut came or went"
    kept = []
    for each in body.sets:
        part = each.parts[0]
        left = shape[part.tensor][part.dim] // part.places.shape[1]
        kept.append(picked(left, each.size, draw))
    child = build_with(target, cut(parent.state_dict(), body.sets, kept))

    channels, height, width = case[2]
    pad = 2 * variant(spec.name).pad
    pictures = torch.randn(16, channels, height + pad, width + pad, generator=draw)
    with torch.no_grad():
        got = child(pictures).numpy()
        whole = parent(pictures).numpy()
        wanted = unread(parent, body, kept)(pictures).numpy()
    agreement = compare(wanted, got, relative_bound(summarise(spec).longest_reduction))
    assert agreement.passed, agreement.describe()
    assert (whole != wanted).any(), "the choice of channels changes nothing: it shows nothing"


def test_every_weight_of_a_layer_is_in_a_set_of_channels() -> None:
    """Of the teacher: all but the picture's channels and the classes can go."""
    spec = spec_of(("teacher", {}, GREY))
    parts = {(part.tensor, part.dim) for each in anatomy(spec).sets for part in each.parts}
    weights = {name for name, shape in shapes(spec).items() if len(shape) == 4}
    assert {tensor for tensor, dim in parts if dim == 0} >= weights
    assert {tensor for tensor, dim in parts if dim == 1} == {
        *(weights - {"features.conv.weight"}),
        "classifier.output.weight",
    }


def test_channels_that_are_added_are_removed_together_and_those_within_a_block_are_not() -> None:
    """A block's inner channels have nothing to do with those of the stream around it."""
    body = anatomy(spec_of(("resnet8", {"blocks": 2}, GREY)))
    assert [width.name for width in body.widths] == [
        "stem = channels[0]",
        "channels[1]",
        "channels[2]",
    ]
    stream, first, second = (body.sets[number] for number in body.of_width[0])
    assert [part.tensor for part in stream.writers] == [
        "features.conv.weight",
        "features.stage1_block1.body.conv2.weight",
        "features.stage1_block2.body.conv2.weight",
    ]
    assert [part.tensor for part in first.readers] == ["features.stage1_block1.body.conv2.weight"]
    assert [part.tensor for part in second.readers] == ["features.stage1_block2.body.conv2.weight"]


def test_a_stem_of_another_width_than_its_stage_is_slimmed_by_itself() -> None:
    """A shortcut with a convolution of its own lies between the two."""
    names = [width.name for width in anatomy(spec_of(("resnet8", {"stem": 8}, GREY))).widths]
    assert names == ["stem", "channels[0]", "channels[1]", "channels[2]"]


def test_the_network_of_1998_is_not_slimmed() -> None:
    """Its connection table and its codes have one size."""
    with pytest.raises(NotPossible, match="none of its options says how wide"):
        anatomy(spec_of(("lenet5-1998", {}, GREY)))
