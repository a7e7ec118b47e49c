"""The figures of ``explain``: from arrays of the network to pictures in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenet.explain import pooling
from edgenet.explain.activations import MOST_MAPS, MOST_UNITS, Activation, PoolingLayer, Recording
from edgenet.figures import maps, numbers
from edgenet.figures.style import shown as cut

if TYPE_CHECKING:
    from edgenet.explain.kernel_gradient import KernelGradient

Images = NDArray[np.uint8]

_MOST_LAYERS = 16
_MOST_UNIT_LAYERS = 6
_LONGEST_NAME = 14
_MAPS_NOTE = (
    "first column: the picture; the others: one map each,\n"
    "black its lowest value in all these pictures, white its highest"
)
_WAY_NOTE = f"up to {MOST_MAPS} maps a layer; black is the lowest value of a map, white the highest"


class Figures:
    """Writes figures into a folder and keeps their names.

    Args:
        folder: Where.
        model: Name of the network, for titles.
        on_figure: Called with the name after every figure.
    """

    def __init__(self, folder: Path, model: str, on_figure: Callable[[str], None]) -> None:
        self.names: list[str] = []
        self._folder = folder
        self._model = model
        self._on_figure = on_figure

    def place(self, name: str) -> Path:
        """Return where a figure goes, and take it for written."""
        self.names.append(f"{name}.png")
        self._on_figure(name)
        return self._folder / f"{name}.png"

    def recording(self, recording: Recording, shown: Mapping[str, Images]) -> None:
        """Draw the maps of every layer, one picture's way through all, and the units.

        Args:
            recording: One pass of the pictures.
            shown: The pictures uint8 [C, H, W] by what they are, in the order of the pass.
        """
        spatial = [layer for layer in recording.layers if layer.has_maps]
        if spatial:
            self._way(spatial, next(iter(shown)), next(iter(shown.values())))
        for number, layer in enumerate(spatial, start=1):
            self._maps(number, layer, shown)
        flat = [layer for layer in recording.layers if not layer.has_maps][-_MOST_UNIT_LAYERS:]
        if flat:
            maps.units(
                [
                    maps.UnitPanel(title=_caption(layer, MOST_UNITS), values=layer.values)
                    for layer in flat
                ],
                [_short(name) for name in shown],
                self.place("units"),
                title=f"{self._model}: the units of the layers without maps, a line a picture",
            )

    def kernels(self, name: str, weights: NDArray[np.float32]) -> None:
        """Draw the first convolution's kernels."""
        title = f"{self._model}: the {len(weights)} kernels of {name}"
        maps.kernels(weights, self.place("kernels"), title=title)

    def pooling(self, layer: PoolingLayer, picture: str) -> None:
        """Draw a map before and after its pooling layer, and under other poolings.

        Of all maps the one with the widest range of values is taken.
        """
        spans = np.ptp(layer.before.reshape(len(layer.before), -1), axis=1)
        channel = int(spans.argmax())
        before, after = layer.before[channel], layer.after[channel]
        window = max(2, min(before.shape) // max(1, min(after.shape)))
        drawn = {
            f"before, {_size(before)}": before,
            f"after {layer.kind}, {_size(after)}": after,
        }
        for name, values in pooling.pooled(before, window).items():
            if not np.array_equal(values, after):
                drawn[f"by {name}, {_size(values)}"] = values
        drawn["by global average, 1×1"] = pooling.global_average(before)
        maps.poolings(
            drawn,
            self.place("pooling"),
            title=f"{self._model}: map {channel + 1} of {_quoted(picture)}, pooled by {layer.name}",
            note=f"and the same map under other poolings, of windows of {window}×{window}",
        )

    def examples(self, gradient: KernelGradient) -> None:
        """Draw what can be followed by eye: poolings of 4×4 numbers, and a kernel's gradient."""
        example = pooling.EXAMPLE
        pooled = {
            name: values
            for name, values in pooling.pooled(example, 2).items()
            if name != pooling.STOCHASTIC  # one draw says little about it
        }
        numbers.number_squares(
            {
                "map, 4×4": example,
                **{f"{name}, 2×2": values for name, values in pooled.items()},
                "global average": pooling.global_average(example),
            },
            self.place("pooling-example"),
            title="Pooling with windows of 2×2 and stride 2",
        )
        numbers.kernel_gradient(
            inputs=gradient.inputs,
            kernel=gradient.kernel,
            outputs=gradient.outputs,
            upstream=gradient.upstream,
            patches=gradient.patches,
            gradient=gradient.gradient,
            path=self.place("kernel-gradient"),
        )

    def _way(self, layers: Sequence[Activation], name: str, picture: Images) -> None:
        rows = np.linspace(0, len(layers) - 1, min(len(layers), _MOST_LAYERS)).round().astype(int)
        tiles = [maps.TileRow(label=f"input\n{_size(picture[0])}", tiles=[_tile(picture)])]
        for row in rows:
            layer = layers[row]
            values = maps.grey(layer.values[0], over=(-2, -1))
            label = f"{layer.name}\n{layer.kind} {_shape(layer)}"
            tiles.append(maps.TileRow(label=label, tiles=list(values)))
        some = f", {len(rows)} of {len(layers)} layers" if len(rows) < len(layers) else ""
        maps.tile_rows(
            tiles,
            self.place("layers"),
            title=f"{self._model}: {_quoted(name)} on its way through the layers with maps{some}",
            note=_WAY_NOTE,
        )

    def _maps(self, number: int, layer: Activation, shown: Mapping[str, Images]) -> None:
        # One scale for a map in all pictures: what excites it more is lighter.
        values = maps.grey(layer.values, over=(0, 2, 3))
        rows = [
            maps.TileRow(label=_short(name), tiles=[_tile(picture), *tiles])
            for (name, picture), tiles in zip(shown.items(), values, strict=True)
        ]
        plain = layer.name.replace(".", "-").replace("#", "-use")
        maps.tile_rows(
            rows,
            self.place(f"maps/{number:02}-{plain}"),
            title=f"{self._model}: {_caption(layer, MOST_MAPS)}",
            note=_MAPS_NOTE,
        )


def _caption(layer: Activation, most: int) -> str:
    some = f", the first {most} of {layer.shape[0]}" if layer.shape[0] > most else ""
    return f"{layer.name}, {layer.kind} {_shape(layer)}{some}"


def _shape(layer: Activation) -> str:
    return "×".join(map(str, layer.shape))


def _size(values: NDArray[np.generic]) -> str:
    return "×".join(map(str, values.shape))


def _short(name: str) -> str:
    """Return a label that fits beside a row; of a path the file's name."""
    return cut(Path(name).name, _LONGEST_NAME)


def _quoted(name: str) -> str:
    return f"“{_short(name)}”"


def _tile(picture: Images) -> Images:
    """Return uint8 [C, H, W] as [H, W] or [H, W, 3]."""
    pixels: Images = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    return pixels
