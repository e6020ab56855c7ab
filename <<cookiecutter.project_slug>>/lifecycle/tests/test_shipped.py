import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import Trained

from lifecycle import InputError
from lifecycle import __main__ as command
from lifecycle.config import Promote
from lifecycle.documents import environments
from lifecycle.releasing import render, shipped
from lifecycle.reporting import watch

ORDER = Promote(order=("dev", "production"))
STORE = {
    "BUCKET": "acme",
    "PREFIX": "tiny/production",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "LABELS": "s3://acme/came",
}
SHIPPING = {
    "args": ["--predictions", "s3://$(BUCKET)/$(PREFIX)"],
    "envFrom": [{"configMapRef": {"name": "store-8h2"}}, {"secretRef": {"name": "store", "optional": True}}],
}


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests/overlays/production").mkdir(parents=True)
    for name in STORE:
        monkeypatch.delenv(name, raising=False)


def rendered(monkeypatch: pytest.MonkeyPatch, container: dict[str, Any], store: dict[str, str] = STORE) -> None:
    """Let production render to a monitor with these fields, and to the ConfigMap of the store."""
    spec = {"initContainers": [{"name": "monitor", **container}]}
    job = {"jobTemplate": {"spec": {"template": {"spec": spec}}}}
    documents = [
        {"kind": "ConfigMap", "metadata": {"name": "store-8h2"}, "data": store},
        {"kind": "CronJob", "metadata": {"name": "monitor"}, "spec": job},
    ]
    text = "---\n".join(map(yaml.safe_dump, documents))
    monkeypatch.setattr(render, "manifests", lambda _: text)


def test_the_monitor_by_hand_reads_what_the_one_in_the_cluster_reads(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered(monkeypatch, SHIPPING)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))
    asked: list[Any] = []
    monkeypatch.setattr(watch, "run", lambda *given: asked.append(given) or "seen")  # type: ignore[func-returns-value]
    own = ["monitor", "--model", str(binary.build / "model"), "--environment", "production"]
    assert command.main(own) == 0
    _, _, _, locations, labels, _, _, server = asked[0]
    assert (locations, labels, server) == (["s3://acme/tiny/production"], "s3://acme/came", None)


@pytest.mark.parametrize(
    ("container", "store", "sentence"),
    [
        ({}, STORE, "The log of production is on a volume of its cluster alone; run the monitor there"),
        (SHIPPING, {"BUCKET": "acme"}, "The overlay production lacks PREFIX; make the ConfigMap `store`"),
    ],
)
def test_a_log_that_cannot_be_read_from_here_is_told(
    container: dict[str, Any], store: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered(monkeypatch, container, store)
    with pytest.raises(InputError, match=sentence):
        shipped.log("production", "1", ORDER)


def test_the_model_is_the_one_that_the_environment_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered(monkeypatch, SHIPPING)

    class Release:
        class evaluation:  # noqa: N801 - a field of the record
            class origin:  # noqa: N801
                version = "2026.01.01-aaaaaaa"

    monkeypatch.setattr(environments, "current", lambda _: Release)
    with pytest.raises(InputError, match=r"production runs the model 2026\.01\.01-aaaaaaa, not 1; name its directory"):
        shipped.log("production", "1", ORDER)


def test_an_environment_without_a_release_or_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "manifests", lambda _: yaml.safe_dump({"kind": "PVC", "metadata": {"name": "a"}}))
    with pytest.raises(InputError, match="production has no release yet"):
        shipped.log("production", "1", ORDER)
    with pytest.raises(InputError, match="no environment 'prod'"):
        shipped.log("prod", "1", ORDER)
