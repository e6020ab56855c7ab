"""The environments' names are defined once, in the configuration's `promote.order`; all copies agree with it."""

import re
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT

TEMPLATE = ROOT / PROJECT
CONFIGURATIONS = [TEMPLATE / "config.yaml", *sorted((TEMPLATE / "tasks").glob("*.yaml"))]
ORDER = yaml.safe_load(CONFIGURATIONS[0].read_text())["promote"]["order"]
ALTERNATIVES = re.compile(r"\(([a-z]+(?:\|[a-z]+)+)\)")


def options(workflow: str) -> Any:
    document = yaml.load((TEMPLATE / f".github/workflows/{workflow}.yaml").read_text(), yaml.BaseLoader)  # noqa: S506
    return document["on"]["workflow_dispatch"]["inputs"]["environment"]["options"]


def test_every_task_has_the_same_and_an_overlay_for_each() -> None:
    assert len(ORDER) == 3
    assert [yaml.safe_load(path.read_text())["promote"]["order"] for path in CONFIGURATIONS] == [ORDER] * 3
    assert {path.name for path in (TEMPLATE / "manifests/overlays").iterdir()} == set(ORDER)


def test_the_workflows_offer_them() -> None:
    assert options("promote") == ORDER[:-1]
    assert options("rollback") == ORDER[::-1]


@pytest.mark.parametrize(
    ("name", "count"),
    [("monitoring/serving.yaml", 5), ("monitoring/performance.yaml", 3), ("policy/namespaces.yaml", 1)],
)
def test_the_platforms_expressions_name_them(name: str, count: int) -> None:
    found = ALTERNATIVES.findall((ROOT / "manifests" / name).read_text())
    assert found == ["|".join(ORDER)] * count


def test_the_platforms_project_has_a_destination_for_each() -> None:
    text = (ROOT / "manifests/models/project.yaml").read_text()
    assert re.findall(r'kind: Namespace, name: "\*-([a-z]+)"', text) == ORDER
    text = (ROOT / "manifests/models/clusters/project.yaml").read_text()
    assert re.findall(r'namespace: "\*-([a-z]+)"', text) == ORDER
    text = (ROOT / "manifests/models/repository/project.yaml").read_text()
    assert re.findall(r"\{server: ([a-z]+), namespace: x-[a-z]+\}", text) == ORDER
    assert re.findall(r"namespace: x-([a-z]+)", text) == ORDER


def test_a_repository_is_looked_into_for_each() -> None:
    text = (ROOT / "manifests/models/repositories.yaml").read_text()
    assert re.findall(r"manifests/overlays/([a-z]+)", text) == ORDER
    for name in ("applications", "clusters/applications", "namespaces"):
        text = (ROOT / f"manifests/models/repository/{name}.yaml").read_text()
        assert re.findall(r"(?m)^  name: x-([a-z]+)", text) == ORDER


def test_each_overlay_names_itself() -> None:
    for environment in ORDER:
        texts = [path.read_text() for path in (TEMPLATE / "manifests/overlays" / environment).glob("*.yaml")]
        named = {word for text in texts for word in re.findall(r"slug >>-([a-z]+)", text)}
        assert named == {environment}
