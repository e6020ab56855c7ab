"""What a release's component means, whichever version of the code wrote it."""

import json

import pytest
import yaml
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, beside, promoted

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.releasing import audit, component, release
from lifecycle.releasing.component import Placed

# As the first version of the template wrote it, in which the images' commands were those of manifests/base.
FIRST = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels:
- pairs:
    app.kubernetes.io/version: 2020.02.01-aaaaaaa
  includeTemplates: true
resources:
- ../../../base
images:
- name: serve
  newName: ghcr.io/acme/tiny-serve
  digest: sha256:SERVE
- name: monitor
  newName: ghcr.io/acme/tiny-monitor
  digest: sha256:MONITOR
""".replace("SERVE", "a" * 64).replace("MONITOR", "b" * 64)


def released(decision: record.Decision) -> record.Decision:
    return decision.model_copy(update={"images": record.Images(**IMAGES)})


def test_a_release_of_the_first_version_is_read_and_keeps_its_commands(
    decision: record.Decision, repository: Git
) -> None:
    assert component.read(FIRST, released(decision), None) == Placed(commands=0)
    assert component.text(released(decision), placed=Placed(commands=0)) == FIRST
    promoted(decision, repository)
    path = OVERLAYS / "production/release/kustomization.yaml"
    path.write_text(FIRST)
    assert audit.run(SETTINGS, "", TODAY) == "3 environments, none changed"


def test_the_way_in_which_a_component_is_written_does_not_matter(decision: record.Decision) -> None:
    text = component.text(released(decision))
    document = yaml.safe_load(text)
    for patch in document["patches"]:
        patch["patch"] = yaml.safe_dump(json.loads(patch["patch"]))
    again = "# by another version\n" + yaml.safe_dump(dict(reversed(document.items())))
    assert component.read(again, released(decision), None) == Placed()


@pytest.mark.parametrize("commands", range(len(component.COMMANDS)))
@pytest.mark.parametrize("own", range(len(component.COMMANDS)))
def test_how_a_release_stands_is_what_was_written(commands: int, own: int, decision: record.Decision) -> None:
    present = released(decision)
    other = present.model_copy(update={"built": "2020.02.02-bbbbbbb"})
    for placed in (Placed(commands, own, 1), Placed(commands, own, 99)):
        assert component.read(component.text(present, other, placed), present, other) == placed


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["images"][0].update(digest=f"sha256:{'f' * 64}"),
        lambda d: d["images"][0].update(newName="ghcr.io/evil/serve"),
        lambda d: d["images"].append({"name": "busybox", "newTag": "1"}),
        lambda d: d["resources"].append("../../../../elsewhere"),
        lambda d: d["labels"][0]["pairs"].update({"app.kubernetes.io/version": "2020.02.09-fffffff"}),
        lambda d: d.update(namespace="other-production"),
        lambda d: d.update(components=["../../../components/canary"]),
        lambda d: d["patches"].pop(),
        lambda d: d["patches"].append({"target": {"kind": "Job"}, "patch": "[]"}),
        lambda d: d["patches"][0].update(patch=d["patches"][0]["patch"].replace("smoke", "shell", 1)),
        lambda d: d["patches"][0].update(patch=d["patches"][0]["patch"].replace('"python"', '"sh"', 1)),
        lambda d: d["patches"][1].update(patch="not: [yaml"),
        lambda d: d.update(patches="none"),
        lambda d: d.clear(),
    ],
)
def test_a_component_that_means_anything_else_is_refused(change, decision: record.Decision) -> None:  # type: ignore[no-untyped-def]
    document = yaml.safe_load(component.text(released(decision)))
    change(document)
    assert component.read(yaml.safe_dump(document), released(decision), None) is None


def test_a_component_that_is_no_document_is_refused(decision: record.Decision) -> None:
    for content in ("", "a: [", "- a\n", "text"):
        assert component.read(content, released(decision), None) is None
    for content in ("{}", "patches: []"):
        assert component.read(content, decision, None) is None


def test_a_duplicate_key_is_refused_wherever_it_is(decision: record.Decision) -> None:
    """Kustomize takes the first of two keys in a patch, and Python's parsers the last."""
    text = component.text(released(decision))
    twice = text.replace(
        '{"apiVersion": "batch/v1", "kind": "Job"',
        '{"spec": {"suspend": true}, "apiVersion": "batch/v1", "kind": "Job"',
    )
    assert twice != text
    assert component.read(twice, released(decision), None) is None
    assert component.read(f"{text}kind: Component\n", released(decision), None) is None


def test_a_release_without_its_component_is_not_promoted(decision: record.Decision, repository: Git) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    (OVERLAYS / "dev/release/kustomization.yaml").write_text("kind: Component\n")
    with pytest.raises(InputError, match="does not match the record beside it; restore both from git"):
        component.load(OVERLAYS / "dev/release")


def test_a_candidate_that_is_promoted_keeps_its_own_commands(decision: record.Decision, repository: Git) -> None:
    """A release of the first version runs in production, and one of today is tried beside it."""
    beside(decision, repository)
    target = OVERLAYS / "production/release"
    assert component.load(target) == Placed(share=10)
    patches = yaml.safe_load((target / "kustomization.yaml").read_text())["patches"]
    containers = json.loads(patches[0]["patch"])["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in containers] == ["smoke", "canary"]
