"""Measures what README.md states: medians of interleaved runs on one machine, with what each is compared to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "<<cookiecutter.project_slug>>"

# What is measured, its median, the median's unit, and a note.
type Row = tuple[str, float, str, str]
