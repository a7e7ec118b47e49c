"""How the classes fared, where the results have who was taken for whom."""

from __future__ import annotations

from edgenet.report.document import Answers, Document, Row
from edgenet.report.format import figure, plain
from edgenet.report.table import Table, table

MOST_CLASSES = 20
_MOST_PAIRS = 20
WITHOUT = (
    "No figures by class: these results do not hold who was taken for whom. "
    "Measure again, or see edgenet eval."
)


def by_class(document: Document) -> Table:
    """Return the share of each class that was found, one column a configuration."""
    rows = with_counts(document)
    first = [row.accuracy for row in rows if row.accuracy]
    names = class_names(first[0])
    cells = [
        (
            plain(name),
            figure("n", sum(_counts(first[0])[place])),
            *(figure("recall", _recall(answers, place)) for answers in first),
        )
        for place, name in enumerate(names)
    ]
    columns = ("class", ">pictures", *(f">{plain(row.name)}" for row in rows))
    return table("Share of each class that was found", columns, cells)


def with_counts(document: Document) -> tuple[Row, ...]:
    """Return the rows that can be told apart by class: those with the first one's classes."""
    rows = [row for row in document.own if row.accuracy and row.accuracy.confusion]
    if not rows or rows[0].accuracy is None:
        return ()
    first = rows[0].accuracy
    return tuple(
        row
        for row in rows
        if row.accuracy
        and row.accuracy.digest == first.digest
        and len(_counts(row.accuracy)) == len(_counts(first))
    )


def confusion(row: Row) -> Table:
    """Return the counts of a row: all of them for few classes, else the most frequent mistakes."""
    answers = row.accuracy
    if answers is None:
        raise ValueError(f"{row.name} has no accuracy")
    counts, names = _counts(answers), [plain(name) for name in class_names(answers)]
    if len(counts) <= MOST_CLASSES:
        cells = [
            (name, *(figure("n", count) for count in line))
            for name, line in zip(names, counts, strict=True)
        ]
        columns = ("true \\ predicted", *(f">{name}" for name in names))
        return Table(caption=plain(row.name), columns=columns, rows=tuple(cells))
    pairs = [
        (count, true, predicted)
        for true, line in enumerate(counts)
        for predicted, count in enumerate(line)
        if true != predicted and count
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return table(
        f"{plain(row.name)}: the {_MOST_PAIRS} most frequent mistakes",
        ("true", "predicted", ">pictures"),
        [(names[true], names[said], figure("n", n)) for n, true, said in pairs[:_MOST_PAIRS]],
    )


def class_names(answers: Answers) -> tuple[str, ...]:
    """Return the classes' names; their numbers where the result has no names."""
    return answers.labels or tuple(str(number) for number in range(len(_counts(answers))))


def _counts(answers: Answers) -> tuple[tuple[int, ...], ...]:
    return answers.confusion or ()


def _recall(answers: Answers, place: int) -> float | None:
    line = _counts(answers)[place]
    return line[place] / sum(line) if sum(line) else None
