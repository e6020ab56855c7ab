"""Draws charts as Mermaid text, which GitHub renders in a comment without a hosted image.

`xychart-beta` has no error bars or legend, accepts no missing value, exponent or empty label, and interprets `#` and
`;`.
"""

import re
from collections.abc import Sequence
from math import floor, log10

LABELS = 12
LETTERS = 24


def label(text: object) -> str:
    """Text from data as a label: replace unsafe characters, or an empty text, with "·", and shorten."""
    plain = " ".join(re.sub(r"[^\w .,:/()+-]", "·", str(text)).split()) or "·"
    return plain if len(plain) <= LETTERS else f"{plain[: LETTERS - 1]}…"


def xychart(
    title: str,
    labels: Sequence[str],
    bars: Sequence[float],
    lines: Sequence[Sequence[float]] = (),
    *,
    axis: str,
    horizontal: bool = False,
    zero: bool = True,
) -> str:
    """The first 12 bars with lines over them, fenced; `zero` makes the axis include 0; if not, it says so."""
    series = [list(values)[:LABELS] for values in (bars, *lines)]
    drawn = [value for values in series for value in values] + [0.0] * zero
    low, high = min(drawn), max(drawn)
    pad = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    digits = min(12, max(0, 3 - floor(log10(pad))))
    low, high = low - pad * (low != 0), high + pad * (high != 0 or low == 0)

    def numbers(values: Sequence[float]) -> str:
        return ", ".join(f"{value:.{digits}f}" for value in values)

    shown = axis if low <= 0 <= high else f"{axis}, not from 0"
    names = ", ".join(f'"{label(text)}"' for text in labels[:LABELS])
    return "\n".join(
        [
            "```mermaid",
            f"xychart-beta{' horizontal' if horizontal else ''}",
            f'  title "{title}"',
            f"  x-axis [{names}]",
            f'  y-axis "{shown}" {low:.{digits}f} --> {high:.{digits}f}',
            f"  bar [{numbers(series[0])}]",
            *(f"  line [{numbers(values)}]" for values in series[1:]),
            "```",
        ]
    )
