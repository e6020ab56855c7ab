"""Writes the adopted sections into the text of config.yaml, and leaves all others with their comments as they are."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lifecycle.strict import parsed


def _flow(value: Any) -> str:
    """A value in one line; YAML ends a plain one with a line of its own."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=100_000, allow_unicode=True)
    return text.strip().removesuffix("\n...")


def written(text: str, document: Mapping[str, Any]) -> str:
    """`config.yaml` with the adopted sections; all others, with their comments, stay as they are."""
    found, section = document["data"], [f"  {key}: {_flow(value)}" for key, value in document["data"].items()]
    section = [line for line in section if not line.startswith(("  target:", "  features:"))]
    section += ["  target:", *(f"    {key}: {_flow(value)}" for key, value in found["target"].items())]
    section += ["  features:", *(f"    {_flow(name)}: {_flow(value)}" for name, value in found["features"].items())]
    sections = {
        "task": f"task: {document['task']}\n\n",
        "data": "\n".join(["data:", *section, "", ""]),
        "split": "\n".join(
            ["split:", *(f"  {key}: {_flow(value)}" for key, value in document["split"].items()), "", ""]
        ),
        "gates": "\n".join(["gates:", *(f"  - {_flow(gate)}" for gate in document["gates"]), "", ""]),
    }
    for name, words in sections.items():
        text = _within(text, name, r"\A.*\Z", words)
    train, evaluate, monitor = (document[name] for name in ("train", "evaluate", "monitor"))
    if document["task"] == "binary_classification":
        meaning = f"{train['threshold']} # the probability from which the answer is {found['target']['positive']}"
        text = _within(text, "train", r"(?<=^  threshold: )\S.*?$", meaning)
    leaf = str(train["parameters"].get("min_samples_leaf"))
    text = _within(text, "train", r"(?<=min_samples_leaf: )\d+", leaf)
    slices = "".join(f"    - {_flow(part)}\n" for part in evaluate["slices"]) or "    []\n"
    text = _within(text, "evaluate", r"^  slices:.*?(?=^  \w|^\w|\Z)", f"  slices:\n{slices}")
    text = _within(text, "monitor", r"^  metrics: .*?$", f"  metrics: {_flow(monitor['metrics'])}")
    text = _within(text, "monitor", r"(?<=^  window: )\S+", str(monitor["window"]))
    text = _within(text, "monitor", r"(?<=alert: \{metrics: )\[.*?\]", _flow(monitor["alert"]["metrics"]))
    alert = parsed(text)["monitor"]["alert"] | {"metrics": monitor["alert"]["metrics"]}
    # Where a person has written a section in another form, it is written anew, without its comments.
    for name, keys in {
        "train": {"parameters": train["parameters"]},
        "evaluate": {"slices": evaluate["slices"]},
        "monitor": {"metrics": monitor["metrics"], "window": monitor["window"], "alert": alert},
    }.items():
        own = parsed(text)[name]
        if any(own.get(key) != value for key, value in keys.items()):
            whole = yaml.safe_dump({name: own | keys}, sort_keys=False, default_flow_style=None, allow_unicode=True)
            text = _within(text, name, r"\A.*\Z", f"{whole}\n")
    return text.rstrip("\n") + "\n"


def _within(text: str, section: str, pattern: str, words: str) -> str:
    """Replace the first match inside a section."""

    def replaced(match: re.Match[str]) -> str:
        return re.sub(pattern, lambda _: words, match[0], count=1, flags=re.M | re.S)

    return re.sub(rf"^{section}:.*?(?=^\w|\Z)", replaced, text, count=1, flags=re.M | re.S)
