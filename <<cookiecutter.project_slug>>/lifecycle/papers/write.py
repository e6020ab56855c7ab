"""Writes the papers of a release beside its record."""

import json
from pathlib import Path

from lifecycle import files
from lifecycle.config import Card
from lifecycle.documents import record
from lifecycle.papers import bom, card, lineage

CARD, BOM, LINEAGE = "model-card.md", "bom.json", "lineage.jsonl"
NAMES = (CARD, BOM, LINEAGE)


def run(decision: record.Decision, said: Card, build: Path) -> None:
    """Write model card, bill of materials and lineage; `said` is what only a person knows."""
    files.write(build / CARD, card.text(decision, said))
    files.write_json(build / BOM, bom.document(decision, said))
    files.write(build / LINEAGE, "".join(f"{json.dumps(event)}\n" for event in lineage.events(decision)))
