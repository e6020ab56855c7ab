"""Reads the newest state of a repository from git, without its large files."""

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

HELPER = ("-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential")
SMALL = "--filter=blob:limit=2m"  # records and settings are smaller, tables of data are not brought
FILES = ("config.yaml", ".cookiecutter.yaml")
ORDER = ("dev", "staging", "production")
SECONDS = 120
NAME = re.compile("[a-z0-9-]+")  # of an environment
# What a repository that is no model's, or of a template that is not known, raises.
ODD = (OSError, subprocess.TimeoutExpired, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError)


class UnreadableError(Exception):
    """Why a repository has no row of its own."""


@dataclass(frozen=True)
class Running:
    """What an environment runs: version, verdict, training period's end, and the commit on main that brought it."""

    environment: str
    version: str = ""
    passed: bool = False
    trained: str = ""
    commit: str = ""
    since: str = ""
    author: str = ""


@dataclass(frozen=True)
class State:
    """A repository at the tip of its main branch."""

    tip: str
    running: tuple[Running, ...]
    freezes: dict[str, str]
    template: str


def _git(*arguments: str, given: str = "") -> bytes:
    done = subprocess.run(["git", *arguments], input=given.encode(), capture_output=True, check=False, timeout=SECONDS)
    if done.returncode:
        raise UnreadableError(f"git: {' '.join(done.stderr.decode(errors='replace').split())[:200]}")
    return done.stdout


def read(address: str, folder: Path, today: date) -> State:
    """Bring a repository into a folder, anew or what is new, and read it; raises UnreadableError."""
    try:
        if folder.is_dir():
            tip = "tip"
            _git("-C", str(folder), *HELPER, "fetch", "--quiet", "origin", f"+HEAD:refs/heads/{tip}")
        else:
            tip = "HEAD"
            _git(*HELPER, "clone", "--quiet", "--bare", "--no-tags", "--single-branch", SMALL, address, str(folder))
        return _state(folder, tip, today)
    except ODD as error:
        raise UnreadableError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def _state(folder: Path, tip: str, today: date) -> State:
    sha, _ = _objects(folder, [tip])[0]
    brought = _brought(folder, sha)
    settings, answers = (
        yaml.safe_load(text or "") for _, text in _objects(folder, [f"{sha}:{name}" for name in FILES])
    )
    promotion = settings.get("promote", {})
    order = [one for one in map(str, promotion.get("order", ORDER)) if NAME.fullmatch(one)]
    records = _objects(folder, [f"{sha}:manifests/overlays/{one}/release/decision.json" for one in order])
    running = tuple(
        _running(environment, content, *brought.get(environment, ("", "", "")))
        for environment, (_, content) in zip(order, records, strict=True)
    )
    freezes = {
        str(one["environment"]): str(one.get("reason", ""))
        for one in promotion.get("freeze", [])
        if str(one["from"]) <= today.isoformat() < str(one["until"])
    }
    return State(sha, running, freezes, str(answers.get("_version", "")))


def _objects(folder: Path, names: list[str]) -> list[tuple[str, bytes]]:
    """The hash and the content of each object; both are empty for one that is missing."""
    rest = _git("-C", str(folder), "cat-file", "--batch", given="".join(f"{name}\n" for name in names))
    found = []
    for _ in names:
        head, _, rest = rest.partition(b"\n")
        sha, *about = head.decode(errors="replace").split()
        if about[-1] == "missing":
            found.append(("", b""))
        else:
            size = int(about[-1])
            found.append((sha, rest[:size]))
            rest = rest[size + 1 :]
    return found


def _brought(folder: Path, tip: str) -> dict[str, tuple[str, str, str]]:
    """For each environment the newest commit on main that changed its record, with its day and its author."""
    form = "--format=%x00%H%x00%cs%x00%an"
    options = ("--first-parent", "--diff-merges=first-parent", "--name-only", "--no-renames", form, tip)
    told = _git("-C", str(folder), "log", *options, "--", "manifests/overlays/*/release/decision.json")
    found: dict[str, tuple[str, str, str]] = {}
    about = ("", "", "")
    for line in told.decode(errors="replace").split("\n"):
        if line.startswith("\0"):
            _, commit, day, author = line.split("\0")
            about = (commit, day, author)
        elif line:
            found.setdefault(line.split("/")[-3], about)
    return found


def _running(environment: str, content: bytes, commit: str, since: str, author: str) -> Running:
    """An environment's release; records of older and newer templates are read as far as they are understood."""
    if not content:
        return Running(environment)
    record: dict[str, Any] = json.loads(content)
    origin = record["evaluation"]["origin"]
    passed = bool(record["passed"]) and all(gate["outcome"] not in ("fail", "undecided") for gate in record["gates"])
    version = str(record.get("built") or origin["version"])
    return Running(environment, version, passed, str(origin["train"][1]), commit, since, author)
