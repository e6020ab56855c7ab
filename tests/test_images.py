"""The images hold exactly what they import, and old releases still run with the new base."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, ROOT, run, unrendered
from folders import only
from image import contents
from pods import containers
from releases import FIRST, objects, shared, switched_on, written

# The modules that each image runs besides the command line.
ROOMS = {
    "serve": (
        *("lifecycle.serving.seldon", "lifecycle.serving.serve", "lifecycle.serving.smoke"),
        "lifecycle.privacy.erase",
    ),
    "monitor": ("lifecycle.github.degraded", "lifecycle.reporting.watch"),
}
DEGRADED = ["--build", "/tmp/build", "degraded"]  # noqa: S108 - of the container
COMMAND_LINE = ("lifecycle.config", "lifecycle.failures", "lifecycle.progress", "lifecycle.verbs")
OLDEST = "from lifecycle.releasing.component import COMMANDS; print(*COMMANDS[0].smoke, COMMANDS[0].degraded)"
NEEDED = "import sys; from lifecycle import imports; print(*sorted(imports.needed(*sys.argv[1:])))"


@pytest.mark.parametrize("target", ROOMS)
def test_an_image_holds_what_it_imports_and_no_more(target: str) -> None:
    python = ".venv/github/bin/python"
    needed = set(run([python, "-c", NEEDED, *ROOMS[target], *COMMAND_LINE], unrendered("github")).split())
    copied = contents(ROOT / PROJECT, target)
    modules = {place for place in copied if place.endswith(".py")}
    assert modules == needed | {"lifecycle/__main__.py"}
    others = {place for place in copied if not place.endswith(".py") and not place.startswith("build/model")}
    plotting = ("plotly-basic.LICENSE", "plotly-basic.min.js")
    names = (
        "copy.js",
        "page.css",
        "paint.js",
        "report.html",
        "report.md",
        "thresholds.html",
        "thresholds.js",
        *plotting,
    )
    templates = {f"lifecycle/reporting/templates/{name}" for name in names}
    assert others == {"config.yaml"} | (templates if target == "monitor" else set())


@pytest.mark.parametrize("target", ROOMS)
def test_an_image_answers_its_help_with_nothing_else_beside_it(target: str, tmp_path: Path) -> None:
    project = unrendered(target)
    for place, source in contents(project, target).items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / source, tmp_path / place)
    python = str(project / ".venv" / target / "bin/python")
    assert "usage: python -m lifecycle" in run([python, "-m", "lifecycle", "--help"], tmp_path)
    imported = "; ".join(f"import {module}" for module in ROOMS[target] if not module.endswith("seldon"))
    run([python, "-c", imported], tmp_path)


def test_the_context_of_a_build_holds_what_the_dockerfile_copies() -> None:
    allowed = {line[1:] for line in (ROOT / PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {source for target in ROOMS for source in contents(ROOT / PROJECT, target).values()}
    copied = {Path(source).parts[0] for source in sources if not source.startswith("build/model/")}
    assert allowed == copied | {"build/model", "locks"}


def commands(repository: Path, environment: str = "production") -> dict[str, list[str]]:
    """The command of each container in an environment's jobs, by container name."""
    found = objects(repository, environment)
    smoke = only(found, "Job", "smoke")["spec"]["template"]["spec"]["containers"]
    monitor = containers(only(found, "CronJob", "monitor")["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    told = {}
    for one in [*smoke, *monitor]:
        named = {part["name"]: part.get("value", "") for part in one.get("env", [])}
        told[one["name"]] = one.get("command", [])
        if "DEGRADED" in named:
            told[one["name"]] = named["DEGRADED"].split()
    return told


def test_a_release_of_the_first_version_keeps_its_commands_with_todays_base(released: Path) -> None:
    production = switched_on(released, "retraining")
    path = production / "manifests/overlays/production/release/kustomization.yaml"
    path.write_text(FIRST)
    told = commands(production)
    assert told["smoke"] == ["python", "-m", "model", "smoke"]
    assert told["teller"] == ["python", "-m", "github", *DEGRADED]
    oldest = run([".venv/github/bin/python", "-c", OLDEST], unrendered("github")).split()
    assert oldest == [*told["smoke"], *told["teller"]]
    path.write_text(written())
    told = commands(production)
    assert told["smoke"] == ["python", "-m", "lifecycle", "smoke"]
    assert told["teller"] == ["python", "-m", "lifecycle", *DEGRADED]


def test_a_candidate_and_the_release_beside_it_have_each_their_own_commands(released: Path) -> None:
    """A release of the first version, with one of today as its candidate."""
    shared(released)
    path = released / "manifests/overlays/production/release/kustomization.yaml"
    document = yaml.safe_load(path.read_text())
    (smoke,) = (patch for patch in document["patches"] if patch["target"]["kind"] == "Job")
    change = json.loads(smoke["patch"])
    containers = change["spec"]["template"]["spec"]["containers"]
    change["spec"]["template"]["spec"]["containers"] = [one for one in containers if one["name"] == "canary"]
    smoke["patch"] = json.dumps(change)
    path.write_text(yaml.safe_dump(document))
    told = commands(released)
    assert told["smoke"] == ["python", "-m", "model", "smoke"]
    assert told["canary"] == ["python", "-m", "lifecycle", "smoke"]


def test_todays_release_renders_with_the_base_of_the_first_version(released: Path) -> None:
    """Happens when an upgrade is reverted and the release stays."""
    base = released / "manifests/base/monitor.yaml"
    lines = base.read_text().splitlines(keepends=True)
    begin = next(index for index, line in enumerate(lines) if line.startswith("          annotations:"))
    base.write_text("".join(lines[:begin] + lines[begin + 2 :]))
    assert "annotations" not in base.read_text().partition("jobTemplate")[2]
    assert commands(released)["smoke"] == ["python", "-m", "lifecycle", "smoke"]


@pytest.mark.parametrize(("serving", "locks"), [("serve", "serve"), ("seldon", "seldon"), ("skops", "skops model")])
def test_the_service_is_built_from_the_locks_of_the_environment_that_serves(
    serving: str, locks: str, tmp_path: Path
) -> None:
    stage = (ROOT / PROJECT / "Dockerfile").read_text().replace("\\\n", " ").partition("FROM base AS serve")[2]
    command = next(line for line in stage.splitlines() if line.startswith("RUN "))
    (tmp_path / "uv").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "uv").chmod(0o755)
    said = run(
        ["sh", "-ec", re.sub(r"RUN|--mount=\S+|\. /locks/behind.sh &&", "", command)],
        tmp_path,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        SERVING=serving,
    )
    assert re.findall(r"/locks/(\w+)\.txt", said) == locks.split()
    made = run(["make", "--dry-run", "--always-make", f".venv/{serving}"], ROOT / PROJECT)
    assert re.findall(r"locks/(\w+)\.txt", made.partition("installing")[2].partition(">&2")[0]) == locks.split()


SETTINGS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_CERT", "SSL_CERT_FILE")


@pytest.mark.parametrize(
    ("secrets", "wanted"),
    [
        ({}, {}),
        ({"index": "", "authority": ""}, {}),
        (
            {"index": "https://user:word@index.example.org/simple\n"},
            dict.fromkeys(SETTINGS[:2], "https://user:word@index.example.org/simple"),
        ),
        ({"authority": "PEM"}, dict.fromkeys(SETTINGS[2:], "SECRETS/authority")),
    ],
)
def test_a_build_takes_an_index_and_certificates_from_its_secrets(
    secrets: dict[str, str], wanted: dict[str, str], tmp_path: Path
) -> None:
    """And installs nothing that does not look for them; a secret is mounted for one step, so no layer has it."""
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    script = (ROOT / PROJECT / "locks/behind.sh").read_text().replace("/run/secrets", str(tmp_path))
    shown = run(["sh", "-euc", f"unset {' '.join(SETTINGS)}\n{script}env"], tmp_path)
    found = dict(line.split("=", 1) for line in shown.splitlines() if line.split("=")[0] in SETTINGS)
    assert found == {name: value.replace("SECRETS", str(tmp_path)) for name, value in wanted.items()}


def test_every_step_that_installs_packages_looks_for_them_in_the_secrets() -> None:
    text = (ROOT / PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line for line in text.splitlines() if re.search(r"\bpip (install|sync)\b", line)]
    assert len(steps) == 3
    for step in steps:
        assert "--mount=type=secret,id=index --mount=type=secret,id=authority " in step
        assert re.search(r" \. /locks/behind.sh && (uv )?pip ", step)
    build = [one for one in text.splitlines() if one.startswith(("ARG", "ENV"))]
    assert not [one for one in build if re.search("INDEX|CERT", one)]  # which would be in the image
