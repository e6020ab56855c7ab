"""The cluster of one's own: what it says where it cannot be made, and that what it plays names what is there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, ROOT, run

TOOLS = ("awk", "bash", "cat", "dirname", "git", "grep", "sed", "tr")


def cluster(folder: Path, verb: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/cluster where nothing is installed but a few tools and the programs that are given."""
    (folder / "bin").mkdir()
    for name in set(TOOLS) - set(programs):  # a link that is written to would change the machine
        found = shutil.which(name)
        assert found
        (folder / "bin" / name).symlink_to(found)
    for name, script in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    command = [str(ROOT / "scripts/cluster"), verb]
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_what_the_machine_lacks_is_said_at_once_in_one_sentence_each(tmp_path: Path) -> None:
    done = cluster(tmp_path, "up", awk="echo 4000000")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "cluster: docker is not installed; install it, then try again.",
        "cluster: kind is not installed; install it, then try again.",
        "cluster: This machine has 4 GB of memory, the cluster needs 8; close other programs or use a larger one.",
    ]


@pytest.mark.parametrize("verb", ["up", "down", "status"])
def test_docker_that_does_not_answer_is_said(verb: str, tmp_path: Path) -> None:
    done = cluster(tmp_path, verb, docker="exit 1", kind="exit 1", awk="echo 16000000")
    assert done.returncode == 1
    assert done.stderr == "cluster: Docker does not answer; start it, and see that you may use it.\n"


def test_another_word_shows_the_usage(tmp_path: Path) -> None:
    done = cluster(tmp_path, "start")
    assert (done.returncode, done.stderr) == (2, "usage: scripts/cluster up | down | status\n")


def test_the_life_on_a_cluster_uses_verbs_and_names_that_there_are() -> None:
    text = (ROOT / "scripts/e2e").read_text()
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / PROJECT / "Makefile").read_text(), flags=re.M))
    used = {word for line in re.findall(r"^\s*verb ([a-z ]+)", text, flags=re.M) for word in line.split()}
    assert used == {"data", "train", "evaluate", "gate", "report", "release", "promote", "rollback"}
    assert used <= verbs
    base = ROOT / PROJECT / "manifests/base"
    assert "name: monitor" in (base / "monitor.yaml").read_text()
    assert "cronjob/monitor" in text
    assert "ReadWriteMany" in (base.parent / "namespace/predictions.yaml").read_text()
    assert text.index("ReadWriteMany") < text.index("do application")  # a claim cannot be changed once it is there
    assert "max_iter: 60" in (ROOT / PROJECT / "config.yaml").read_text()
    settings = yaml.safe_load((ROOT / "manifests/models/repositories.yaml").read_text())["spec"]["template"]["spec"]
    assert f"project: {settings['project']}" in text


def test_the_cluster_changes_what_the_platform_has(tmp_path: Path) -> None:
    texts = [path.read_text() for path in (ROOT / "manifests").rglob("*.yaml")]
    assert any("https://github.com/acme" in text for text in texts)
    assert not any("github.com/acme" in text.replace("https://github.com/acme", "") for text in texts)
    script = (ROOT / "scripts/cluster").read_text()
    assert "s#https://github.com/acme#$address#" in script
    assert re.search(r"path: manifests/mlflow$", (ROOT / "manifests/applications/mlflow.yaml").read_text(), flags=re.M)
    assert (ROOT / "manifests/mlflow/embedded/kustomization.yaml").is_file()
    assert r"s#ghcr\[.\]io/acme/#localhost:$REGISTRY/acme/#" in script
    assert "ghcr[.]io/acme/" in (ROOT / "manifests/policy/images.yaml").read_text()
    assert "  - repositories.yaml\n" in (ROOT / "manifests/models/kustomization.yaml").read_text()
    shutil.copytree(ROOT / "manifests/gateway", tmp_path / "gateway")
    with (tmp_path / "gateway/kustomization.yaml").open("a") as file:
        file.write("components: [node]\n")
    rendered = run(["kubectl", "kustomize", str(tmp_path / "gateway")], tmp_path)
    assert "type: NodePort" in rendered
    assert "name: node\n    namespace: gateway" in rendered
