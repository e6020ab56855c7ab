"""Shows the pull requests of the demo as they look on GitHub: title, state, changed files, and the text, rendered."""

import re
from collections.abc import Sequence
from pathlib import Path

import page
from markdown_it import MarkdownIt
from repository import Pull


def rendered(text: str) -> str:
    """The HTML of a pull request's text, whose own HTML is that of `<details>` alone."""
    found: str = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable("table").render(text)
    chart = '<details><summary>A chart, which GitHub draws</summary><pre><code class="language-mermaid">'
    return re.sub(r'<pre><code class="language-mermaid">(.*?)</pre>', rf"{chart}\1</pre></details>", found, flags=re.S)


def write(path: Path, pulls: Sequence[Pull]) -> None:
    shown = [{"pull": one, "number": number, "body": rendered(one.body)} for number, one in enumerate(pulls, 1)]
    path.write_text(page.template("pulls.html").render(pulls=shown, style=page.style()))
