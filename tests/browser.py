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
addEventListener("load", () => setTimeout(() => {
  const found = {
    errors,
    fetched: performance.getEntriesByType("resource").map(entry => entry.name),
    drawn: [...document.querySelectorAll(".plotly-graph-div")].map(div => div.querySelectorAll(".main-svg").length > 0),
    cut: [...document.querySelectorAll(".plotly-graph-div")].filter(div => div.scrollWidth > innerWidth).length,
    wide: document.documentElement.scrollWidth,
    inner: innerWidth,
    text: document.body.innerText.length,
  };
  parent.postMessage(JSON.stringify(found), "*");
}, 1000));
</script>"""
# A frame can be as narrow as a phone, a window cannot.
FRAME = """<script>addEventListener("message", event => document.documentElement.dataset.found = event.data)</script>
<iframe src="{page}" style="width: {width}px; height: 3000px; border: 0"></iframe>"""


def browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def loaded(page: Path, width: int) -> Any:
    """What a page in a window of this width posts to its parent, as JSON."""
    command = browser()
    assert command
    with tempfile.TemporaryDirectory() as name:
        frame = Path(name) / "frame.html"
        frame.write_text(FRAME.replace("{page}", page.as_uri()).replace("{width}", str(width)))
        flags = [*FLAGS, f"--user-data-dir={name}/profile", "--window-size=1400,3000"]
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


def opened(page: Path, width: int) -> dict[str, Any]:
    """A page in a window of this width: script errors, fetched addresses, drawn plots, and its own width."""
    with tempfile.TemporaryDirectory() as name:
        probed = Path(name) / "page.html"
        probed.write_text(page.read_text().replace("<head>", f"<head>{PROBE}", 1))
        measured: dict[str, Any] = loaded(probed, width)
    return measured
