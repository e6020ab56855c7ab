"""Opens a page in headless Chromium without a network and reports the result."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

WIDTHS = {"phone": 390, "screen": 1280}
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
// Texts that lie over each other by more than a hair; a scrolled box hides what is outside of it.
const overlaps = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), boxes = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, range = document.createRange();
    const hidden = node.parentElement.closest("script, style, noscript, title, option");
    if (hidden || !node.textContent.trim() || !node.parentElement.checkVisibility({visibilityProperty: true})) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const group = node.parentElement.closest(".scroll") ?? document.body;
      const {left, right, top, bottom} = box;
      boxes.push({group, text: node.textContent.trim(), left, right, top, bottom});
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  const found = [];
  boxes.forEach((one, index) => {
    for (let next = index + 1; next < boxes.length && boxes[next].top < one.bottom - 4; next++) {
      const other = boxes[next], shared = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      if (shared > 2 && one.group === other.group) found.push(`${one.text} | ${other.text}`);
    }
  });
  return found;
};
// What a printer would break over two pages, and tables without a head to repeat on the next one.
const torn = () => {
  const printed = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
    .filter(rule => rule.media?.mediaText === "print").flatMap(rule => [...rule.cssRules])
    .filter(rule => rule.style.breakInside === "avoid").map(rule => rule.selectorText);
  const whole = printed.join(", ") || "none";
  const parts = [...document.querySelectorAll("tr, .plotly-graph-div, svg.cell")].filter(one => !one.closest(whole));
  return [...parts, ...[...document.querySelectorAll("table")].filter(one => !one.tHead)].length;
};
// What axe-core finds against the rules of WCAG and good practice, with the first place of each.
const violations = async () => {
  const {violations} = await axe.run(document, {resultTypes: ["violations"], preload: false});
  return violations.map(one => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
};
addEventListener("load", () => setTimeout(async () => {
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
    overlaps: overlaps(),
    torn: torn(),
    violations: await violations(),
    explored: explored(),
  };
  parent.postMessage(JSON.stringify(found), "*");
}, 1000));
</script>"""
# A frame can be as narrow as a phone, a window cannot.
FRAMES = """<script>addEventListener("message", event => {
  const frame = [...document.querySelectorAll("iframe")].find(one => one.contentWindow === event.source);
  frame.dataset.found = event.data;
})</script>"""
FRAME = '<iframe src="{page}" style="width: {width}px; height: 3000px; border: 0"></iframe>'
# axe-core as a package of the tests carries it.
AXE = files("axe_core_python") / "axe.min.js"


def browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def loaded(page: Path, *widths: int, dark: bool = False) -> list[Any]:
    """What a page in windows of these widths posts to its parent, as JSON; `dark` is what the reader's system asks."""
    command = browser()
    assert command
    with tempfile.TemporaryDirectory() as name:
        frame = Path(name) / "frame.html"
        frame.write_text(FRAMES + "".join(FRAME.format(page=page.as_uri(), width=width) for width in widths))
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
    found = re.findall(r'data-found="([^"]*)"', dom)
    assert len(found) == len(widths), f"{page} did not load: {dom[:500]}"
    return [json.loads(html.unescape(one)) for one in found]


def opened(page: Path, *widths: int, dark: bool = False) -> list[dict[str, Any]]:
    """What the probe finds of a page in windows of these widths: its errors, its sizes, and who could not read it."""
    with tempfile.TemporaryDirectory() as name:
        probed = Path(name) / "page.html"
        probe = f"<script>{AXE.read_text()}</script>{PROBE}"
        probed.write_text(page.read_text().replace("<head>", f"<head>{probe}", 1))
        return loaded(probed, *widths, dark=dark)


def sound(page: Path, name: str = "") -> list[dict[str, Any]]:
    """A page on a phone and on a screen, in light and in dark; raises AssertionError unless all of it can be read."""
    found = []
    for dark in (False, True):
        for width, one in zip(WIDTHS.values(), opened(page, *WIDTHS.values(), dark=dark), strict=True):
            assert (one["errors"], one["fetched"], one["violations"], one["overlaps"]) == ([], [], [], []), (
                name,
                width,
            )
            assert all(one["drawn"]), (name, width)
            assert one["inner"] == width
            assert one["wide"] <= width, "nothing makes the page wider than the window"
            assert one["cut"] == 0, (name, width)
            assert one["torn"] == 0, (name, width)
            assert one["contrast"] >= 4.5, (name, width)
            assert one["paper"] == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
            found.append(one)
    return found
