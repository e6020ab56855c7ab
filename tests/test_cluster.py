"""The local cluster: its messages when it cannot be created, and that its script names objects that exist."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, ROOT, SMALL, run
from faults import __main__ as faults
from faults import repository, stands, table, trial
from faults.cluster import Cluster
from faults.stage import Stage

TOOLS = ("bash", "cat", "cp", "dirname", "git", "grep", "mkdir", "mv", "rm", "sed", "tail", "tr", "wc")
DOCKER = '[ "$1 $#" != "info 3" ] || echo 4 16000000000'


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The scripts in a separate folder, so that a developer's own cluster is untouched."""
    (tmp_path / "here/scripts").mkdir(parents=True)
    for name in ("cluster", "environment"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "here/scripts" / name)
    written(tmp_path / "here/scripts/install", "true")
    return tmp_path / "here/scripts"


def written(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def cluster(scripts: Path, *words: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/cluster with a PATH of a few tools and the given programs."""
    folder = scripts.parent / "bin"
    folder.mkdir()
    for name in set(TOOLS) - set(programs):  # writing through a link would change the machine
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    for name, script in programs.items():
        written(folder / name, script)
    environment = {"PATH": str(folder), "HOME": str(scripts.parent)}
    command = [str(scripts / "cluster"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_what_the_machine_lacks_is_said_at_once_in_one_sentence_each(scripts: Path) -> None:
    done = cluster(scripts, "up")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "cluster: docker is not installed; install it, then try again.",
        "cluster: kind is not installed; install it, then try again.",
    ]


@pytest.mark.parametrize("architecture", ["aarch64", "arm64"])
def test_a_processor_that_seldon_has_no_images_for_is_said(architecture: str, scripts: Path) -> None:
    done = cluster(scripts, "up", docker=DOCKER.replace("16000000000", f"16000000000 {architecture}"), kind="exit 1")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Docker runs on {architecture} and Seldon's images are for amd64 only" in done.stderr


def test_podman_is_answered_with_a_sentence(scripts: Path) -> None:
    done = cluster(scripts, "up", docker="echo podman version 5.7.0", kind="exit 1")
    assert done.returncode == 1
    assert done.stderr == (
        "cluster: docker is Podman, which gives registry and git server no names in kind's network that were tried; "
        "use Docker.\n"
    )


def test_a_cluster_that_an_interrupted_run_left_is_made_anew(scripts: Path) -> None:
    """The registry's container fails here, which ends the run."""
    kind = """echo "$*" >>"$HOME/kind"
case "$1 $2" in
  "get clusters") [ -e "$HOME/deleted" ] || echo models ;;
  "delete cluster") touch "$HOME/deleted" ;;
esac"""
    programs = {
        "docker": f'{DOCKER}; [ "$1" != inspect ]; [ "$1" != run ]',
        "kubectl": "exit 1",
        "touch": "exec /bin/touch $*",
    }
    done = cluster(scripts, "up", kind=kind, **programs)
    assert "the cluster of an earlier run does not answer; making it anew" in done.stdout
    asked = (scripts.parent / "kind").read_text()
    assert asked.index("delete cluster --name models") < asked.index(
        "create cluster --name models --image kindest/node"
    )


def test_a_machine_that_is_too_small_is_said_before_anything_is_made(scripts: Path) -> None:
    done = cluster(scripts, "up", docker=DOCKER.replace("4 16", "2 4"), kind="exit 1")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "cluster: Docker has 4 GB of memory and the cluster needs 8; give Docker more, or use a larger machine.",
        "cluster: Docker has 2 processors and the cluster needs 4; give Docker more, or use a larger machine.",
    ]


@pytest.mark.parametrize("verb", ["up", "down", "status"])
def test_docker_that_does_not_answer_is_said(verb: str, scripts: Path) -> None:
    done = cluster(scripts, verb, docker="exit 1", kind="exit 1")
    assert done.returncode == 1
    assert done.stderr == "cluster: Docker does not answer; start it, and check that you have permission to use it.\n"


def test_a_cluster_that_is_not_there_has_no_status(scripts: Path) -> None:
    done = cluster(scripts, "status", docker="true", kind="true", kubectl="echo refused; exit 1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "cluster: There is no cluster models; create it with scripts/cluster up.\n"


def test_a_step_that_fails_shows_how_far_it_came(scripts: Path) -> None:
    refuses = f'{DOCKER}; [ "$1" != inspect ] || exit 1; [ "$1" != run ] || {{ echo "no such image" >&2; exit 125; }}'
    done = cluster(scripts, "up", docker=refuses, kind="true", kubectl='echo "what $2 are there"')
    assert done.returncode == 125
    first, second, *rest = done.stderr.splitlines()
    assert first == "no such image"
    assert second.startswith("cluster: The cluster is not up. Fix what is listed below")
    assert {"what applications are there", "what pods are there", "what events are there"} <= set(rest)


def test_up_waits_until_argo_cd_has_looked_at_git_again(scripts: Path) -> None:
    """At first, `Synced Healthy` still describes the previous commit."""
    answers = """case "$*" in
  *custom-columns*refresh*)
    echo >>"$HOME/looks"
    case $(wc -l <"$HOME/looks") in
      1) echo "argocd Synced Healthy normal" ;;
      2) echo "argocd OutOfSync Healthy <none>" ;;
      3) echo "argocd Synced Progressing <none>" ;;
      *) echo "argocd Synced Healthy <none>" ;;
    esac ;;
  "annotate "*) echo "$*" >>"$HOME/asked" ;;
  "get applications "*) echo argocd ;;
  "create "*) echo "made" ;;
  "apply --filename -") cat >/dev/null ;;
esac"""
    docker = f'echo "$*" >>"$HOME/docker"; {DOCKER}; [ "$1" != inspect ]'
    shutil.copytree(ROOT / "manifests", scripts.parent / "manifests")
    done = cluster(scripts, "up", docker=docker, kind="true", kubectl=answers, sleep="true")
    assert done.returncode == 0, done.stderr
    assert (scripts.parent / "looks").read_text() == "\n" * 4
    assert "applications --all argocd.argoproj.io/refresh=normal" in (scripts.parent / "asked").read_text()
    assert done.stdout.splitlines()[-1].startswith("cluster: ready: export KUBECONFIG=")
    published = ["git", "show", "main:manifests/policy/images.yaml"]
    assert "localhost:5001/acme/" in run(published, scripts.parent / ".tools/cluster/git/platform.git")
    (server,) = [line for line in (scripts.parent / "docker").read_text().splitlines() if "daemon" in line]
    kustomization = yaml.safe_load((ROOT / "manifests/argocd/kustomization.yaml").read_text())
    (digest,) = [one["digest"] for one in kustomization["images"] if one["name"].endswith("/argocd")]
    assert f"--volume {scripts.parent}/.tools/cluster/git:/git:ro,z" in server
    assert f"quay.io/argoproj/argocd@{digest} -c safe.directory=* daemon" in server


@pytest.mark.skipif(
    shutil.which("git-daemon", path=run(["git", "--exec-path"], ROOT).strip()) is None, reason="no git daemon"
)
def test_the_server_of_git_answers_as_the_platform_is_told(scripts: Path) -> None:
    """The same arguments for this machine's git; as root, with a folder of another user."""
    arguments = re.search(r"(?<=argocd@\$digest\" ).*daemon.*(?= >/dev/null)", (scripts / "cluster").read_text())
    assert arguments
    folder = scripts.parent / "git"
    run(["git", "init", "--quiet", "--bare", str(folder / "platform.git")], scripts)
    run(["git", "init", "--quiet", str(folder.parent / "work")], scripts)
    run(["git", "commit", "--quiet", "--allow-empty", "--message", "x"], folder.parent / "work")
    run(["git", "push", "--quiet", str(folder / "platform.git"), "HEAD:refs/heads/main"], folder.parent / "work")
    if os.geteuid() == 0:
        run(["chown", "-R", "12345", str(folder)], scripts)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = shlex.split(arguments[0].replace("/git", str(folder)))
    server = subprocess.Popen(["git", *given, "--listen=127.0.0.1", f"--port={port}"], start_new_session=True)
    try:
        url = f"git://127.0.0.1:{port}/platform"
        until = time.monotonic() + 10
        while subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert "refs/heads/main" in run(["git", "ls-remote", url], scripts)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.mark.parametrize(("words", "asked"), [(["check"], "kind-models mine"), (["check", "theirs"], "theirs none")])
def test_any_cluster_can_be_checked(words: list[str], asked: str, scripts: Path) -> None:
    """The local one by its own configuration, another by that of kubectl."""
    done = cluster(scripts, *words, python='echo "$2 $([ -z "$KUBECONFIG" ] && echo none || echo mine)"; exit 1')
    assert (done.returncode, done.stdout) == (1, f"{asked}\n")


def test_another_word_shows_the_usage(scripts: Path) -> None:
    done = cluster(scripts, "start")
    assert (done.returncode, done.stderr) == (2, "usage: scripts/cluster up | down | status | check [CONTEXT]\n")


# A cluster that follows git at once: its own git is a folder, and GitHub hears of each commit to production.
CLUSTER = {
    "docker": """case "$1 $2" in
  "image inspect")
    image=${*: -1}
    commit=$(git rev-parse HEAD)
    echo "${image%:*}@sha256:$(sha256sum <<<"$image $commit" | cut -c1-64)" ;;
esac""",
    "kubectl": """echo "$*" >>"$STATE/asked"
within() { git -C "$STATE/data/acme/my-model.git" "$@"; }
pods='{"items": [{"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}'
case "$*" in
  *" -- git init "*) git init --quiet --bare --initial-branch main "$STATE${*: -1}" ;;
  *" -- git-receive-pack "*) git-receive-pack "$STATE${*: -1}" ;;
  exec*) seq 999 | sed 's/.*/"&"/' | paste -sd, | sed 's/.*/[&]/' ;;
  "get application models "*) echo '{"spec": {"source": {"repoURL": "git://platform", "targetRevision": "main"}}}' ;;
  "get application "*)
    revision=$(within rev-parse main)
    echo '{"status": {"operationState": {"phase": "Succeeded", "syncResult": {"revision": "'"$revision"'"}},'
    echo '"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}}' ;;
  "get configmap "*) echo '{"data": {"service.github": "enterpriseBaseURL: http://hub.e2e"}}' ;;
  "get deployment monitoring-grafana "*) ;; # there is none
  "get deployment "*) echo '{"spec": {"template": {"spec": {"containers": [{"image": "registry/it:v1"}]}}}}' ;;
  "get pods "*) echo "$pods" ;;
  "get service "*) echo '{"items": [{"metadata": {"name": "envoy", "namespace": "gateways"}}]}' ;;
  *proxy/words*)
    word='tformat:{"at": %ct, "revision": "%H", "event": "verified", "environment": "production", "taken": true}'
    within log --format="$word" main -- manifests/overlays/production/release |
    paste -sd, | sed 's/.*/[&]/' ;;
  *proxy/calls*) seq "$(wc -l <"$STATE/asked")" | sed 's/.*/[0, 200, "&"]/' | paste -sd, | sed 's/.*/[&]/' ;;
  "apply "*) cat >>"$STATE/applied"; echo >>"$STATE/applied" ;;
  version*) echo '{"serverVersion": {"gitVersion": "v1"}}' ;;
esac""",
    "openssl": "echo key",
}


def test_the_life_on_a_cluster_is_played_to_its_end(
    checkout: Path, environments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a git identity; with the real verbs and git, and a fault that is a candidate that is dropped."""
    run([str(environments / "train/bin/python"), "-c", SMALL], checkout / PROJECT)
    (tmp_path / "bin").mkdir()
    for name, script in CLUSTER.items():
        written(tmp_path / "bin" / name, script)
    state = tmp_path / "cluster"
    state.mkdir()
    given = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "OMP_NUM_THREADS": "1",
        "STATE": str(state),
    }
    given |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "VENV": str(environments)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(trial, "QUIET", 0.0)
    monkeypatch.setattr(repository, "ROOT", checkout)
    stage = Stage(Cluster(), repository.Repository(Cluster(), tmp_path / "e2e", "localhost:5001"))
    (dropped,) = (fault for fault in table.FAULTS if fault.name == "dropped")
    assert faults.run(stage, [dropped], tmp_path / "page") == 0, (tmp_path / "page/e2e.json").read_text()
    published = ["git", "log", "--reverse", "--format=%s", "main"]
    assert run(published, state / "data/acme/my-model.git").splitlines() == [
        "Start from the template",
        "Release to dev",
        "Promote to staging",
        "Promote to production",
        "Train longer",
        "Release to dev",
        "Promote to staging",
        "Promote to 10% of production",
        "Roll production back",
    ]
    applied = [json.loads(line) for line in (state / "applied").read_text().splitlines() if line]
    kinds = {(part["kind"], part["metadata"]["name"]) for listed in applied for part in listed["items"]}
    assert kinds >= {("ApplicationSet", "e2e"), ("Pod", "git"), ("Pod", "hub"), ("Pod", "caller")}
    asked = (state / "asked").read_text()
    assert "create job --namespace my-model-dev --from cronjob/monitor" in asked


def test_the_cluster_changes_what_the_platform_has(tmp_path: Path) -> None:
    texts = [path.read_text() for path in (ROOT / "manifests").rglob("*.yaml")]
    assert any("https://github.com/acme" in text for text in texts)
    assert not any("github.com/acme" in text.replace("https://github.com/acme", "") for text in texts)
    script = (ROOT / "scripts/cluster").read_text()
    assert "s#https://github.com/acme#git://$NAME-git#" in script
    assert f"enterpriseBaseURL: {stands.HUB}" in script
    assert "  service.github: |\n" in (ROOT / "manifests/argocd/notifications.yaml").read_text()
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
