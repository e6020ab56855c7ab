"""The parts of a page, and their rendering as Markdown or as HTML that opens offline."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from lifecycle.documents import limits

if TYPE_CHECKING:
    import plotly.graph_objects as go

TEMPLATES = Path(__file__).parent / "templates"
ROWS, CELL = 30, 300  # limits in Markdown: rows of a table, characters of a cell or line


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; a `whole` table is never shortened."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    whole: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the report: sentences, then tables, then charts as Mermaid text."""

    title: str
    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[str] = ()


@dataclass(frozen=True)
class Plot:
    """What is drawn, as HTML; two halves stand beside each other where there is room."""

    html: str
    half: bool = False


# GitHub links these words wherever they stand in text, however their signs are escaped, but never in code; `$` begins a
# formula. Source: cmark-gfm's extension `autolink` for addresses; for mentions, references, commits and emoji the
# filters of html-pipeline, which search the rendered text outside of `code` and `pre`.
LINKED = re.compile(r"[@#$]|://|www\.|:[\w+-]+:|GH-\d|(?<![^\W_])[0-9a-f]{7,40}(?![^\W_])", flags=re.IGNORECASE)
LEADING = re.compile(r"\d+(?=[.)](?: |$))|(?=[-+=:](?!\d))")  # begins a list, a rule, or the line under a heading


def plain(text: object) -> str:
    """Untrusted text as Markdown in a line or a cell: words that GitHub would link are code, all else is escaped."""
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text))
    line = " ".join(_word(word) for word in shown.split())
    return LEADING.sub(r"\g<0>\\", line, count=1) if LEADING.match(line) else line


def _word(word: str) -> str:
    """One word; signs that end a cell or a code span, or begin HTML, stay outside of code."""
    if not LINKED.search(word):
        return html.escape(re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", word), quote=False)
    parts = re.split(r"([|`<>]|[.,;:)]+$)", word)
    signs = [html.escape(f"\\{sign}" if sign in "|`" else sign) for sign in parts[1::2]]
    return "".join(f"`{part}`{sign}" if part else sign for part, sign in zip(parts[::2], [*signs, ""], strict=True))


# What the reports made here have of charts, headings, code, entities and escaped signs.
INERT = re.compile(
    r"^```mermaid\nxychart-beta[^`]*\n```$|^#+ |`[^`|\n]+`|&(?:amp|lt|gt);|\\([\\`*_{}\[\]|~.)+=:-])",
    flags=re.MULTILINE,
)


def ours(text: str) -> bool:
    """Whether Markdown has no link, mention, image, HTML or other code, like the reports made here."""
    signs, words = INERT.sub(" ", text), INERT.sub(lambda found: found[1] or " ", text)
    return not re.search(r"[`<\[&\\]", signs) and not LINKED.search(words)


def fenced(text: str, language: str = "") -> str:
    """Untrusted lines as a block of code that they cannot end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}\n"


def cut(text: str, longest: int) -> str:
    """Text of at most `longest` characters, with an ellipsis if it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


# Signs of Markdown, whose pictures GitHub has, and those of a page, which need no font of emoji and take its colours.
SIGNS = str.maketrans({"✅": "✔", "❌": "✘", "❓": "?", "🔔": "▲", "⚪": "○", "⏭": "-", "\ufe0f": None})
HASH = re.compile("[0-9a-f]{32,64}")
TONES = {"✅": "good", "❌": "bad", "❓": "bad", "🔔": "bad", "⚠️": "warn"}


def tone(cell: str) -> str:
    """The class of a cell that begins with a sign; a word beside it says the same."""
    return TONES.get(cell.split(" ")[0], "")


def drawn(text: str) -> str:
    """A text of the page, with signs that every font has."""
    return text.translate(SIGNS)


def short(value: float | None) -> str:
    """A number in four digits, or that it is undefined."""
    return "undefined" if value is None else f"{value:.4g}"


@cache
def _environment() -> jinja2.Environment:
    """What compiles each file of `templates/` once."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "plain": plain,
        "cut": cut,
        "tone": tone,
        "short": short,
        "hash": HASH.fullmatch,
        "drawn": drawn,
    }
    return environment


def render(template: str, **values: Any) -> str:
    """Fill a file of `templates/`; HTML is escaped, Markdown escapes with the filter `plain`."""
    return _environment().get_template(template).render(**values)


def markdown(
    verdict: str, setting: Sequence[str], sections: Sequence[Section], whole: str, limit: int = limits.BODY
) -> str:
    """A report for a comment or an issue, at most `limit` characters; `whole` names the full page.

    Long tables are shortened. If that is not enough, sections are left out, the longest first, and listed; the first
    section always stays.
    """
    left_out: list[str] = []

    def rendered() -> str:
        found = [section for section in sections if section.title not in left_out]
        return render(
            "report.md",
            verdict=verdict,
            setting=setting,
            sections=found,
            left_out=left_out,
            whole=whole,
            most=ROWS,
            longest=CELL,
        )

    first = sections[0].title
    lengths = {part.split("\n", 1)[0]: len(part) for part in rendered().split("\n### ")[1:]}
    for title in sorted(lengths.keys() - {first}, key=lambda name: -lengths[name]):
        if len(text := rendered()) <= limit:
            return text
        left_out.append(title)
    note = f"\n\n_{first} is cut here; {whole} has the full report._\n"
    text = rendered()
    return text if len(text) <= limit else text[: limit - len(note)].rsplit("\n", 1)[0] + note


def page(
    verdict: str,
    setting: Sequence[str],
    sections: Sequence[Section],
    figures: "Mapping[str, Sequence[go.Figure | str]]",
    good: bool,
) -> str:
    """A report as one self-contained HTML page, with plots by section; a plot may also be HTML."""
    drawn = iter(fragments([figure for group in figures.values() for figure in group if not isinstance(figure, str)]))

    def plot(figure: "go.Figure | str") -> Plot:
        return Plot(figure) if isinstance(figure, str) else Plot(next(drawn), figure.layout.meta == "half")

    plots = {title: [plot(figure) for figure in group] for title, group in figures.items()}
    return render(
        "report.html",
        good=good,
        verdict=verdict,
        setting=setting,
        sections=sections,
        style=style(),
        copying=(TEMPLATES / "copy.js").read_text(),
        scripts=scripts() if any(figures.values()) else "",
        plots=plots,
    )


@cache
def style() -> str:
    """How every page looks, in light and dark, on paper and on a phone."""
    return (TEMPLATES / "page.css").read_text()


@cache
def scripts() -> str:
    """Plotly with bars, lines and points alone, and the page's colours; in the page, so that it opens offline."""
    return "".join((TEMPLATES / name).read_text() for name in ("plotly-basic.min.js", "paint.js"))


def fragments(figures: "list[go.Figure]") -> list[str]:
    """Plots as HTML, which need `scripts` before them."""
    from plotly import io  # late: what only writes Markdown is installed without it

    look = io.templates["plotly_white"].to_plotly_json()

    def fragment(figure: "go.Figure") -> str:
        figure.update_layout(margin={"l": 40, "r": 20, "t": 60, "b": 40}, title_font_size=14)
        figure.update_layout(height=figure.layout.height or 380)
        figure.update_yaxes(automargin=True)
        drawn = figure.to_dict()
        drawn["layout"]["template"] = look  # set on a figure, it would be checked again each time, which takes longest
        shown = {"responsive": True, "displayModeBar": False}
        html: str = io.to_html(drawn, validate=False, full_html=False, include_plotlyjs=False, config=shown)
        return html

    return [fragment(figure) for figure in figures]
