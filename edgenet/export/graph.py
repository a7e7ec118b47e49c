"""The network as it is deployed: raw pixels in, logits out, nothing that only training needs.

Padding and normalisation move into the graph, so that a caller has nothing to get wrong. Layers
that are trained in another form than they run in give the latter, and batch normalisation is
folded; here and not by an exporter, so that every weight of the written file is, bit for bit, a
weight that :func:`deployed_weights` can name.
"""

from __future__ import annotations

import copy
import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from edgenet.errors import NotPossible
from edgenet.export.pixels import pixel_constants
from edgenet.models.layers import Deployable
from edgenet.weights import LayerKind, LayerWeights, NetworkWeights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edgenet.runner.preprocess import Preprocessing

logger = logging.getLogger(__name__)

PREFIX = "network."
"""What the names of the trained network's tensors begin with inside a :class:`DeployedNetwork`."""

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_BATCH_SIZE = 500


class DeployedNetwork(nn.Module):
    """A trained network behind its pixel arithmetic: raw pictures [N, C, H, W] to logits [N, K].

    Zero padding comes before normalisation (see :func:`edgenet.export.pixels.pixel_constants`), so
    that a padded pixel is a black one. The network itself is left as it is: what is deployed is its
    :func:`deployed_form`.

    Args:
        network: Takes normalised float32 [N, C, H + 2·pad, W + 2·pad], gives logits [N, K].
        preprocessing: Mean and standard deviation of [0, 1] pixels by channel, and the padding.
        uint8_input: Pixels come as uint8; otherwise as float32 from 0 to 255.

    Raises:
        NotPossible: Batch normalisation cannot be folded since ``forward`` cannot be traced.
    """

    pixel_offset: Tensor
    pixel_scale: Tensor

    def __init__(
        self, network: nn.Module, preprocessing: Preprocessing, *, uint8_input: bool = True
    ) -> None:
        super().__init__()
        self.network = deployed_form(network)
        self.preprocessing = preprocessing
        self.input_dtype = torch.uint8 if uint8_input else torch.float32
        offset, scale = pixel_constants(preprocessing)
        self.register_buffer("pixel_offset", torch.from_numpy(offset))
        self.register_buffer("pixel_scale", torch.from_numpy(scale))
        self.eval()

    def forward(self, input: Tensor) -> Tensor:
        """Turn raw pictures [N, C, H, W] into logits, float32 [N, K]."""
        pixels = input.to(torch.float32)
        pad = self.preprocessing.pad
        if pad:
            pixels = nn.functional.pad(pixels, (pad, pad, pad, pad))
        logits: Tensor = self.network((pixels - self.pixel_offset) * self.pixel_scale)
        return logits

    def example(self, batch: int) -> Tensor:
        """Return raw pictures [batch, C, H, W] for an exporter to trace with."""
        shape = (batch, *self.preprocessing.shape)
        return (torch.arange(math.prod(shape)) % 256).to(self.input_dtype).reshape(shape)


def deployed_form(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, with every layer in the form that runs.

    A :class:`~edgenet.models.layers.Deployable` layer is replaced by its deployed form. Then batch
    normalisation is folded into the layer before it, where it is the only reader of that layer; it
    is otherwise left as it is. Names of modules stay; a folded normalisation becomes an identity.

    Raises:
        NotPossible: There is batch normalisation and ``forward`` cannot be traced symbolically.

    Source:
        Jacob et al. 2018, arXiv:1712.05877, section 3.2, equation 14.
    """
    network = copy.deepcopy(network).cpu().eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, Deployable):
            _replace(network, name, module.deployed().eval())
            logger.debug("put %s into its deployed form", name)
    if not any(isinstance(module, _NORMALISATIONS) for module in network.modules()):
        return network
    for layer_name, norm_name in _foldable_pairs(network):
        layer, norm = network.get_submodule(layer_name), network.get_submodule(norm_name)
        fuse: Any = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
        _replace(network, layer_name, fuse(layer, norm))
        _replace(network, norm_name, nn.Identity())
        logger.debug("folded %s into %s", norm_name, layer_name)
    return network


def deployed_weights(network: DeployedNetwork) -> NetworkWeights:
    """Return every number of a deployed network, named as in its checkpoint, after folding.

    The two constants of the pixel arithmetic are ``pixel_offset`` and ``pixel_scale``.
    """
    layers = []
    taken = set()
    for name, module in network.named_modules():
        kind = _kind(module)
        if kind is not None:
            bias = module.bias
            layers.append(
                LayerWeights(
                    name=name.removeprefix(PREFIX),
                    place="the checkpoint",
                    kind=kind,
                    weight=_array(module.weight),
                    bias=None if bias is None else _array(bias),
                )
            )
            taken |= {f"{name}.weight", f"{name}.bias"}
    others = {
        name.removeprefix(PREFIX): _array(tensor)
        for name, tensor in network.state_dict().items()
        if name not in taken and tensor.is_floating_point()
    }
    return NetworkWeights(layers=tuple(layers), others=others)


def reference_logits(
    network: nn.Module, preprocessing: Preprocessing, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Run the trained network as training does: the result that an exported file must reproduce.

    Nothing is folded, and normalisation is the plain (p/255 − mean)/std, so that a mistake in
    :class:`DeployedNetwork` cannot hide.

    Args:
        network: The trained network itself.
        preprocessing: Its normalisation and padding.
        images: uint8 [N, C, H, W].

    Returns:
        Logits, float32 [N, K].
    """
    mean = torch.tensor(preprocessing.mean).reshape(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std).reshape(1, -1, 1, 1)
    pad = preprocessing.pad
    network = copy.deepcopy(network).cpu().eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH_SIZE):
            pixels = torch.from_numpy(np.array(images[start : start + _BATCH_SIZE]))
            padded = nn.functional.pad(pixels.to(torch.float32), (pad, pad, pad, pad))
            batches.append(network((padded / 255 - mean) / std).to(torch.float32).numpy())
    return np.concatenate(batches)


class _LayerTracer(fx.Tracer):
    """Follows the data from layer to layer, and into none of them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether ``m`` is a layer: one of PyTorch's own, or a module without modules within.

        Some of PyTorch's own have modules within, such as ``nn.MultiheadAttention``.
        """
        return super().is_leaf_module(m, module_qualified_name) or not list(m.children())


def _foldable_pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Find (layer, normalisation after it) by the names of the modules."""
    try:
        graph = _LayerTracer().trace(network)
    except Exception as error:  # fx raises whatever the traced forward raises
        raise NotPossible(
            "the network's batch normalisation cannot be folded: "
            f"its forward cannot be traced ({error})",
            "fold it before exporting, or write forward() without branches that look at values",
        ) from error
    modules = dict(network.named_modules())
    calls = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMALISATIONS):
            continue
        source = node.args[0]
        if (
            source.op == "call_module"
            and _kind(modules[source.target]) is not None
            and len(source.users) == 1
            and calls.count(node.target) == calls.count(source.target) == 1
            and modules[node.target].running_mean is not None
        ):
            yield source.target, node.target


def _kind(module: nn.Module) -> LayerKind | None:
    if isinstance(module, nn.Linear):
        return "linear"
    return "conv" if isinstance(module, _CONVOLUTIONS) else None


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, module)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return array
