"""Which numbers of a network belong to which channel, found by asking the network.

In a copy whose convolutions and linear layers only add their biases, every channel of one layer in
turn is raised by one. What then changes in the inputs of other layers is what reads that channel:
through activations, pooling, normalisation, gates, additions and flattening, whatever the network
has of them. Layers whose channels meet in an addition are so found to belong together, and the
places that a channel takes after flattening are found and not assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from edgenet.errors import NotPossible
from edgenet.models import ModelSpec, build, variant

_CHUNK = 32
"""Channels that are raised at once, each in a picture of its own: it bounds the memory."""
_CHANGED = 1e-4
"""What arrives of a raised channel is some 0.001 to 1, of rounding 1e-7."""
_WRITING = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One dimension of a tensor that runs over channels.

    Attributes:
        tensor: Dotted name of the parameter or buffer.
        dim: 0, or 1 for the inputs of a layer.
        places: Which places along it each channel has, int64 [channels, places a channel].
    """

    tensor: str
    dim: int
    places: Tensor

    def with_channels(self, rows: Tensor) -> Part:
        """Return the part of a tensor from which all other channels are gone."""
        left = self.places[rows]
        return replace(self, places=torch.searchsorted(left.flatten().sort().values, left))


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelSet:
    """Channels that are numbered alike wherever they occur: one can only go from all of it.

    Attributes:
        name: Of the first layer that writes them.
        size: How many there are.
        writers: Weights and biases of the convolutions and linear layers whose outputs they are.
        scalers: Tensors of the layers between, such as gains and averages of a normalisation.
        readers: Weights of the convolutions and linear layers that they are inputs of.
    """

    name: str
    size: int
    writers: tuple[Part, ...]
    scalers: tuple[Part, ...]
    readers: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them."""
        return self.writers + self.scalers + self.readers

    def with_channels(self, rows: Tensor) -> ChannelSet:
        """Return the set of a network from which all other channels are gone.

        Args:
            rows: The channels that are left, int64, ascending.
        """
        writers, scalers, readers = (
            tuple(part.with_channels(rows) for part in parts)
            for parts in (self.writers, self.scalers, self.readers)
        )
        return replace(self, size=len(rows), writers=writers, scalers=scalers, readers=readers)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Reached:
    """A layer's input in which every channel of a writer changes places of its own.

    Attributes:
        layer: Dotted name of the layer.
        places: int64 [channels, places a channel].
    """

    layer: str
    places: Tensor


def channel_sets(spec: ModelSpec, tensors: Collection[str]) -> tuple[ChannelSet, ...]:
    """Return the sets of channels of a network that other layers read, in the network's order.

    Args:
        spec: The network.
        tensors: Names of the weights whose outputs are in question.

    Raises:
        UsageError: The spec cannot be built.
        NotPossible: It has grouped convolutions, or channels that meet in different orders.
    """
    network = _silenced(spec)
    layers = {
        name: module
        for name, module in network.named_modules()
        if list(module.parameters(recurse=False))
    }
    writers = [
        name
        for name, layer in layers.items()
        if isinstance(layer, _WRITING) and f"{name}.weight" in tensors
    ]
    reached = {name: _reached_by(network, name, layers, spec) for name in writers}
    together = _joined({name: places for name, places in reached.items() if places})
    return tuple(_set_of(names, reached, layers) for names in together)


def _silenced(spec: ModelSpec) -> nn.Module:
    """Build the network with layers that say nothing: what is raised behind one goes no further."""
    with torch.random.fork_rng(devices=[]):
        network = build(spec).eval()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups != 1:
            raise NotPossible(
                f"{spec.name} cannot be slimmed: {name} is a convolution in groups, whose channels "
                "cannot be removed one by one"
            )
        for kind, parameter in module.named_parameters(recurse=False):
            if kind == "bias":
                nn.init.ones_(parameter)  # what is zero shows no gate that it is multiplied with
            elif isinstance(module, _WRITING):
                nn.init.zeros_(parameter)
        if isinstance(module, _WRITING):
            # All pictures of a batch leave it alike, so one is enough to compute.
            module.forward = _of_the_last(module.forward)  # type: ignore[assignment]
    return network


def _of_the_last(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward_of_the_last(inputs: Tensor) -> Tensor:
        output = forward(inputs[-1:])
        return output.expand(len(inputs), *output.shape[1:])

    return forward_of_the_last


def _reached_by(
    network: nn.Module, writer: str, layers: Mapping[str, nn.Module], spec: ModelSpec
) -> list[_Reached]:
    """Return the layers in whose inputs every channel of ``writer`` has places of its own."""
    width = len(network.get_submodule(writer).get_parameter("weight"))
    pad = variant(spec.name).pad
    sides = (side + 2 * pad for side in spec.image_size)
    picture = torch.zeros(1, spec.in_channels, *sides)
    found: dict[str, Tensor] = {}

    def noting(name: str, start: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raised, rest = inputs[0][:-1], inputs[0][-1:]
            changed = ((raised - rest).abs() > _CHANGED).unsqueeze(-1).flatten(2).any(2)
            whole = found.setdefault(name, torch.zeros(width, changed.shape[1], dtype=torch.bool))
            whole[start : start + len(changed)] |= changed

        return note

    def raising(start: int, count: int) -> Callable[[nn.Module, object, Tensor], Tensor]:
        def raise_channels(_: nn.Module, __: object, output: Tensor) -> Tensor:
            output = output.clone()
            for row in range(count):
                output[row, start + row] += 1
            return output

        return raise_channels

    for start in range(0, width, _CHUNK):
        count = min(_CHUNK, width - start)
        hooks = [
            layer.register_forward_pre_hook(noting(name, start)) for name, layer in layers.items()
        ]
        hooks.append(network.get_submodule(writer).register_forward_hook(raising(start, count)))
        with torch.no_grad():
            network(picture.expand(count + 1, -1, -1, -1))
        for hook in hooks:
            hook.remove()
    return [
        _Reached(layer=name, places=places)
        for name, changed in found.items()
        if (places := _places(changed)) is not None
    ]


def _places(changed: Tensor) -> Tensor | None:
    """Return where each channel arrives, or None where channels arrive mixed or not at all.

    Args:
        changed: bool [channels, places].
    """
    each = changed.sum(1)
    if not each[0] or (each != each[0]).any() or (changed.sum(0) > 1).any():
        return None
    return changed.nonzero()[:, 1].reshape(len(changed), int(each[0]))


def _joined(reached: Mapping[str, list[_Reached]]) -> list[list[str]]:
    """Put the writers together whose channels take the same places of some layer's input.

    Raises:
        NotPossible: They take the same places in different orders.
    """
    together: list[list[str]] = []
    for writer, layers in reached.items():
        joined = [writer]
        for group in list(together):
            if any(_meet(writer, one, layers, reached[one]) for one in group):
                together.remove(group)
                joined = group + joined
        together.append(joined)
    return sorted(together, key=lambda group: list(reached).index(group[0]))


def _meet(first: str, second: str, ones: list[_Reached], others: list[_Reached]) -> bool:
    for one in ones:
        for other in others:
            if one.layer == other.layer and torch.isin(one.places, other.places).any():
                if not torch.equal(one.places, other.places):
                    raise NotPossible(
                        f"the channels of {first} and {second} meet in {one.layer} in different "
                        "orders, and cannot be removed one by one"
                    )
                return True
    return False


def _set_of(
    names: list[str], reached: Mapping[str, list[_Reached]], layers: Mapping[str, nn.Module]
) -> ChannelSet:
    """Collect the parts of the channels that these layers write."""
    size = len(layers[names[0]].get_parameter("weight"))
    own = torch.arange(size)[:, None]
    writers = [
        Part(tensor=f"{name}.{kind}", dim=0, places=own)
        for name in names
        for kind, _ in layers[name].named_parameters(recurse=False)
    ]
    scalers: dict[str, Part] = {}
    readers: dict[str, Part] = {}
    for name in names:
        for end in reached[name]:
            layer = layers[end.layer]
            if isinstance(layer, _WRITING):
                tensor = f"{end.layer}.weight"
                readers[tensor] = Part(tensor=tensor, dim=1, places=end.places)
            else:
                scalers |= _scalers(end, layer)
    return ChannelSet(
        name=names[0],
        size=size,
        writers=tuple(writers),
        scalers=tuple(scalers.values()),
        readers=tuple(readers.values()),
    )


def _scalers(end: _Reached, layer: nn.Module) -> dict[str, Part]:
    """Return the tensors of a layer that has one number a channel."""
    width = math.prod(end.places.shape)
    tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    return {
        f"{end.layer}.{name}": Part(tensor=f"{end.layer}.{name}", dim=0, places=end.places)
        for name, tensor in tensors.items()
        if tensor.dim() and len(tensor) == width
    }
