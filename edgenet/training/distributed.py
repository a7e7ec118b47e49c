"""Training in several processes, as torchrun starts them, with the update of the whole batch.

Order, augmentation and dropout are functions of the seed and the epoch, so every process draws them
for the whole of every batch, computes its own rows, and the gradients are added up: the update is
that of one process, but for the order in which numbers are added.

One process pays nothing: torch.distributed is imported where there are several.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from edgenet.errors import EdgenetError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

TIMEOUT_S = 600
"""How long one process waits for another before it takes it for dead."""

_SET_BY_TORCHRUN = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    *("MASTER_ADDR", "MASTER_PORT"),
)
_JOINS = itertools.count()


class Store(Protocol):
    """Texts by key that all processes see: what torch.distributed calls a store."""

    def set(self, key: str, value: str, /) -> None:
        """Let all know ``value``."""

    def get(self, key: str, /) -> bytes:
        """Wait for the value of ``key``; RuntimeError when that takes too long."""


class Ranks:
    """The processes that train one network together; one alone by default.

    Attributes:
        rank: This process, from 0 up. The first alone writes files and tells how it goes.
        size: How many there are.
        local_rank: This process among those of its machine.
        local_size: How many there are on its machine.
        batch: Rows of the batch that is being computed, those of all processes.
    """

    def __init__(
        self,
        *,
        rank: int = 0,
        size: int = 1,
        local_rank: int = 0,
        local_size: int = 1,
        store: Store | None = None,
    ) -> None:
        self.rank, self.size = rank, size
        self.local_rank, self.local_size = local_rank, local_size
        self.batch = 0
        self._store = store
        self._rounds = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def own(self, count: int) -> int:
        """Return how many rows of a batch of ``count`` this process computes; maybe none."""
        return len(range(self.rank, count, self.size))

    def rows(self, count: int, batch: int) -> slice | Tensor:
        """Return where this process's rows are among ``count`` that are cut into batches.

        Of every batch, the last and shorter one included, it takes each ``size``-th row.
        """
        if self.size == 1:
            return slice(None)
        import torch

        return (torch.arange(count) % batch % self.size == self.rank).nonzero().squeeze(1)

    def total(self, values: Tensor) -> Tensor:
        """Add up ``values`` of all processes, in place, and return them.

        Raises:
            EdgenetError: Another process has ended or does not answer.
        """
        if self.size > 1:
            import torch.distributed as dist

            with _answering():
                dist.all_reduce(values)
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every parameter the sum of its gradients in all processes, in one exchange."""
        if self.size == 1:
            return
        import torch

        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        flat = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        sums = flat.split([gradient.numel() for gradient in gradients])
        for gradient, values in zip(gradients, sums, strict=True):
            gradient.copy_(values.view(gradient.shape))

    def first_says(self, value: Any) -> Any:
        """Return the first process's ``value``, plain JSON, in all of them."""
        return self._exchanged(value, asked=(0,))[0] if self.size > 1 else value

    @contextlib.contextmanager
    def agreeing(self) -> Iterator[None]:
        """Let the block fail in every process if it fails in one.

        Raises:
            EdgenetError: What went wrong in another process.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            if self.size == 1:
                raise
            failure = error
        if self.size > 1:
            told = self._exchanged(_described(failure), asked=range(self.size))
            if failure is not None:
                raise failure
            for rank, description in enumerate(told):
                if description is not None:
                    raise _failed_in(rank, description)

    def _exchanged(self, value: Any, *, asked: Iterable[int]) -> list[Any]:
        """Tell the others a plain JSON value, and return those of the processes that are asked."""
        assert self._store is not None  # noqa: S101 - several processes have one
        self._rounds += 1
        with _answering():
            self._store.set(f"{self._rounds}/{self.rank}", json.dumps(value))
            return [json.loads(self._store.get(f"{self._rounds}/{rank}")) for rank in asked]


def several() -> bool:
    """Tell whether torchrun started this process as one of several."""
    return all(name in os.environ for name in _SET_BY_TORCHRUN) and _number("WORLD_SIZE") > 1


def refuse_several(what: str, hint: str = "leave torchrun out: start edgenet itself") -> None:
    """Refuse to share work that is done by one process.

    Args:
        what: The work, such as ``a distillation is done``.
        hint: What to do instead.

    Raises:
        UsageError: torchrun started several processes.
    """
    if several():
        raise UsageError(f"{what} by one process", hint)


def follows() -> bool:
    """Tell whether this process is one of several and not the first, which speaks for all.

    Where the environment is not torchrun's it speaks for itself; :func:`joined` says what is wrong.
    """
    try:
        return several() and _number("RANK") > 0
    except EdgenetError:
        return False


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Work with the other processes that torchrun started, if it did, until the block ends.

    Raises:
        EdgenetError: The others are not there, or end before this one.
    """
    if not several():
        yield Ranks()
        return
    from datetime import timedelta

    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    for variable in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT"):
        _number(variable)
    timeout = timedelta(seconds=TIMEOUT_S)
    with _answering():
        base, rank, size = next(iter(rendezvous("env://", timeout=timeout)))
        base.set_timeout(timeout)
        store = PrefixStore(f"edgenet/{next(_JOINS)}", base)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=PrefixStore("group", store),
            rank=rank,
            world_size=size,
            timeout=timeout,
        )
    try:
        ranks = Ranks(
            rank=rank,
            size=size,
            local_rank=_number("LOCAL_RANK"),
            local_size=_number("LOCAL_WORLD_SIZE"),
            store=store,
        )
        yield ranks
        # Whoever is done first waits: the store of the others may end with it.
        with ranks.agreeing():
            pass
    finally:
        dist.destroy_process_group()


def _number(variable: str) -> int:
    try:
        return int(os.environ[variable])
    except ValueError:
        raise EdgenetError(
            f"the environment variable {variable} is {os.environ[variable]!r}, not a number",
            "start edgenet with torchrun, or unset it",
        ) from None


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turn what torch raises when a connection breaks or time runs out into an error of ours."""
    try:
        yield
    except RuntimeError as error:
        raise EdgenetError(
            "another process of this training has ended or does not answer",
            "what that process said last is the reason",
        ) from error


def _described(failure: Exception | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    if isinstance(failure, EdgenetError):
        return {"code": failure.code, "message": failure.message, "hint": failure.hint}
    return {"code": EdgenetError.code, "message": str(failure) or repr(failure), "hint": None}


def _failed_in(rank: int, description: Mapping[str, Any]) -> EdgenetError:
    """Return another process's error as one of the same kind."""
    kinds: list[type[EdgenetError]] = [EdgenetError, *EdgenetError.__subclasses__()]
    kind = {kind.code: kind for kind in kinds}[description["code"]]
    return kind(f"process {rank}: {description['message']}", description["hint"])
