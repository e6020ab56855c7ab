"""Measures the figures in scripts/README.md: medians of interleaved runs on one machine, each with its comparison."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "<<cookiecutter.project_slug>>"

# Name, median, unit, note.
type Row = tuple[str, float, str, str]
