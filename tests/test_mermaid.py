"""Each Mermaid chart of reports and docs is one that Mermaid itself can parse and draw."""

import json
import re
from importlib.resources import files
from pathlib import Path

import bake as bake_script
from browser import loaded
from conftest import ROOT

# Mermaid as a package of the tests carries it; GitHub draws with a version of the same year.
MERMAID = files("mermaidx") / "assets/mermaid.js"
PAGE = """<head><meta charset="utf-8"></head><body><script src="mermaid.js"></script><script>
const charts = CHARTS;
addEventListener("load", async () => {
  mermaid.initialize({startOnLoad: false});
  const found = {};
  for (const [index, [place, text]] of charts.entries()) {
    try {
      await mermaid.parse(text);
      const {svg} = await mermaid.render(`chart${index}`, text);
      found[place] = new DOMParser().parseFromString(svg, "text/html").querySelectorAll("path, rect, line").length;
    } catch (error) {
      found[place] = String(error);
    }
  }
  parent.postMessage(JSON.stringify(found), "*");
});
</script></body>"""


def drawn(charts: dict[str, str], folder: Path) -> dict[str, int | str]:
    """How many shapes Mermaid draws for each chart, or what it says is wrong."""
    (folder / "mermaid.js").write_bytes(MERMAID.read_bytes())
    text = json.dumps(list(charts.items())).replace("<", "\\\\u003c")
    (folder / "page.html").write_text(PAGE.replace("CHARTS", text))
    (found,) = loaded(folder / "page.html", 1000)
    return dict(found)


def test_mermaid_draws_each_chart_and_refuses_a_broken_one(tmp_path: Path) -> None:
    charts: dict[str, str] = {}
    for name in bake_script.tracked():
        if name.endswith(".md"):
            blocks = re.findall(r"^```mermaid\n(.*?)^```", (ROOT / name).read_text(), flags=re.M | re.S)
            charts |= {f"{name} {number}": block for number, block in enumerate(blocks, 1)}
    assert len(charts) > 15
    charts["broken"] = 'xychart-beta\n  title "x"\n  x-axis ["a", "b"\n  bar [1, 2]\n'
    found = drawn(charts, tmp_path)
    assert "error" in str(found.pop("broken")).lower()
    assert {place: shapes for place, shapes in found.items() if not isinstance(shapes, int) or shapes < 5} == {}
    assert len(found) == len(charts) - 1
