"""Opens a page in headless Chromium without a network and reports the result."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No network: no name lookups, no update checks.
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
    *("--virtual-time-budget=10000", "--hide-scrollbars"),
]
PROBE = """<script>
const errors = [];
addEventListener("error", event => errors.push(event.message || "a resource failed"), true);
// The contrast of two colours. Source: WCAG 2.2, definitions of relative luminance and contrast ratio.
const light = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
  .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const contrast = () => {
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const names = "h1, h2, p, li, th, td, a, .xtick text, .ytick text, .gtitle, .legendtext";
  const texts = [...document.querySelectorAll(names)];
  return Math.min(...texts.filter(text => text.textContent.trim()).map(text => {
    const style = getComputedStyle(text);
    const ink = light(text instanceof SVGElement ? style.fill : style.color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
};
// What a reader does with the explorer of thresholds: says that one error costs five of the other, and moves it.
const explored = () => {
  const form = document.querySelector(".explorer");
  if (!form) return null;
  form.querySelector("#missed").value = 5;
  form.querySelector("#missed").dispatchEvent(new Event("input"));
  form.querySelector("#at").value = 0;
  form.querySelector("#at").dispatchEvent(new Event("input"));
  const first = document.querySelector("#chosen").innerText;
  form.querySelector("#present").click();
  const present = document.querySelector("#chosen").innerText;
  return {lowest: form.querySelector("#lowest").textContent, first, present};
};
addEventListener("load", () => setTimeout(() => {
  const found = {
    errors,
    fetched: performance.getEntriesByType("resource").map(entry => entry.name),
    drawn: [...document.querySelectorAll(".plotly-graph-div")].map(div => div.querySelectorAll(".main-svg").length > 0),
    cut: [...document.querySelectorAll(".plotly-graph-div")].filter(div => div.scrollWidth > innerWidth).length,
    wide: document.documentElement.scrollWidth,
    inner: innerWidth,
    text: document.body.innerText.length,
    contrast: contrast(),
    paper: getComputedStyle(document.body).backgroundColor,
    explored: explored(),
  };
  parent.postMessage(JSON.stringify(found), "*");
}, 1000));
</script>"""
# A frame can be as narrow as a phone, a window cannot.
FRAME = """<script>addEventListener("message", event => document.documentElement.dataset.found = event.data)</script>
<iframe src="{page}" style="width: {width}px; height: 3000px; border: 0"></iframe>"""


def browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def loaded(page: Path, width: int, dark: bool = False) -> Any:
    """What a page in a window of this width posts to its parent, as JSON; `dark` is what the reader's system asks."""
    command = browser()
    assert command
    with tempfile.TemporaryDirectory() as name:
        frame = Path(name) / "frame.html"
        frame.write_text(FRAME.replace("{page}", page.as_uri()).replace("{width}", str(width)))
        flags = [*FLAGS, f"--user-data-dir={name}/profile", "--window-size=2000,3000"]
        flags += ["--blink-settings=preferredColorScheme=0"] * dark
        dom = subprocess.run(
            [command, *flags, "--dump-dom", frame.as_uri()],
            env={**os.environ, "HOME": name},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found, f"{page} did not load: {dom[:500]}"
    return json.loads(html.unescape(found[1]))


def opened(page: Path, width: int, dark: bool = False) -> dict[str, Any]:
    """A page in a window of this width: script errors, fetched addresses, drawn plots, own width, least contrast."""
    with tempfile.TemporaryDirectory() as name:
        probed = Path(name) / "page.html"
        probed.write_text(page.read_text().replace("<head>", f"<head>{PROBE}", 1))
        measured: dict[str, Any] = loaded(probed, width, dark)
    return measured
