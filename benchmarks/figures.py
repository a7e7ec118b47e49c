"""The figures of README and docs: ``make figures``, or ``python benchmarks/figures.py RUN``.

The charts are drawn from the committed results of ``benchmarks/accuracy.py`` and
``benchmarks/distillation.py``. Of a trained run its own figures are taken as they are. All go to
``docs/figures``, a PNG and an SVG of each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _recording import HERE, RESULTS

from edgenet.figures.students import students_by_size
from edgenet.figures.style import FORMATS, TRAIN, VALIDATION, drawing
from edgenet.files import write_atomically
from edgenet.workflows.runs import Run

Rows = Mapping[str, Mapping[str, Any]]

_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": TRAIN["color"], "marker": "o"},
    {"color": VALIDATION["color"], "marker": "s"},
    {"color": "#741b47", "marker": "^"},
    {"color": "#38761d", "marker": "D"},
    {"color": "black", "marker": "v"},
)


def main() -> None:
    """Write the figures, and print the path of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?", help="a folder of `edgenet train`")
    parser.add_argument("--results", type=Path, default=RESULTS / "accuracy.json")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "figures")
    options = parser.parse_args()
    rows = json.loads(options.results.read_text("utf-8"))["result"].get("rows", {})
    if rows:
        accuracies(rows, options.output / "accuracy")
        errors(rows, "mnist", options.output / "parameters")
    else:
        print(f"no charts: {options.results} has no rows", file=sys.stderr)
    file = RESULTS / "distillation.json"
    if file.is_file():
        students(json.loads(file.read_text("utf-8"))["result"], options.output / "students")
    if options.run is not None:
        copy_figures(Run(options.run), options.output)
    for file in sorted(options.output.glob("*")):
        print(file)


def students(result: Mapping[str, Any], path: Path) -> None:
    """Draw the students' errors over their sizes, with their teacher and without.

    Args:
        result: Of the distillation benchmark.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    columns = {
        column: [
            (row["parameters"], [each["test_accuracy"] for each in row[column]["trained"]])
            for row in result["students"]
        ]
        for column in ("distilled", "control")
    }
    students_by_size(columns, path)


def accuracies(rows: Rows, path: Path) -> None:
    """Draw each row's mean test accuracy with its 95 % interval, its seeds and its mark.

    Args:
        rows: Of the accuracy benchmark, by name.
        path: Where to write the pictures; see :func:`edgenet.figures.style.drawing`.
    """
    sets = {row["data"]: None for row in rows.values()}
    members = {data: [name for name in rows if rows[name]["data"] == data] for data in sets}
    heights = [len(names) + 1.2 for names in members.values()]
    with drawing(9, 0.8 + 0.27 * sum(heights), path) as figure:
        panels = figure.subplots(len(sets), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (data, names) in zip(panels, members.items(), strict=True):
            for y, name in enumerate(names):
                _accuracy(axes, y, rows[name])
            axes.set_yticks(range(len(names)), names, fontsize=9)
            axes.tick_params(axis="y", length=0)
            axes.set(ylim=(len(names) - 0.4, -0.6))
            axes.set_title(data, loc="left", fontsize=10, weight="bold")
            axes.grid(visible=False, axis="y")
        panels[-1].set_xlabel(
            "test accuracy in %; ● mean with its 95 % interval, ○ each seed, │ mark to be reached"
        )


def _accuracy(axes: Any, y: int, row: Mapping[str, Any]) -> None:
    seeds = [100 * member["test_accuracy"] for member in row["seeds"]]
    low, high = (100 * end for end in row["interval_95"])
    axes.plot([low, min(100, high)], [y, y], color="0.45")
    axes.plot(seeds, [y] * len(seeds), "o", color="0.3", fillstyle="none", markersize=5)
    axes.plot(100 * row["mean"], y, "o", color="black", markersize=5)
    if row["mark"] is not None:
        axes.plot([100 * row["mark"]] * 2, [y - 0.35, y + 0.35], color=VALIDATION["color"])
    text = f"{100 * row['mean']:.2f} ± {100 * row['sd']:.2f}"
    axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def errors(rows: Rows, data: str, path: Path) -> None:
    """Draw mean test error against parameters, both on a log scale, a marker for each recipe.

    Args:
        rows: Of the accuracy benchmark, by name.
        data: The only data set.
        path: Where to write the pictures.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    chosen = [row for row in rows.values() if row["data"] == data]
    recipes = list({row["recipe"]: None for row in chosen})
    with drawing(7.5, 5, path) as figure:
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log")
        for recipe, look in zip(recipes, _LOOKS * len(recipes), strict=False):
            of_recipe = [row for row in chosen if row["recipe"] == recipe]
            x = [row["parameters"] for row in of_recipe]
            y = [100 * (1 - row["mean"]) for row in of_recipe]
            # Of few seeds the interval may reach past 100 %, which a log scale cannot show.
            below = [
                min(100 * (row["interval_95"][1] - row["mean"]), 0.7 * error)
                for row, error in zip(of_recipe, y, strict=True)
            ]
            above = [100 * (row["mean"] - row["interval_95"][0]) for row in of_recipe]
            axes.errorbar(x, y, (below, above), label=recipe, **look, linestyle="", linewidth=1)
            for row in of_recipe:
                _name(axes, row, chosen)
        for axis, form in ((axes.xaxis, "{x:,.0f}"), (axes.yaxis, "{x:g}")):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter(form))
            axis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="parameters", ylabel="test error in %")
        axes.margins(x=0.15)
        figure.legend(title="recipe", loc="outside right upper")
        axes.set_title(f"{data}: mean over seeds with its 95 % interval")


def _name(axes: Any, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a row's model beside its point: to the left where another point is close at right."""
    parameters, error = row["parameters"], 1 - row["mean"]
    crowded = any(
        1 < other["parameters"] / parameters < 1.5 and 0.8 < (1 - other["mean"]) / error < 1.25
        for other in rows
    )
    axes.annotate(
        *(row["model"], (parameters, 100 * error)),
        xytext=(-6 if crowded else 6, 4),
        textcoords="offset points",
        ha="right" if crowded else "left",
        fontsize=8,
    )


def copy_figures(run: Run, folder: Path) -> None:
    """Copy a run's figures into ``folder``."""
    files = [file for file in sorted(run.figures.glob("*")) if file.suffix in FORMATS]
    if not files:
        sys.exit(f"{run.path} has no figures: train it to its end with edgenet train")
    for file in files:
        with write_atomically(folder / file.name) as copy:
            copy.write(file.read_bytes())


if __name__ == "__main__":
    main()
