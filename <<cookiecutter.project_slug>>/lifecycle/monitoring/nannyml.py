"""Performance and drift of windows, by NannyML; no other module imports it, so it can be replaced.

Estimation without labels: CBPE for classification, DLE for regression
(https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html). Both notice changed inputs;
neither notices that inputs have come to mean something else. Drift: Jensen-Shannon distance per column, reconstruction
error over all columns.
"""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from lifecycle.documents.summary import Kind, Window
from lifecycle.estimation import series
from lifecycle.estimation.own import Watch
from lifecycle.tasks import Task, sign

# NannyML's name of the period, then the chunk, to begin, end and rows.
type Spans = dict[str, dict[int, dict[str, Any]]]
# It would read a .env file.
os.environ["PYTHON_DOTENV_DISABLED"] = "1"

PROBLEMS: dict[Task, str] = {
    "binary_classification": "classification_binary",
    "multiclass_classification": "classification_multiclass",
    "regression": "regression",
}


def _chunker(reference: pd.DataFrame) -> Any:
    """Keeps the windows that were cut; NannyML drops `chunk` when it splits single columns of the reference."""
    from nannyml.chunk import Chunk, Chunker

    class Windows(Chunker):  # type: ignore[misc]
        def _split(self, data: pd.DataFrame) -> list[Any]:
            places = data["chunk"] if "chunk" in data else reference["chunk"].loc[data.index]
            return [Chunk(key=str(chunk), data=rows) for chunk, rows in data.groupby(places, sort=True)]

    return Windows()


def _columns(task: Task, classes: Sequence[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {"y_pred": "prediction", "y_true": "label"}
    if task == "binary_classification":
        columns["y_pred_proba"] = f"probability_{classes[1]}"
    if task == "multiclass_classification":
        columns["y_pred_proba"] = {name: f"probability_{name}" for name in classes}
    return columns


def _aliases(names: Sequence[str]) -> dict[str, str]:
    """A name for each column that means nothing to NannyML, which has its own use for `chunk`, `period` and others."""
    return {name: f"column {place}" for place, name in enumerate(names)}


def _quietly[T](calculate: Callable[[], T]) -> T:
    """What is calculated, with NannyML's hundreds of warnings silenced."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return calculate()


def estimated(
    reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str], features: Sequence[str]
) -> Watch:
    """Performance estimated from predictions; the frames hold chunk, features, prediction and probabilities."""
    import nannyml

    arguments = {"metrics": list(metrics), "chunker": _chunker(reference), **_columns(task, classes)}
    names = _aliases(features) if task == "regression" else {}
    if task == "regression":
        import lightgbm  # NannyML's error estimator

        lightgbm.register_logger(logging.getLogger(__name__))
        estimator = nannyml.DLE(feature_column_names=list(names.values()), **arguments)
    else:
        estimator = nannyml.CBPE(problem_type=PROBLEMS[task], **arguments)
    _quietly(lambda: estimator.fit(reference.rename(columns=names)))

    def watch(analysis: pd.DataFrame) -> list[Window]:
        table = _quietly(lambda: estimator.estimate(analysis.rename(columns=names)).to_df())
        return _performance("estimated", table, reference, analysis, metrics)

    return watch


def realised(reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str]) -> Watch:
    """Performance against the labels received so far."""
    import nannyml

    arguments = {"metrics": list(metrics), "chunker": _chunker(reference), **_columns(task, classes)}
    calculator = nannyml.PerformanceCalculator(problem_type=PROBLEMS[task], **arguments)
    _quietly(lambda: calculator.fit(reference))

    def watch(analysis: pd.DataFrame) -> list[Window]:
        table = _quietly(lambda: calculator.calculate(analysis).to_df())
        return _performance("realised", table, reference, analysis, metrics)

    return watch


def _performance(
    kind: Literal["estimated", "realised"],
    table: pd.DataFrame,
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    metrics: Sequence[str],
) -> list[Window]:
    """Windows of each metric; only a value worse than its bound is outside, because better needs no action."""
    spans = _spans(reference, analysis)
    return [
        window
        for metric in metrics
        for window in _windows(kind, metric, None, table[metric], table["chunk"], spans, sign(metric))
    ]


def drift(reference: pd.DataFrame, features: Sequence[str], outputs: Sequence[str]) -> Watch:
    """Distance from the reference for each column, and for all features together: a diagnosis, never an alert."""
    import nannyml

    names, chunker = _aliases([*features, *outputs]), _chunker(reference)
    known = reference.rename(columns=names)
    single = nannyml.UnivariateDriftCalculator(
        column_names=list(names.values()),
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunker=chunker,
    )
    every = nannyml.DataReconstructionDriftCalculator(column_names=[names[name] for name in features], chunker=chunker)
    together = len(features) > 1
    _quietly(lambda: [one.fit(known) for one in (single, every)[: 1 + together]])

    def watch(analysis: pd.DataFrame) -> list[Window]:
        rows, spans = analysis.rename(columns=names), _spans(reference, analysis)
        table, metric = _quietly(lambda: single.calculate(rows).to_df()), "jensen_shannon"
        chunks = table["chunk"]["chunk"]
        found = [
            window
            for name, column in names.items()
            for window in _windows("drift", metric, name, table[column][metric], chunks, spans, -1)
        ]
        if together:
            table, metric = _quietly(lambda: every.calculate(rows).to_df()), "reconstruction_error"
            found += _windows("drift", metric, None, table[metric], table["chunk"], spans, -1)
        return found

    return watch


def _spans(reference: pd.DataFrame, analysis: pd.DataFrame) -> Spans:
    return {"reference": series.spans(reference), "analysis": series.spans(analysis)}


def _windows(
    kind: Kind,
    metric: str,
    column: str | None,
    values: pd.DataFrame,
    chunks: pd.DataFrame,
    spans: Spans,
    better: int,
) -> list[Window]:
    limits = zip(values["lower_threshold"], values["upper_threshold"], strict=True)
    return [
        series.window(kind, metric, column, period == "reference", spans[period][int(key)], value, limit, better)
        for period, key, value, limit in zip(chunks["period"], chunks["key"], values["value"], limits, strict=True)
    ]
