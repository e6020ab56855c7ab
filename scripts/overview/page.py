"""Renders the rows as one page that needs nothing else."""

from html import escape

from overview.rows import HEAD, Cell, Row

STYLE = """body { font: 14px/1.5 system-ui, sans-serif; margin: 1rem; color: #1f2328; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #d1d9e0; padding: .2rem .6rem; text-align: left; }
th { position: sticky; top: 0; background: #fff; } a { color: inherit; } .alarm { color: #cf222e; font-weight: 600; }"""


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    linked = (
        f'<a href="{escape(cell.address)}">{text}</a>' if cell.text and cell.address.startswith("https://") else text
    )
    return f"<td{' class="alarm"' if cell.alarm else ''}>{linked}</td>"


def html(owner: str, day: str, rows: list[Row]) -> str:
    """The whole page."""
    title = escape(f"Models of {owner}, {day}")
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    body = "\n".join(f"<tr>{''.join(_cell(row[name]) for name in HEAD)}</tr>" for row in rows)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>\n{STYLE}\n</style></head>\n<body><h1>{title}</h1>\n"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</body>\n</html>\n"
    )
