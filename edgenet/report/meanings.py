"""What each figure means, in the words of the page, the Markdown and the guide."""

from __future__ import annotations

from edgenet.report.table import Table

MEANINGS = (
    ("query", "copying a batch in (bind), running the model (execute), reading the answer (fetch)"),
    (
        "p50, p90, p99",
        ("that share of all queries of all processes took at most so long; nothing is trimmed"),
    ),
    (
        "95 % interval",
        (
            "of a time: how sure it is of a process that was not measured, from how far these "
            "processes differ"
        ),
    ),
    ("queries", "how many the percentiles are of; the fewer, the less a p99 says"),
    ("processes apart", "the greatest median of a process over the least, less one"),
    ("images/s", "pictures of all queries over the time of all queries"),
    (
        "import, load, first",
        (
            "loading the runtime's library, then the model, then the first query; medians "
            "over processes"
        ),
    ),
    (
        "process, open, other",
        (
            "starting Python and NumPy; checking the bundle; what is left of all, such as reading "
            "pictures. In results of the first version process is all that is left"
        ),
    ),
    (
        "peak, empty",
        (
            "most memory that the process held, and what it held with the runtime loaded and "
            "no model"
        ),
    ),
    (
        "PSS",
        "what the process held, pages that other processes use, too, divided among them",
    ),
    (
        "mJ a picture",
        (
            "mean power while it ran less that while it waited with the model loaded, times time; "
            "the uncertainty is that of one process, without the error of the sensor's scale"
        ),
    ),
    (
        "accuracy",
        (
            "share of the whole test set that the timed session got right, with Wilson's 95 % "
            "interval"
        ),
    ),
    (
        "verdict",
        (
            "VALID, or INVALID with reasons: other programs, a falling clock, swapping, "
            "drift, processes that differ, or too few queries; not judged: measured before "
            "edgenet had verdicts"
        ),
    ),
    ("timed by another program", "another clock and other inputs: never compared with our rows"),
)
"""Term and meaning, in the order in which a reader meets them."""


def meanings() -> Table:
    """Return the terms as a table."""
    return Table(caption="What the figures mean", columns=("figure", "meaning"), rows=MEANINGS)
