"""Pictures of results in one style: readable in black and white, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenet.files import write_atomically

STYLE: Any = {
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "legend.frameon": False,
}
TRAIN = {"color": "#0b5394", "linestyle": "--", "marker": "o", "label": "train"}
VALIDATION = {"color": "#b45f06", "linestyle": "-", "marker": "s", "label": "validation"}


def training_curves(records: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Draw loss, error and learning rate over the epochs.

    Args:
        records: One mapping an epoch with ``epoch``, ``train_loss``, ``validation_loss`` (nats),
            ``train_accuracy``, ``validation_accuracy`` (0 to 1) and ``lr``.
        path: Picture to write; its suffix names the format.
        title: Name of the run.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    epochs = [record["epoch"] for record in records]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6))
        loss, error, rate = figure.subplots(1, 3)
        for axes, quantity, scale in ((loss, "loss", 1.0), (error, "accuracy", 100.0)):
            for split, look in (("train", TRAIN), ("validation", VALIDATION)):
                values = [record[f"{split}_{quantity}"] for record in records]
                shown = [100 - scale * v for v in values] if quantity == "accuracy" else values
                axes.plot(epochs, shown, **look)
            if min(min(line.get_ydata()) for line in axes.lines) > 0:
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axes.yaxis.set_minor_formatter(NullFormatter())
        loss.set(title=title, xlabel="epoch", ylabel="loss in nats")
        loss.legend()
        best = max(record["validation_accuracy"] for record in records)
        error.set(title=f"best validation {best:.2%}", xlabel="epoch", ylabel="error in %")
        rate.plot(epochs, [record["lr"] for record in records], color="black", marker=".")
        rate.set(title="learning rate", xlabel="epoch")
        for axes in (loss, error, rate):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    """Write the figure whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.lstrip("."))
    with write_atomically(path) as file:
        file.write(content.getvalue())
