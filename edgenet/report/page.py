"""The results as one HTML file: readable without a network, a script or a wide screen."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from edgenet.report import bars, charts, classes, costs, html, tables
from edgenet.report.best import Claim, claims
from edgenet.report.document import Document
from edgenet.report.environment import environment
from edgenet.report.format import listed, plain
from edgenet.report.html import Content, Html, join, tag
from edgenet.report.meanings import meanings
from edgenet.report.missing import missing
from edgenet.report.repeat import command, started_as
from edgenet.report.samples import Samples
from edgenet.report.standing import models, others, standing, where
from edgenet.report.svg import SERIES, Drawing
from edgenet.report.table import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_NO_SAMPLES = "The raw samples are not beside these results, so there is nothing to draw."
_LACKING_SAMPLES = "Some raw samples are not beside these results: not all is drawn of {}."


def page(document: Document, samples: Samples) -> str:
    """Return the whole file.

    Args:
        document: The results.
        samples: Their raw samples, as far as they are still there.
    """
    title = f"edgenet bench: {models(document)}"
    style = importlib.resources.files("edgenet.report").joinpath("report.css").read_text("utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="edgenet"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(style)),
    )
    sections = [section for section in _sections(document, samples) if section is not None]
    links = [tag("a", name, href=f"#{slug}") for slug, name, _ in sections]
    body = tag(
        "body",
        tag("a", "Skip to the results", href="#results", class_="skip"),
        _header(document),
        tag("nav", *links, aria_label="Sections"),
        tag(
            "main",
            *(
                tag("section", tag("h2", name), content, id=slug)
                for slug, name, content in sections
            ),
            id="results",
        ),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _header(document: Document) -> Html:
    return tag(
        "header",
        tag("p", "edgenet bench", class_="kicker"),
        tag("h1", models(document)),
        tag("p", where(document), class_="where"),
        tag("p", standing(document), class_="standing"),
    )


Section = tuple[str, str, Html]


def _sections(document: Document, samples: Samples) -> list[Section | None]:
    reasons, failed, absent = (
        tables.doubts(document),
        tables.failures(document),
        missing(document),
    )
    own, elsewhere = bool(document.own), any(row.timings for row in document.others)
    return [
        ("best", "Best for this machine", _claims(claims(document))),
        ("summary", "All configurations", _summary(document)) if own else None,
        ("verdicts", "Verdicts", _verdicts(document)) if reasons.rows else None,
        ("failures", "Failures", html.table(failed)) if failed.rows else None,
        _pareto(document),
        ("latency", "Latency", _latency(document, samples)) if document.batches else None,
        _throughput(document),
        _end_to_end(document),
        _memory(document),
        _energy(document),
        _cold_start(document),
        ("classes", "Accuracy by class", _classes(document)) if own else None,
        ("other-clocks", "Timed by others", _others(document)) if elsewhere else None,
        ("missing", "Not measured", html.table(absent)) if absent.rows else None,
        ("environment", "Environment", _environment(document)),
        ("repeat", "How to repeat", _repeat(document)),
        ("meanings", "What the figures mean", html.table(meanings())),
    ]


def _claims(found: Sequence[Claim]) -> Html:
    if not found:
        return tag("p", "Our clock timed nothing.")
    return tag(
        "dl",
        *(
            tag(
                "div",
                tag("dt", claim.title),
                tag("dd", *_names(claim)),
                tag("dd", claim.detail, class_="detail"),
            )
            for claim in found
        ),
        class_="claims",
    )


def _names(claim: Claim) -> list[Html]:
    return [tag("span", name) for name in claim.rows] or [tag("span", "none", class_="none")]


def _summary(document: Document) -> Html:
    lines = [
        tag("li", *(tag("span", line.strip()) for line in tables.conditions(row)))
        for row in document.own
    ]
    behind = tag("details", tag("summary", "Under which conditions"), tag("ul", *lines))
    return join(html.table(tables.summary(document)), behind)


def _verdicts(document: Document) -> Html:
    every = tables.verdicts(document)
    return join(
        html.table(tables.doubts(document)),
        tag("details", tag("summary", every.caption), html.table(every)),
    )


def _pareto(document: Document) -> Section | None:
    how = (
        "Left and up is better; a disc's area is the size on disk. Filled discs are the Pareto "
        "set: no other configuration is at least as good in latency, size and accuracy at once. "
        "A dashed edge is an INVALID measurement."
    )
    title = ("pareto", "Accuracy, latency and size")
    drawn, table = charts.pareto_chart(document), tables.accuracies(document)
    return _charted(title, drawn, table, tag("p", how), _legend(document))


def _latency(document: Document, samples: Samples) -> Html:
    drawn = [charts.latency_chart(document, samples, batch) for batch in document.batches]
    shown = [one for one in drawn if one]
    how = tag(
        "p",
        "Every query of every process, nothing trimmed. The height is how many took so long, on a "
        "logarithmic scale, so that single ones are seen. The lines are p50, p90 and p99.",
    )
    parts: list[Html] = [] if shown else [tag("p", _NO_SAMPLES)]
    if shown and (lacking := charts.undrawn(document, samples)):
        parts.append(tag("p", _LACKING_SAMPLES.format(listed(lacking))))
    for number, one in enumerate(shown):
        figures = _figure(one, how if not number else tag("p", one.title))
        parts.append(figures if not number else tag("details", tag("summary", one.title), figures))
    return join(*parts, html.table(tables.latency(document)))


def _throughput(document: Document) -> Section | None:
    if not document.batches:
        return None
    drawn = charts.throughput_chart(document)
    chart = (
        _figure(drawn, tag("p", "Higher is better."), _legend(document, lines=True))
        if drawn
        else tag("p", "Only one batch size was measured, so there is no curve to draw.")
    )
    content = join(chart, html.table(tables.throughput(document)))
    return "throughput", "Throughput over batch size", content


def _memory(document: Document) -> Section | None:
    key = _key(("empty runtime", "model, beyond it"), ("quiet", "accent"))
    drawn, table = bars.memory_chart(document), costs.memory(document)
    return _charted(("memory", "Memory"), drawn, table, key)


def _energy(document: Document) -> Section | None:
    how = (
        "What running takes beyond waiting with the model loaded, with its standard uncertainty. "
        "Lower is better."
    )
    sensors = {row.energy_sensors for row in document.own if row.energy_sensors}
    apart = " Bars of different sensors are not comparable." if len(sensors) > 1 else ""
    drawn, table = bars.energy_chart(document), costs.energy(document)
    return _charted(("energy", "Energy"), drawn, table, tag("p", f"{how}{apart}"))


def _cold_start(document: Document) -> Section | None:
    key = _key(costs.COLD_PARTS, bars.COLD_COLOURS)
    drawn, table = bars.cold_start_chart(document), costs.cold_start(document)
    return _charted(("cold-start", "Cold start"), drawn, table, key)


def _end_to_end(document: Document) -> Section | None:
    key = _key(tuple(costs.STEPS), bars.STEP_COLOURS)
    drawn, table = bars.end_to_end_chart(document), costs.end_to_end(document)
    return _charted(("end-to-end", "End to end"), drawn, table, key)


def _charted(
    title: tuple[str, str], drawn: Drawing | None, table: Table, *beside: Html
) -> Section | None:
    """Return a section of a table, below its chart if there is one; None where it is empty."""
    if table.empty:
        return None
    figure = _figure(drawn, *beside) if drawn else None
    return (*title, join(figure, html.table(table)))


def _classes(document: Document) -> Html:
    rows = classes.with_counts(document)
    if not rows:
        return tag("p", classes.WITHOUT)
    confusions = [
        tag(
            "details",
            tag("summary", f"Who was taken for whom: {plain(row.name)}"),
            html.table(table, shade="predicted" not in table.columns),
        )
        for row in rows
        for table in [classes.confusion(row)]
    ]
    return join(html.table(classes.by_class(document)), *confusions)


def _others(document: Document) -> Html:
    lines = [line for row in document.others for line in tables.conditions(row)]
    return join(
        tag("p", others(document)),
        html.table(tables.externals(document)),
        tag("details", tag("summary", "Their commands"), _code(_lines(lines))),
    )


def _environment(document: Document) -> Html:
    found = (*environment(document), costs.clocks(document), costs.further(document))
    return join(*(html.table(one) for one in found if not one.empty))


def _repeat(document: Document) -> Html:
    typed = started_as(document)
    return join(
        tag("p", "The same measurement, every value spelled out:"),
        _code(command(document)),
        tag("p", "As it was started:") if typed else None,
        _code(typed) if typed else None,
        tag("p", "These files again, from result.json and the samples beside it:"),
        _code("edgenet report FOLDER"),
    )


def _code(text: Content) -> Html:
    return tag("pre", tag("code", text), tabindex="0")


def _lines(lines: Sequence[str]) -> Html:
    return Html("\n".join(join(line) for line in lines))


def _figure(drawn: Drawing, *beside: Html) -> Html:
    return tag("figure", drawn.markup, tag("figcaption", *beside))


def _legend(document: Document, *, lines: bool = False) -> Html:
    """Return the numbers of the rows that have figures, with the colours of their lines."""
    items = []
    for place, row in enumerate(document.own):
        if row.timings:
            style = f"--swatch:var(--series-{place % SERIES})" if lines else None
            items.append(tag("li", tag("span", row.name), value=str(place + 1), style=style))
    return tag("ol", *items, class_="legend swatches" if lines else "legend")


def _key(names: Sequence[str], colours: Sequence[str]) -> Html:
    items = [
        tag("li", name, style=f"--swatch:var(--{colour})")
        for name, colour in zip(names, colours, strict=True)
    ]
    return tag("ul", *items, class_="legend swatches")
