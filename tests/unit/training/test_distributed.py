"""Several processes as threads of one: what they compute together is what one computes alone."""

from __future__ import annotations

import copy
import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from edgenet.errors import DataUnavailable, EdgenetError
from edgenet.models import ModelSpec, build
from edgenet.training import distributed
from edgenet.training.distributed import Ranks, follows, joined, several
from edgenet.training.epoch import backward
from edgenet.training.loop import fit
from edgenet.training.pictures import Pictures
from edgenet.training.recipe import Augmentation, Recipe
from edgenet.training.state import TrainingState
from edgenet.training.threads import candidates
from edgenet.training.whole_batch import whole_batch

ResultT = TypeVar("ResultT")
EPS = torch.finfo(torch.float32).eps
SPEC = ModelSpec(
    name="lenet5",
    options={"channels": [3, 4], "kernel": 3, "widths": [8], "batch_norm": True},
    image_size=(12, 12),
    classes=2,
)


class Board:
    """A store in memory whose readers wait, as those of torch do."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._changed = threading.Condition()

    def set(self, key: str, value: str, /) -> None:
        """Let all know ``value``."""
        with self._changed:
            self._texts[key] = value
            self._changed.notify_all()

    def get(self, key: str, /) -> bytes:
        """Wait for the value of ``key``."""
        with self._changed:
            if not self._changed.wait_for(lambda: key in self._texts, timeout=20):
                raise RuntimeError("nobody answers")
            return self._texts[key].encode()


class Threads(Ranks):
    """Ranks whose tensors are added up in memory instead of over a network."""

    def __init__(self, rank: int, size: int, board: Board, shared: list[Tensor | None]) -> None:
        super().__init__(rank=rank, size=size, local_size=size, store=board)
        self.shared = shared

    def total(self, values: Tensor) -> Tensor:
        """Add up the values of all threads, in the same order in each."""
        self.shared[self.rank] = values
        self.first_says(None)
        self._exchanged(None, asked=range(self.size))
        parts = [part.clone() for part in self.shared if part is not None]
        self._exchanged(None, asked=range(self.size))
        return values.copy_(torch.stack(parts).sum(0))


def together(size: int, work: Callable[[Ranks], ResultT]) -> list[ResultT]:
    """Do the work in so many threads and return what each returned."""
    board = Board()
    shared: list[Tensor | None] = [None] * size
    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(work, Threads(rank, size, board, shared)) for rank in range(size)]
    return [future.result() for future in futures]


with torch.random.fork_rng():
    torch.manual_seed(0)
    FRESH = build(SPEC)


def network() -> nn.Module:
    """Return the small network; threads must not draw its weights from torch's one generator."""
    return copy.deepcopy(FRESH)


@pytest.mark.parametrize("size", [2, 3, 13])
def test_several_processes_make_the_updates_of_one(bars: Pictures, size: int) -> None:
    """With batch normalisation, augmentation, noise, accumulation and a shorter last batch.

    The last batch has 12 rows, so the last of 13 processes has none of them. A weight's gradient
    is a sum of 32 · 12 · 12 products at most, and adding them up in another order changes it by
    that many ε of the sum of their magnitudes: here, of the largest update of any weight. Each of
    the 10 updates rounds every weight once more.
    """
    recipe = Recipe(
        epochs=2,
        batch=32,
        accumulate=2,
        optimizer="sgd",
        lr=0.01,
        l1=1e-4,
        augmentation=Augmentation(rotation_degrees=5, flip=0.5, noise=0.02),
    )
    alone = fit(network(), recipe, train=bars, validation=bars)
    states = together(
        size,
        lambda ranks: fit(network(), recipe, train=bars, validation=bars, ranks=ranks),
    )
    before = dict(network().named_parameters())
    moved = max(
        float((alone.weights[name] - tensor.detach()).abs().max())
        for name, tensor in before.items()
    )
    bound = 32 * 12 * 12 * EPS * moved
    for state in states:
        for name, tensor in alone.weights.items():
            torch.testing.assert_close(state.weights[name], tensor, rtol=10 * EPS, atol=bound)
            assert torch.equal(state.weights[name], states[0].weights[name]), name
        assert state.records == states[0].records
        for record, expected in zip(state.records, alone.records, strict=True):
            assert record.train_loss == pytest.approx(expected.train_loss, rel=1e-5)
            assert record.train_accuracy == pytest.approx(expected.train_accuracy, abs=1 / 300)


