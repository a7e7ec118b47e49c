"""Whether a file stores the weights of its checkpoint, bit for bit.

Outputs alone cannot tell: a changed weight behind a dead ReLU leaves every logit as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgenet.weights import LayerWeights, NetworkWeights


def differences(expected: NetworkWeights, stored: NetworkWeights) -> tuple[str, ...]:
    """Say where the weights that a file uses are not those of the checkpoint.

    A layer of the file belongs to the checkpoint's layer of that name; where the format keeps no
    names, to the one with exactly that weight; and what is left over, to the next one of its shape,
    so that a changed layer is named too. A layer that is called twice may be stored twice, and of
    layers with equal weights one may be stored for all: each is still met by a node of the file.

    Args:
        expected: From the checkpoint, batch normalisation folded.
        stored: Read from the file.

    Returns:
        One line for each difference, beginning with the name of the layer; none if all is equal.
    """
    return (*_layer_differences(expected, stored), *_other_differences(expected, stored))


def _layer_differences(expected: NetworkWeights, stored: NetworkWeights) -> Iterator[str]:
    unmet = {layer.name: layer for layer in expected.layers}
    leftover = []
    for found in stored.layers:
        layer = _counterpart(found, expected.layers, unmet)
        if layer is None:
            leftover.append(found)
            continue
        unmet.pop(layer.name, None)
        yield from _differences_of_layer(layer, found)
    for found in leftover:
        layer = next((wanted for wanted in unmet.values() if _same_shape(wanted, found)), None)
        if layer is None:
            yield f"{found.place} has a weight {list(found.weight.shape)} that no layer has"
            continue
        del unmet[layer.name]
        yield from _differences_of_layer(layer, found)
    for name in unmet:
        yield f"{name} is missing"


def _counterpart(
    found: LayerWeights, layers: Sequence[LayerWeights], unmet: dict[str, LayerWeights]
) -> LayerWeights | None:
    """Find the checkpoint's layer that a stored one claims to be, by name or else by content."""
    named = next((layer for layer in layers if found.name and layer.name == found.name), None)
    if named is not None and named.name in unmet:
        return named
    for layer in (*unmet.values(), *(layers if named is None else ())):
        if layer.kind == found.kind and _equal(layer.weight, found.weight):
            return layer
    return named


def _same_shape(layer: LayerWeights, found: LayerWeights) -> bool:
    return layer.kind == found.kind and sorted(layer.weight.shape) == sorted(found.weight.shape)


def _differences_of_layer(layer: LayerWeights, found: LayerWeights) -> Iterator[str]:
    if layer.kind != found.kind:
        yield f"{layer.name} is a {layer.kind} layer, {found.place} is a {found.kind} layer"
        return
    if not _equal(layer.weight, found.weight):
        yield f"{layer.name}.weight: {_how(layer.weight, found.weight)}"
    if layer.bias is None and found.bias is not None:
        yield f"{layer.name}.bias: {found.place} adds one, the checkpoint has none"
    elif layer.bias is not None and found.bias is None:
        if layer.bias.any():  # an exporter may leave out zeros, which add nothing
            yield f"{layer.name}.bias: {found.place} does not add it"
    elif layer.bias is not None and found.bias is not None and not _equal(layer.bias, found.bias):
        yield f"{layer.name}.bias: {_how(layer.bias, found.bias)}"


def _other_differences(expected: NetworkWeights, stored: NetworkWeights) -> Iterator[str]:
    """Look for every other constant of the checkpoint, by name or else by content."""
    for name, wanted in expected.others.items():
        found = stored.others.get(name)
        if found is not None:
            if not _equal(wanted.reshape(-1), found.reshape(-1)):
                yield f"{name}: {_how(wanted.reshape(-1), found.reshape(-1))}"
        elif not any(
            _equal(wanted.reshape(-1), each.reshape(-1)) for each in stored.others.values()
        ):
            yield f"{name}: the file uses no constant with these values"


def _equal(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Tell whether two arrays are the same bits: −0 is not 0, and a NaN equals itself."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def _how(wanted: NDArray[Any], found: NDArray[Any]) -> str:
    """Say in what way two arrays differ."""
    if wanted.dtype != found.dtype:
        return f"{wanted.dtype} in the checkpoint, {found.dtype} in the file"
    axes = (*range(wanted.ndim - 2), wanted.ndim - 1, wanted.ndim - 2)
    if wanted.ndim >= 2 and _equal(wanted.transpose(axes), found):
        return "the file has it transposed"
    if wanted.shape != found.shape:
        return f"{list(wanted.shape)} in the checkpoint, {list(found.shape)} in the file"
    unequal = wanted.view(np.uint8) != np.ascontiguousarray(found).view(np.uint8)
    unequal = unequal.reshape(*wanted.shape, wanted.itemsize).any(axis=-1)
    first = tuple(int(index) for index in np.argwhere(unequal)[0])
    return (
        f"{int(unequal.sum()):,} of {wanted.size:,} values differ, the first at {list(first)}: "
        f"{wanted[first]!s} in the checkpoint, {found[first]!s} in the file"
    )
