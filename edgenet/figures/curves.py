"""How a training went: loss, error and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgenet.figures.style import TRAIN, VALIDATION, drawing, percent


def training_curves(records: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Draw loss, error and learning rate over the epochs.

    Args:
        records: One mapping an epoch with ``epoch``, ``train_loss``, ``validation_loss`` (in the
            unit of the recipe's loss), ``train_accuracy``, ``validation_accuracy`` (0 to 1) and
            ``lr``.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
        title: Which network and which data; one line of print.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    epochs = [record["epoch"] for record in records]
    with drawing(11, 3.8, path) as figure:
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
        loss.legend()
        rate.plot(epochs, [record["lr"] for record in records], color="black", marker=".")
        names = ("loss", "error in %", "learning rate")
        for axes, name in zip((loss, error, rate), names, strict=True):
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        best = max(record["validation_accuracy"] for record in records)
        figure.suptitle(f"{title}: best validation accuracy {percent(best)}")