def test_a_process_without_rows_leaves_gradients_as_they_are() -> None:
    """An empty part of a batch has a gradient of 0 and no loss that is not a number."""
    empty = network().eval()
    loss, logits = backward(
        empty, torch.zeros(0, 1, 12, 12), torch.zeros(0, dtype=torch.int64), Recipe(), share=0
    )
    assert loss == 0
    assert logits.shape == (0, 2)
    assert all(
        parameter.grad is not None and not parameter.grad.any() for parameter in empty.parameters()
    )


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(3), nn.BatchNorm2d(3, momentum=None)])
def test_normalisation_sees_the_rows_of_all_processes(layer: nn.BatchNorm2d) -> None:
    """Outputs, averages and gradients in float64 are those of PyTorch's layer on the whole batch.

    A thousand roundings of numbers of order 1 stay below 1e-12.
    """
    generator = torch.Generator().manual_seed(1)
    whole = torch.randn(7, 3, 4, 4, generator=generator, dtype=torch.float64)
    pull = torch.randn(whole.shape, generator=generator, dtype=torch.float64)
    expected = copy.deepcopy(layer).double()
    rows = whole.clone().requires_grad_()
    output = expected(rows)
    (output * pull).sum().backward()

    def part(ranks: Ranks) -> tuple[Tensor, Tensor | None, nn.BatchNorm2d]:
        own = copy.deepcopy(layer).double()
        ranks.batch = len(whole)
        mine = whole[ranks.rank :: ranks.size].clone().requires_grad_()
        with whole_batch(own, ranks):
            answer = own(mine)
            (answer * pull[ranks.rank :: ranks.size]).sum().backward()
        ranks.add_gradients(own.parameters())
        return answer, mine.grad, own

    assert rows.grad is not None
    for rank, (answer, gradient, own) in enumerate(together(3, part)):
        torch.testing.assert_close(answer, output[rank::3], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient, rows.grad[rank::3], rtol=1e-12, atol=1e-12)
        for name, tensor in own.state_dict().items():
            torch.testing.assert_close(tensor, expected.state_dict()[name], rtol=1e-12, atol=1e-12)
        for mine, theirs in zip(own.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-12, atol=1e-12)
        assert "forward" not in vars(own)


@pytest.mark.parametrize("shape", [(9, 5), (9, 4, 3, 3)])
def test_dropout_drops_what_one_process_drops(shape: tuple[int, ...]) -> None:
    """Bit for bit: the mask is a function of the seed, not of the number of processes."""
    whole = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    whole = whole.contiguous(memory_format=layout)
    layer = nn.Dropout(0.4)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = layer(whole)
        for rank in range(4):
            ranks = Ranks(rank=rank, size=4)
            ranks.batch = len(whole)
            torch.manual_seed(5)
            with whole_batch(layer, ranks):
                own = whole[rank::4].contiguous(memory_format=layout)
                assert torch.equal(layer(own), expected[rank::4])


def test_every_row_of_every_batch_belongs_to_one_process() -> None:
    """The last and shorter batch included."""
    taken: list[int] = []
    for rank in range(3):
        ranks = Ranks(rank=rank, size=3)
        own = ranks.rows(11, 4)
        assert isinstance(own, Tensor)
        assert len(own) == sum(ranks.own(count) for count in (4, 4, 3))
        taken += own.tolist()
    assert sorted(taken) == list(range(11))
    assert Ranks().rows(11, 4) == slice(None)


def test_what_the_first_process_says_holds_for_all() -> None:
    """Times and choices differ from process to process; decisions must not."""
    assert together(3, lambda ranks: ranks.first_says({"rank": ranks.rank})) == [{"rank": 0}] * 3


def test_an_error_in_one_process_ends_all_with_the_same_kind_of_error() -> None:
    """Whoever speaks for all can then say why."""

    def load(rank: int) -> None:
        if rank == 1:
            raise DataUnavailable("nothing there", "copy it")

    def work(ranks: Ranks) -> EdgenetError:
        with pytest.raises(DataUnavailable) as caught, ranks.agreeing():
            load(ranks.rank)
        return caught.value

    others = together(3, work)
    assert [error.message for error in others] == [
        "process 1: nothing there",
        "nothing there",
        "process 1: nothing there",
    ]
    assert {error.hint for error in others} == {"copy it"}


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of torchrun's variables, as a cluster may set them, do not make several."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert not several()
    assert not follows()
    with joined() as ranks:
        assert (ranks.rank, ranks.size, ranks.first) == (0, 1, True)
    for name in distributed._SET_BY_TORCHRUN:
        monkeypatch.setenv(name, "2")
    assert follows()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not several()
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(EdgenetError, match="WORLD_SIZE is 'two'"):
        several()
    assert not follows()  # so that it can say so
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_PORT", "x")
    with pytest.raises(EdgenetError, match="MASTER_PORT is 'x'"), joined():
        pytest.fail("it joined others")


def test_processes_share_the_cores_of_their_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process beside those of another wait for each other."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
    assert candidates() == [1, 2, 4, 8]
    assert candidates(2) == [1, 2, 4]
    assert candidates(3) == [1, 2]
    assert candidates(20) == [1]


def test_a_resumed_run_of_several_processes_ends_with_the_same_weights(bars: Pictures) -> None:
    """Each starts from the state that the first one wrote."""
    recipe = dataclasses.replace(Recipe(), epochs=2, batch=50, lr=0.01)

    def work(ranks: Ranks) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        states: list[TrainingState] = []
        fit(network(), recipe, train=bars, validation=bars, ranks=ranks, on_epoch=states.append)
        again = fit(network(), recipe, train=bars, validation=bars, ranks=ranks, state=states[0])
        return states[-1].weights, again.weights

    for undisturbed, resumed in together(2, work):
        assert all(torch.equal(tensor, resumed[name]) for name, tensor in undisturbed.items())
