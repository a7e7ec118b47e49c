"""Parts of a network that stay as they are while the rest is trained."""

from __future__ import annotations

from torch import nn

from edgenet.errors import UsageError
from edgenet.training.recipe import Recipe


def freeze(network: nn.Module, recipe: Recipe) -> None:
    """Let no gradient reach what the recipe freezes.

    Raises:
        UsageError: A name in ``freeze`` or ``lr_factors`` is no part of the network, or all of it
            is frozen.
    """
    names = [name for name, _ in network.named_parameters()]
    for option, parts in (("freeze", recipe.freeze), ("lr_factors", recipe.lr_factors)):
        for part in parts:
            if not any(is_below(name, part) for name in names):
                known = ", ".join(sorted({name.partition(".")[0] for name in names}))
                raise UsageError(f"{option}: the network has no {part!r}", f"it has {known}")
    if all(is_frozen(name, recipe) for name in names):
        raise UsageError("freeze leaves nothing to train", "name a part of the network")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not is_frozen(name, recipe))


def train_mode(network: nn.Module, recipe: Recipe) -> None:
    """Set training mode, and evaluation in what is frozen: averages move without a gradient."""
    network.train()
    for name, module in network.named_modules():
        if is_frozen(name, recipe):
            module.eval()


def is_frozen(name: str, recipe: Recipe) -> bool:
    """Tell whether a parameter or module of that name stays as it is."""
    return any(is_below(name, part) for part in recipe.freeze)


def is_below(name: str, part: str) -> bool:
    """Tell whether the dotted ``name`` is ``part`` or inside it."""
    return name == part or name.startswith(f"{part}.")
