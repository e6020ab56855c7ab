"""Draws an interval with its point as SVG in a table's cell, as wide as the page lets it be."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

HEIGHT, EDGE = 30, 7.0  # pixels, percent of the width


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` as percent of a cell's width; what lies outside is at its edge."""

    low: float
    high: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return EDGE + (100 - 2 * EDGE) * share

    def beyond(self, value: float) -> bool:
        return not self.low <= value <= self.high


def line(scale: Scale, value: float, kind: str) -> str:
    """An upright line; `kind` is its class."""
    at = f"{scale.at(value):.2f}%"
    return f'<line class="{kind}" x1="{at}" x2="{at}" y1="0" y2="{HEIGHT}"/>'


def point(scale: Scale, low: float, value: float, high: float, kind: str, height: int = HEIGHT // 2) -> str:
    """An interval with its point; an arrow stands where either leaves the scale."""
    x1, x2, middle = (f"{scale.at(one):.2f}%" for one in (low, high, value))
    drawn = [f'<line class="{kind}" x1="{x1}" x2="{x2}" y1="{height}" y2="{height}"/>']
    if not scale.beyond(value):
        drawn.append(f'<circle class="{kind}" cx="{middle}" cy="{height}" r="4.5"/>')
    for end, outside, sign in ((scale.low, low < scale.low, -1), (scale.high, high > scale.high, 1)):
        if outside:
            arrow = f'<path class="{kind}" d="M{-sign},-6 L{9 * sign},0 L{-sign},6 Z"/>'
            drawn.append(f'<svg x="{scale.at(end):.2f}%" y="{height}" overflow="visible">{arrow}</svg>')
    return "".join(drawn)


def cell(*shapes: str) -> str:
    """What is drawn in one cell; the numbers stand in words beside it."""
    return f'<svg class="cell" width="100%" height="{HEIGHT}" aria-hidden="true">{"".join(shapes)}</svg>'


def ticks(scale: Scale) -> list[float]:
    """Two to four round numbers on the scale."""
    least = (scale.high - scale.low) / 4
    power = 10.0 ** floor(log10(least))
    step = next(one * power for one in (1, 2, 5, 10, 20) if one * power >= least)
    first = ceil(scale.low / step)
    return [place * step for place in range(first, first + 5) if place * step <= scale.high]


def axis(scale: Scale, ticks: Iterable[float], sign: str = "") -> str:
    """The numbers under a column of cells."""
    texts = "".join(
        f'<text x="{scale.at(tick):.2f}%" y="14" text-anchor="middle">{_number(tick, sign)}</text>' for tick in ticks
    )
    return f'<svg class="cell axis" width="100%" height="20" aria-hidden="true">{texts}</svg>'


def _number(tick: float, sign: str) -> str:
    return f"{tick:{sign}.3g}" if tick else "0"


def legend(*entries: tuple[str, str]) -> str:
    """What each mark means; a name may say a bound."""
    shown = (
        f'<span class="key"><svg width="26" height="14" aria-hidden="true">{_sample(kind)}</svg> {escape(name)}</span>'
        for kind, name in entries
    )
    return f'<p class="legend">{" ".join(shown)}</p>'


def _sample(kind: str) -> str:
    if kind in ("margin", "zero"):
        return f'<line class="{kind}" x1="13" x2="13" y1="0" y2="14"/>'
    if kind == "arrow":
        return '<path class="candidate" d="M6,1 L18,7 L6,13 Z"/>'
    return f'<line class="{kind}" x1="2" x2="24" y1="7" y2="7"/><circle class="{kind}" cx="13" cy="7" r="4.5"/>'


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]], foot: Iterable[str], keys: str) -> str:
    """A table with a drawn column, under it the axis; its cells are HTML, the first names the row."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = ""
    for first, *others in rows:
        body += f'<tr><th scope="row">{first}</th>{"".join(f"<td>{one}</td>" for one in others)}</tr>\n'
    under = "".join(f"<td>{one}</td>" for one in foot)
    return (
        f'<figure class="marks"><figcaption>{escape(caption)}</figcaption>{keys}'
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody><tfoot><tr>{under}</tr></tfoot></table></figure>"
    )
