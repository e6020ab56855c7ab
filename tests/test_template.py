"""Properties of the template's own files, unrendered."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from bake import tracked
from conftest import PROJECT, ROOT

TEXTS = [name for name in tracked() if not name.endswith((".parquet", ".png", ".webp"))]


def test_the_root_holds_only_its_fixed_entries() -> None:
    entries = {name.split("/")[0] for name in tracked()}
    visible = {name for name in entries if not name.startswith(".")}
    assert visible == {"LICENSE", "README.md", PROJECT, "cookiecutter.json", "hooks", "manifests", "scripts", "tests"}
    assert ".github" in entries


def test_all_six_delimiters_are_set() -> None:
    settings = json.loads((ROOT / "cookiecutter.json").read_text())["_jinja2_env_vars"]
    assert settings == {
        "block_start_string": "<%",
        "block_end_string": "%>",
        "variable_start_string": "<<",
        "variable_end_string": ">>",
        "comment_start_string": "<#",
        "comment_end_string": "#>",
    }


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith(PROJECT) and not name.endswith(".min.js")])
def test_a_template_file_has_no_jinja_but_answers(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"<<(?! cookiecutter\.)|<[%#]|[%#]>", text) == []
    assert re.findall(r"(?<!\w)<<\s*['\"-]?[A-Z]", text) == []


def test_few_template_files_carry_answers() -> None:
    carrying = {
        name.removeprefix(f"{PROJECT}/")
        for name in TEXTS
        if name.startswith(PROJECT) and "<< cookiecutter." in (ROOT / name).read_text()
    }
    assert carrying == {
        ".cookiecutter.yaml",
        ".github/CODEOWNERS",
        ".github/workflows/promote.yaml",
        ".github/workflows/release.yaml",
        "README.md",
        "config.yaml",
        "manifests/base/model.yaml",
        "manifests/base/monitor.yaml",
        "manifests/base/route.yaml",
        "manifests/base/smoke.yaml",
        "manifests/components/canary/route.yaml",
        "manifests/components/canary/smoke.yaml",
        "manifests/components/executor/kustomization.yaml",
        "manifests/components/feedback/kustomization.yaml",
        "manifests/components/retraining/kustomization.yaml",
        "manifests/components/retraining/teller.yaml",
        "manifests/components/secrets/store.yaml",
        *(f"manifests/overlays/{name}/kustomization.yaml" for name in ("dev", "staging", "production")),
        "manifests/overlays/dev/monitor.yaml",
        "manifests/overlays/staging/monitor.yaml",
        "tasks/multiclass_classification.yaml",
        "tasks/regression.yaml",
    }


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_names_a_package_registry_or_a_place_on_one_machine(name: str) -> None:
    text = (ROOT / name).read_text()
    hosts = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "deb.debian" + ".org", "proxy.golang" + ".org"]
    assert [host for host in hosts if host in text] == []
    assert not re.search(r"(?<![\w.$}])/(root|home/\w+)/", text)


def test_the_configurations_of_the_tasks_differ_only_where_the_task_does() -> None:
    import yaml

    def flat(node: object, path: str = "") -> dict[str, object]:
        if isinstance(node, dict):
            return {key: value for name, part in node.items() for key, value in flat(part, f"{path}.{name}").items()}
        return {path: node}

    own = {".task", ".gates", ".monitor.metrics", ".monitor.alert.metrics", ".train.threshold"}
    own |= {".data.target.cuts", ".data.target.classes"}
    texts = [(ROOT / PROJECT / "config.yaml").read_text()]
    texts += [path.read_text() for path in sorted((ROOT / PROJECT / "tasks").glob("*.yaml"))]
    first, *others = (flat(yaml.safe_load(text)) for text in texts)
    assert len(others) == 2
    for other in others:
        assert {key for key in first.keys() | other.keys() if first.get(key) != other.get(key)} <= own


def test_outputs_and_environments_are_not_tracked() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "demo/index.html", ".tools/uv", f"{PROJECT}/.venv", f"{PROJECT}/build/x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 4


def test_no_one_but_the_team_and_the_tutorial_knows_the_example() -> None:
    """Else a repository with data of its own would speak of flights."""
    own = tuple(f"{PROJECT}/{name}" for name in ("config.yaml", "data/", "tasks/", "docs/own-data-and-model.md"))
    words = re.compile(
        r"(?<!in )\bflights?\b|flights|carrier|airport|departure|arrival|landing|arrives? late|\bon_time\b",
        re.IGNORECASE,
    )
    found = {
        name: sorted(set(words.findall(text)))
        for name in TEXTS
        if name.startswith((f"{PROJECT}/", "manifests/")) and not name.startswith(own)
        if words.search(text := (ROOT / name).read_text())
    }
    assert found == {}


def test_the_example_data_are_small(tmp_path: Path) -> None:
    assert (ROOT / PROJECT / "data/flights.parquet").stat().st_size <= 3_000_000


@pytest.mark.parametrize(
    "defect", yaml.safe_load((ROOT / "tests/breaks.yaml").read_text()), ids=lambda one: one["file"]
)
def test_a_defect_of_the_list_can_be_put_in(defect: dict[str, str]) -> None:
    """Else `scripts/breaks` would stop at it."""
    inside = ROOT / PROJECT / defect["file"]
    assert defect["old"] in (inside if inside.is_file() else ROOT / defect["file"]).read_text()
