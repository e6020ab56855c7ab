"""Renders the rows as one page that needs nothing else."""

from html import escape
from pathlib import Path

from overview.rows import HEAD, Cell, Row

LOOK = (
    Path(__file__).parents[2] / "<<cookiecutter.project_slug>>/lifecycle/reporting/templates/page.css"
)  # that of the reports
STYLE = """body { max-width: none; } table { font-size: .85rem; } td:first-child { white-space: normal; }
.scroll { overflow: auto; max-height: 85vh; } th { position: sticky; top: 0; background: var(--paper); }
td a { color: inherit; } .alarm { color: var(--fail); font-weight: 600; }"""


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    linked = (
        f'<a href="{escape(cell.address)}">{text}</a>' if cell.text and cell.address.startswith("https://") else text
    )
    return f"<td{' class="alarm"' if cell.alarm else ''}>{linked}</td>"


def html(owner: str, day: str, rows: list[Row]) -> str:
    """The whole page."""
    title = escape(f"Models of {owner}, {day}")
    head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    body = "\n".join(f"<tr>{''.join(_cell(row[name]) for name in HEAD)}</tr>" for row in rows)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{LOOK.read_text()}{STYLE}\n</style></head>\n<body><main><h1>{title}</h1>\n"
        f'<div class="scroll" tabindex="0"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table></div></main></body>\n</html>\n"
    )
