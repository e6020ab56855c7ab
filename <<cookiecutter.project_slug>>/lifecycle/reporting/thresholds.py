"""Shows what each threshold would have answered on the test rows, and what its errors would cost the reader."""

from lifecycle.documents.curves import Curves
from lifecycle.documents.record import Evaluation
from lifecycle.reporting import pages
from lifecycle.reporting.pages import Section

TITLE = "Thresholds"
HOW = (
    "What the model would answer on the test rows from another probability on. The threshold is chosen before, not on "
    "these rows: one that is chosen here looks better than it is.",
    "Costs are yours to say, in any unit; they stay on this page. The present threshold is train.threshold in "
    "config.yaml, or the estimator's own.",
)


def section(curves: Curves | None) -> list[Section]:
    """The section, where a model has a threshold."""
    return [Section(TITLE, HOW)] if curves and curves.candidate.thresholds else []


def explorer(curves: Curves | None, evaluation: Evaluation) -> list[str]:
    """Two costs and a threshold to choose, and all thresholds as a table."""
    if not section(curves) or curves is None:
        return []
    own, found = curves.candidate.threshold, curves.candidate.thresholds
    negative, positive = evaluation.classes
    return [
        pages.render(
            "thresholds.html",
            thresholds=found,
            present=next(one for one in found if one.at == own),
            negative=negative,
            positive=positive,
            rows=f"{evaluation.rows:,}",
            script=(pages.TEMPLATES / "thresholds.js").read_text(),
        )
    ]
