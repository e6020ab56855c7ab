"""Makes the model card of a release, with the fields that Hugging Face's cards have.

Source: the metadata and the sections of https://huggingface.co/docs/hub/model-cards.
"""

import yaml

from lifecycle.config import Card
from lifecycle.documents import record
from lifecycle.documents.record import Evaluation, Measure
from lifecycle.reporting.pages import plain
from lifecycle.tasks import label

KINDS = {"regression": "tabular-regression"}  # any other task is a classification
HEAD = "| metric | rows | value | interval |\n| --- | --- | --- | --- |"


def text(decision: record.Decision, said: Card) -> str:
    """The card as Markdown; what only a person can say, and nobody said, is a marked blank."""
    evaluation = decision.evaluation
    origin = evaluation.origin
    parts = {
        "Model details": [
            _said("description", said.description),
            f"- **Developed by:** {_said('developers', said.developers)}",
            f"- **Model type:** {evaluation.task}, served with {evaluation.runtime or 'ONNX'}",
            f"- **License:** {_said('license', said.license)}",
            f"- **Version:** {decision.version}, {'accepted' if decision.passed else 'refused'} by its gates",
        ],
        "Uses": [
            f"**Direct use:** {_said('direct_use', said.direct_use)}",
            f"**Users:** {_said('users', said.users)}",
            f"**Out-of-scope use:** {_said('out_of_scope_use', said.out_of_scope_use)}",
        ],
        "Bias, risks and limitations": [_said("limitations", said.limitations), *_fairness(evaluation)],
        "Training details": [
            f"- **Training data:** SHA-256 {origin.data}, {plain(origin.rows('train'))}",
            f"- **Features:** {plain(', '.join(origin.features))}",
            *(f"- **{plain(name)}:** {plain(value)}" for name, value in origin.parameters.items()),
            f"- **Code:** commit {origin.commit}",
            f"- **Packages:** lock files with SHA-256 {origin.lock}",
        ],
        "Evaluation": [
            f"On {evaluation.rows:,} rows, {plain(origin.rows('test'))}; level of the intervals {evaluation.level:g}.",
            "",
            HEAD,
            *(_row(name, "all", measure) for name, measure in evaluation.metrics.items()),
            *(
                _row(name, f"{one.column} {one.part}", measure)
                for one in evaluation.slices
                for name, measure in one.metrics.items()
            ),
        ],
        "Environmental impact": [_said("environment", said.environment)],
        "Technical specifications": [
            f"- **Model:** SHA-256 {origin.model}, {evaluation.bytes:,} bytes",
            f"- **Latency of one row:** {evaluation.latency:.4g} ms, the median",
            *(f"- **Image:** {image}" for image in (decision.images.model_dump().values() if decision.images else ())),
        ],
        "Model card contact": [_said("contact", said.contact)],
    }
    sections = "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in parts.items())
    return f"---\n{_metadata(evaluation, said)}---\n\n# Model card of {plain(evaluation.name)}\n\n{sections}\n"


def _said(field: str, text: str) -> str:
    return plain(text) if text else f"**[to be said by a person: `config.yaml: card.{field}`]**"


def _row(name: str, rows: str, measure: Measure) -> str:
    return f"| {plain(label(name))} | {plain(rows)} | {measure.value:.4g} | {measure.low:.4g} to {measure.high:.4g} |"


def _fairness(evaluation: Evaluation) -> list[str]:
    return [
        f"- Between groups of {plain(one.column)}: {plain(label(name))} {difference:.4g}"
        for one in evaluation.fairness
        for name, difference in one.differences.items()
    ]


def _metadata(evaluation: Evaluation, said: Card) -> str:
    """The head that programs read; a field that nobody filled is left out."""
    kind = KINDS.get(evaluation.task, "tabular-classification")
    metrics = [
        {"type": name, "name": label(name), "value": measure.value} for name, measure in evaluation.metrics.items()
    ]
    data = {"type": "tabular", "name": "test rows", "revision": evaluation.origin.data}
    document = {
        **({"license": said.license} if said.license else {}),
        **({"language": said.language} if said.language else {}),
        "library_name": evaluation.runtime or "onnx",
        "pipeline_tag": kind,
        "tags": [evaluation.task],
        "metrics": list(evaluation.metrics),
        "model-index": [
            {"name": evaluation.name, "results": [{"task": {"type": kind}, "dataset": data, "metrics": metrics}]}
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
