"""Draws an adopted table as a page: the target, then each feature among the rows to train and to test on."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from lifecycle.adopting.columns import Choice
from lifecycle.artifact.frames import LABEL
from lifecycle.config import Config
from lifecycle.reporting import pages
from lifecycle.reporting.pages import Section, Table

DRAWN, BARS, POINTS = 40, 12, 5000  # features, categories of one, and rows
COLOURS = {"train": "#1f6feb", "test": "#8250df"}


def _figure(title: str, columns: Mapping[str, pd.Series], category: bool) -> go.Figure:
    """The distribution among each part's rows, as shares."""
    figure = go.Figure()
    if category:
        most = pd.concat(list(columns.values())).value_counts().index[:BARS]
        for name, column in columns.items():
            shares = column.value_counts(normalize=True)
            heights = [float(shares.get(value, 0)) for value in most]
            figure.add_bar(
                x=[html.escape(str(value)[:30]) for value in most], y=heights, name=name, marker_color=COLOURS[name]
            )
        figure.update_xaxes(type="category")
    else:
        for name, column in columns.items():
            figure.add_histogram(
                x=column.dropna().head(POINTS).tolist(),
                histnorm="probability",
                name=name,
                nbinsx=40,
                marker_color=COLOURS[name],
            )
        figure.update_layout(barmode="overlay").update_traces(opacity=0.6)
    return figure.update_layout(title=html.escape(title, quote=False), height=240)


def page(parts: Mapping[str, pd.DataFrame], choices: Sequence[Choice], settings: Config, said: Sequence[str]) -> str:
    """The page; every word of the table is escaped."""
    target, classes = settings.data.target.column, settings.data.target.classes
    labels = {
        name: rows[LABEL].map(dict(enumerate(classes))) if classes else rows[LABEL] for name, rows in parts.items()
    }
    figures = [_figure(target, labels, bool(classes))]
    rows = []
    for one in choices:
        if one.feature is None:
            rows.append((one.column, "left out", "", "", one.why))
            continue
        own = {name: part[one.name] for name, part in parts.items()}
        missing = " / ".join(f"{column.isna().mean():.1%}" for column in own.values())
        rows.append((one.column, one.feature["type"], f"{one.values.nunique():,}", missing, one.why))
        if len(figures) <= DRAWN:
            figures.append(_figure(one.name, own, one.feature["type"] == "category"))
    sections = [
        Section("Target", [one for one in said if one.startswith(f"{target}: ")]),
        Section(
            "Columns", tables=[Table(("column", "type", "values", "missing: train / test", "why"), rows, whole=True)]
        ),
        Section("Choices", [one for one in said if one.partition(":")[0] in ("split", "slices", "gates", "monitor")]),
    ]
    setting = [f"{len(rows):,} rows to {name} on" for name, rows in parts.items()]
    plots = {"Target": figures[:1], "Columns": figures[1:]}
    return pages.page(f"The data of {settings.name}", setting, sections, plots, good=True)
