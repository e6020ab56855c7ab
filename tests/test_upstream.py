"""Schemas that a folder does not have are fetched, at the version that `manifests/` pins and by their hash."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import upstream
import yaml
from schemas import definition, faults

KIND = "AppProject"
SCHEMA = {"type": "object", "properties": {"description": {"type": "string", "description": "What it is for"}}}
HASH = "e3bcfd0b1b629732cb3b1972f23ab47b76371702b9c73c62316715d52fa6f39a"
Place = Callable[..., Path]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Write a kind's definition as its maker has it; its folder is empty, and so is what was fetched before."""
    monkeypatch.setattr(upstream, "SCHEMAS", tmp_path / "folder")
    monkeypatch.setattr(upstream, "FETCHED", tmp_path / "fetched")
    monkeypatch.setattr(upstream, "found", upstream.found.__wrapped__)
    monkeypatch.setitem(upstream.HASHES, KIND, HASH)
    maker = tmp_path / "maker.yaml"
    monkeypatch.setattr(upstream, "names", lambda _: ("project.yaml", maker.as_uri()))

    def write(schema: object = SCHEMA) -> Path:
        versions = [{"storage": False}, {"storage": True, "schema": {"openAPIV3Schema": schema}}]
        maker.write_text("{{- if .Values.crd }}\n" + yaml.safe_dump({"spec": {"versions": versions}}) + "{{- end }}\n")
        return maker

    return write


def test_a_schema_is_fetched_once(place: Place, tmp_path: Path) -> None:
    maker = place()
    assert upstream.schema(KIND)["properties"] == {"description": {"type": "string"}}
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == ["project.yaml"]
    maker.unlink()
    assert upstream.schema(KIND)["properties"] == {"description": {"type": "string"}}


def test_another_schema_than_the_pinned_one_is_refused(place: Place, tmp_path: Path) -> None:
    place({"type": "object"})
    with pytest.raises(AssertionError, match=r"maker.yaml is not the pinned version's: its hash is \w+, not"):
        upstream.schema(KIND)
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize(("where", "raised"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
@pytest.mark.usefixtures("place")
def test_without_a_network_a_test_is_skipped_and_fails_on_github(
    where: str, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", where)
    with pytest.raises(raised, match=r"project.yaml is not in .*: name its folder as SCHEMAS"):
        upstream.schema(KIND)


@pytest.mark.parametrize("kind", upstream.HASHES)
def test_a_schema_is_that_of_the_version_in_the_manifests(kind: str) -> None:
    _, url = upstream.names(kind)
    assert re.match(
        r"https://raw.githubusercontent.com/(argoproj/argo-cd/[0-9a-f]{40}|SeldonIO/seldon-core/v[0-9.]+)/", url
    )
    assert faults({"spec": {"unknown": 1}}, definition(kind))
