"""Text of outsiders in comments, issues and pull requests, as GitHub's own renderer reads it."""

import re
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.reporting import pages

# GitHub's filters search the rendered text outside of these. Source: html-pipeline, MentionFilter.
CODE = re.compile(r"<(code|pre)\b.*?</\1>", flags=re.S)
# What cmark-gfm makes of it, and what those filters would: mentions, references, commits, emoji and formulas.
MADE = re.compile(r"<(?!/?(?:p|li|ul|table|thead|tbody|tr|th|td)(?: align=\"\w+\")?>)[^>]*>")
FILTERED = re.compile(r"@\w|#\d|\bGH-\d|:[a-z0-9_+-]+:|\$|https?://|www\.|\b[0-9a-f]{7,40}\b", flags=re.I)
WORDS = [
    *("@all", "a@b.com", "&#64;all", "@acme/team", "xmpp:a@b.com", "mailto:a@b.com", "#1", "acme/x#1", "GH-1"),
    *(
        "https://evil.example",
        "ftp://x.y",
        "www.evil.example",
        "http&#58;//x.y",
        "<https://x.y>",
        "HTTP://X.Y",
        "Www.x.y",
    ),
    *(
        "[a](b)",
        "![a](b)",
        "[a]:",
        "[^1]",
        "<b>",
        "</details>",
        "<!--",
        "-->",
        "<img/src=x>",
        "`",
        "``",
        "```",
        "~~~",
        "\\",
    ),
    *(
        "|",
        "a|b",
        "`a@b`",
        "\\|",
        "@a|b`c@d",
        "# h",
        "## h",
        "===",
        "---",
        ":-",
        "-",
        "+",
        "*",
        "1.",
        "1)",
        ">",
        "**b**",
        "_b_",
    ),
    *(
        "~~b~~",
        ":tada:",
        "$x$",
        "$`x`$",
        "0123abc",
        "d" * 40,
        "[ ]",
        "[!NOTE]",
        "\u202e@x",
        "a\u200b@b",
        "&lt;b&gt;",
        "&",
    ),
]
hostile = st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=6).flatmap(
    lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda between: between.join(parts))
)


def rendered(markdown: str) -> str:
    """HTML as GitHub's renderer makes it, with raw HTML left in."""
    extensions = ["table", "autolink", "strikethrough", "tasklist"]
    made: str = cmarkgfm.markdown_to_html_with_extensions(markdown, Options.CMARK_OPT_UNSAFE, extensions)
    return made


def harmless(html: str) -> None:
    """Raise AssertionError if rendered text has a link, a mention, an image, a heading, raw HTML or a formula."""
    outside = CODE.sub("", html)
    assert not MADE.search(outside), html
    assert not FILTERED.search(re.sub(r"<[^>]*>", " ", outside)), html


@pytest.mark.parametrize("word", ["a&#64;b.com", "&#64;all", "www.x.y", "# h", "<b>", "![a](b)", "\\#1"])
def test_what_is_only_half_escaped_is_noticed(word: str) -> None:
    with pytest.raises(AssertionError):
        harmless(rendered(word))


@given(hostile)
@example("@all")
@example("`@a`|`b@c`\\")
@example("1. # @x")
def test_a_value_of_an_outsider_is_text_in_a_line_a_list_and_a_cell(text: str) -> None:
    made = pages.plain(text)
    assert "\n" not in made
    harmless(rendered(f"{made}\n"))
    harmless(rendered(f"Data: {made}.\n"))
    harmless(rendered(f"- {made}\n- {made}\n"))
    table = rendered(f"| a | b |\n| --- | --- |\n| {made} | x |\n")
    harmless(table)
    assert table.count("<td>") == 2, table
    assert table.rstrip().endswith("<td>x</td>\n</tr>\n</tbody>\n</table>")
    heading = rendered(f"## {made}\n")
    assert heading.count("<h") == 1
    harmless(heading.replace("<h2>", "").replace("</h2>", ""))


@given(hostile)
def test_what_a_reader_sees_is_what_the_outsider_wrote(text: str) -> None:
    shown = re.sub(r"</?\w+>", "", rendered(f"x {pages.plain(text)}\n")).strip()
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, sign)
    wanted = "".join(sign if sign.isprintable() else " " for sign in text)
    assert shown == " ".join(["x", *wanted.split()])


@given(hostile)
def test_lines_of_an_outsider_cannot_end_their_block(text: str) -> None:
    made = rendered(pages.fenced(text, "diff"))
    assert re.fullmatch(r'<pre(?: lang="diff")?><code[^>]*>[^<]*</code></pre>\n', made), made


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "records").glob("*.md")), ids=lambda path: path.stem)
def test_a_report_made_here_is_known_as_ours(path: Path) -> None:
    assert pages.ours(path.read_text())


@given(hostile)
def test_a_report_that_is_taken_for_ours_links_nothing(text: str) -> None:
    if pages.ours(text):
        made = re.sub(r"</?(h[1-6]|ol|blockquote|em|strong|del)>|<[hb]r />", "", rendered(text))
        harmless(re.sub(r"<input[^>]*>", "", made))
