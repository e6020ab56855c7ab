"""The faults on a cluster, without one: their table, what is done for each, how they are judged, and their page."""

import json
import re
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo import generated, rendered
from conftest import PROJECT, ROOT, render
from faults import Failed, breakage, caller, dashboard, hub, life, page, releases, stands
from faults import __main__ as command
from faults.cluster import Cluster
from faults.fault import Fault, Outcome
from faults.repository import Repository
from faults.stage import SPACE, Stage
from faults.table import FAULTS
from faults.trial import tried
from folders import built, only
from test_docs import anchors

GOOD = Outcome(
    Fault("x", "y", lambda _: None, told=("verified",), soon=60),
    seconds=9,
    requests=90,
    told=("verified",),
    after=(60,),
)
DAY = {"type": "ErrorOccurred", "status": "True"}


class FakeCluster(Cluster):
    """Follows git at once: what is committed to production runs, or fails, and GitHub is told of it."""

    grafana, mode = False, "ReadWriteOnce"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.words: list[dict[str, Any]] = []
        self.away = self.fails = False
        self.number = self.round = 0
        self.nodes = ["a", "b"]

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        self.asked.append(" ".join(arguments))
        if arguments[0] == "exec" and "python" in arguments:
            return json.dumps([f"call-{number}" for number in range(self.number)])
        if arguments[:2] == ("get", "pods"):
            return "pod/one\npod/two\n"
        return json.dumps({"serverVersion": {"gitVersion": "v1.36.3"}})

    def found(self, *arguments: str) -> dict[str, Any]:
        self.round += 1
        about = {"name": f"pod-{self.round}"}  # a new one at each look, as in a rollout
        up: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}
        if "seldon-system" in arguments and "image.tag" in "".join(self.asked):
            up["containerStatuses"] = [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]
        told = {"data": {"service.github": f"enterpriseBaseURL: {stands.HUB}\n"}}
        source = {"repoURL": "git://platform", "targetRevision": "main"}
        known: dict[str, dict[str, Any]] = {
            "application": {"spec": {"source": source}},
            "applicationset": {"status": {"conditions": [DAY]}},
            "configmap": told,
            "deployment": {"spec": {"template": {"spec": {"containers": [{"image": "registry/argocd:v3@sha256:0"}]}}}},
            "hpa": {"items": [{"spec": {"minReplicas": 1}}]},
            "nodes": {"items": [{"metadata": {"name": name}, "spec": {"unschedulable": False}} for name in self.nodes]},
            "pods": {"items": [{"metadata": about, "spec": {"nodeName": "a"}, "status": up}]},
            "pvc": {"spec": {"accessModes": [self.mode]}},
            "service": {"items": [{"metadata": {"name": "envoy", "namespace": "gateways"}}]},
        }
        return {} if "monitoring-grafana" in arguments and not self.grafana else known.get(arguments[0], {})

    def served(self, name: str, path: str, body: Any = None) -> Any:
        if path == "away":
            self.away = body
            if not body:
                self.words.append(self.word("verified"))
        if path == "calls":
            self.number += 1
        if path == "refused":
            return int(self.away)
        return self.words if path == "words" else [[0.0, 200, f"call-{number}"] for number in range(self.number)]

    def word(self, event: str) -> dict[str, Any]:
        taken = not self.away
        return {"event": event, "environment": "production", "taken": taken, "at": 60.0, "revision": "head"}

    def pause(self, seconds: float) -> None:
        pass

    def until(self, what: str, seconds: float, holds: Callable[[], bool]) -> float:
        if not holds():
            raise Failed(f"{what} did not come.")
        return 0.0

    def application(self, name: str) -> dict[str, str]:
        phase = "Failed" if self.fails else "Succeeded"
        return {"revision": "head", "phase": phase, "sync": "Synced", "health": "Healthy", "message": ""}


class FakeRepository(Repository):
    """A repository's files without git, training or images; production's commits reach the cluster at once."""

    cluster: FakeCluster
    bad: tuple[str, ...] = ("does not exist", "damaged", "readiness", "another image")

    def bake(self) -> None:
        pass

    def run(self, *given: str, folder: Path | None = None) -> str:
        if "show" in given:
            return "0"
        if "rollback" in given or "promote" in given or "make" not in given[0]:
            return "head"
        return ""

    def head(self) -> str:
        return "head"

    def commit(self, message: str) -> None:
        self.cluster.fails = any(word in message for word in self.bad)
        if not re.search("dev|staging|Train", message):
            self.cluster.words.append(self.cluster.word("failed" if self.cluster.fails else "verified"))

    def publish(self) -> None:
        pass

    def revert(self) -> None:
        self.commit("Revert")

    def image(self, target: str) -> str:
        return f"registry/{target}@sha256:{'1' * 64}"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    copied = tmp_path / stands.MODEL
    shutil.copytree(ROOT / PROJECT / "manifests", copied / "manifests")
    shutil.copy(ROOT / PROJECT / "config.yaml", copied / "config.yaml")
    (copied / "build/model").mkdir(parents=True)
    (copied / "build/model/model.onnx").write_bytes(b"0123456789")
    (copied / "build/model/golden.json").write_text('{"rows": [{"x": 1}]}')
    release = "images:\n- name: serve\n  newName: a\n  digest: sha256:" + "1" * 64 + "\n"
    (copied / "manifests/overlays/production/release/kustomization.yaml").write_text(release)
    monkeypatch.setattr(breakage, "_registry", lambda verb: None)
    found = Stage(FakeCluster(), FakeRepository(FakeCluster(), tmp_path, "registry"))
    found.repository.cluster = found.cluster
    found.repository.keep(found.repository.image("serve"))
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_done_and_judged_as_its_table_says(fault: Fault, stage: Stage) -> None:
    assert isinstance(stage.cluster, FakeCluster)
    stage.cluster.mode = "ReadWriteMany" if fault.name == "moved" else "ReadWriteOnce"
    outcome = tried(fault, stage)
    assert (outcome.wrong(), outcome.untried) == ([], ""), outcome
    assert outcome.told == fault.told
    assert outcome.after == (60.0,) * len(fault.told)
    assert not fault.shows or fault.shows in outcome.showed


def synced(text: str) -> list[Any]:
    """The objects that Argo CD compares with the cluster; for a change in a hook alone it begins no sync."""
    found = yaml.safe_load_all(text)
    return [one for one in found if "argocd.argoproj.io/hook" not in one["metadata"].get("annotations", {})]


@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (releases.missing, f"image: ghcr.io/acme/my-model-serve@{releases.NONE}"),
        (releases.unready, "path: /nowhere"),
        (releases.different, f"value: other@{releases.NONE}"),
        (releases.engaged, "name: my-model-main\n      port: 8000"),
        (releases.changed, "memory: 513Mi"),
    ],
    ids=["missing", "unready", "different", "engaged", "changed"],
)
def test_a_commit_changes_what_production_gets(act: Any, wanted: str, stage: Stage, released: Path) -> None:
    stage.repository.path = released
    before = render(released, "production")
    assert wanted not in before
    act(stage)
    after = render(released, "production")
    assert wanted in after
    assert synced(before) != synced(after)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_a_person_does_stands_in_the_docs(fault: Fault) -> None:
    name, _, anchor = fault.runbook.partition("#")
    folder = ROOT if name.startswith("manifests/") else ROOT / PROJECT / "docs"
    assert anchor in anchors((folder / name).read_text())


def test_the_faults_have_names_of_their_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"failed": 3}, "3 of 90 requests failed."),
        ({"lost": 2}, "2 answered requests are not in the log."),
        ({"requests": 0}, "No request was sent."),
        ({"told": ()}, "GitHub was told nothing, not verified."),
        ({"after": (61.0,)}, "GitHub was told after 61 s, not 60 s at most."),
        ({"told": ("verified", "verified"), "after": (9.0, 9.0)}, "GitHub was told verified, verified, not verified."),
        ({"seconds": 901.0}, "It took 901 s, not 900 s at most."),
        ({"problem": "Pods did not come."}, "Pods did not come."),
    ],
)
def test_an_expectation_that_is_not_met_makes_the_row_red_and_the_exit_code_1(
    changed: dict[str, Any], said: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GOOD.wrong() == []
    monkeypatch.setattr(life, "play", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: "there")
    for seen, code, row in ((GOOD, 0, "good"), (replace(GOOD, **changed), 1, "bad")):
        monkeypatch.setattr(command, "tried", lambda *_, seen=seen: seen)
        assert command.run(stage, [GOOD.fault], tmp_path / "page") == code
        found = json.loads((tmp_path / "page/e2e.json").read_text())
        assert found["good"] == (code == 0)
        assert found["faults"][0]["wrong"] == [said] * code
        assert f'<tr class="{row}">' in (tmp_path / "page/index.html").read_text()


def test_what_is_allowed_to_fail_is_said_and_is_not_red() -> None:
    fault = replace(GOOD.fault, fails="no pod is there", loses="the volume had them")
    outcome = replace(GOOD, fault=fault, failed=5, lost=5)
    assert outcome.wrong() == []
    (row,) = page.document([outcome], {})["faults"]
    assert (row["failed"], row["may_fail"], row["may_lose"]) == (5, "no pod is there", "the volume had them")


def test_the_json_has_every_column_of_every_fault(stage: Stage, tmp_path: Path) -> None:
    page.write(
        tmp_path,
        page.document([replace(GOOD, fault=one, told=one.told, after=(9.0,) * 3) for one in FAULTS], stage.versions()),
    )
    found = json.loads((tmp_path / "e2e.json").read_text())
    assert [row["name"] for row in found["faults"]] == [fault.name for fault in FAULTS]
    wanted = {
        "name",
        "done",
        "good",
        "wrong",
        "untried",
        "seconds",
        "requests",
        "failed",
        "may_fail",
        "lost",
        "may_lose",
    }
    assert all(set(row) == wanted | {"showed", "told", "after", "does", "runbook"} for row in found["faults"])
    assert found["versions"] == {"Kubernetes": "v1.36.3", "Argo CD": "v3", "Seldon's operator": "v3"}
    shown = (tmp_path / "index.html").read_text()
    assert all(row["runbook"] in shown and row["name"] in shown for row in found["faults"])


@pytest.mark.parametrize(
    ("name", "nodes", "mode", "why"),
    [
        ("drained", ["a"], "ReadWriteMany", "Several nodes can write the log's volume."),
        ("moved", ["a"], "ReadWriteMany", "The cluster has one node."),
        (
            "moved",
            ["a", "b"],
            "ReadWriteOnce",
            "The log's volume belongs to one node; SHARED= names a StorageClass of several.",
        ),
    ],
)
def test_a_fault_that_this_cluster_cannot_show_is_not_tried_and_says_why(
    name: str, nodes: list[str], mode: str, why: str, stage: Stage
) -> None:
    assert isinstance(stage.cluster, FakeCluster)
    stage.cluster.nodes, stage.cluster.mode = nodes, mode
    (fault,) = (one for one in FAULTS if one.name == name)
    outcome = tried(fault, stage)
    assert (outcome.wrong(), outcome.untried) == ([], why)


def test_logs_on_shared_volumes_have_their_storage_class_in_every_environment(stage: Stage, released: Path) -> None:
    stage.repository.path = released
    stage.repository.share("files")
    for environment in ("dev", "staging", "production"):
        (claim,) = (
            one
            for one in yaml.safe_load_all(render(released, environment))
            if one["kind"] == "PersistentVolumeClaim" and one["metadata"]["name"] == "predictions"
        )
        assert (claim["spec"]["accessModes"], claim["spec"]["storageClassName"]) == (["ReadWriteMany"], "files")


def test_what_a_person_does_is_done_after_a_surprise_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(_: Stage) -> None:
        raise Failed("Nothing came.")

    (fault,) = (one for one in FAULTS if one.name == "github")
    outcome = tried(replace(fault, act=surprise), stage)
    assert outcome.wrong() == ["Nothing came."]
    assert isinstance(stage.cluster, FakeCluster)
    assert stage.cluster.away is False


def test_a_cluster_that_tells_the_real_github_is_left_alone(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "there")
    monkeypatch.setattr("faults.stage.HUB", "http://another")
    assert command.run(stage, FAULTS, tmp_path) == 1
    assert "take a cluster for trials" in capsys.readouterr().err
    found = json.loads((tmp_path / "e2e.json").read_text())
    assert not found["good"]
    assert found["problem"].startswith("Argo CD of this cluster does not tell http://another")
    assert len(found["faults"]) == len(FAULTS)
    assert isinstance(stage.cluster, FakeCluster)
    assert stage.cluster.asked == []


@pytest.mark.parametrize("part", ["application", "deployment", "service"])
def test_a_platform_that_is_not_up_yet_is_said_on_the_page(
    part: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "there")
    found = stage.cluster.found
    monkeypatch.setattr(stage.cluster, "found", lambda *asked: {"items": []} if asked[0] == part else found(*asked))
    assert command.run(stage, FAULTS, tmp_path) == 1
    problem = json.loads((tmp_path / "e2e.json").read_text())["problem"]
    assert problem.startswith(f"`kubectl get {part}")
    assert problem.endswith("finds nothing; wait until the platform is up, then try again.")


def test_a_mistake_of_its_own_keeps_no_other_fault_from_the_page(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mistaken(fault: Fault, _: Stage) -> Outcome:
        if fault.name == "claim":
            raise KeyError("items")
        return Outcome(fault, seconds=9, requests=90, told=fault.told, after=(9.0,) * len(fault.told))

    monkeypatch.setattr(life, "play", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: "there")
    monkeypatch.setattr(command, "tried", mistaken)
    assert command.run(stage, FAULTS, tmp_path) == 1
    rows = json.loads((tmp_path / "e2e.json").read_text())["faults"]
    assert {row["name"]: row["wrong"][:1] for row in rows if row["wrong"]} == {"claim": ["KeyError('items')"]}
    assert "Traceback" in capsys.readouterr().err


def test_an_unknown_fault_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["rain"]) == 2
    assert capsys.readouterr().err.startswith("e2e: unknown faults: rain; known: canary, ")


def test_the_model_is_found_by_the_platforms_own_applicationset() -> None:
    """With a list in place of GitHub's answer; and it may run the executor, whose pods do not meet `restricted`."""
    made = stands.models("https://github.com/acme/platform", "main", "https://github.com/acme/my-model.git")
    original = only(built("models"), "ApplicationSet")
    assert made["spec"] | {"generators": 0, "template": 0} == original["spec"] | {"generators": 0, "template": 0}
    application = generated([made], "my-model")
    assert (
        only(rendered(application), "Namespace", SPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "baseline"
    )
    assert yaml.safe_dump(application).replace("baseline", "restricted") == yaml.safe_dump(
        generated([original], "my-model")
    )


def test_what_stands_beside_the_platform_may_run_anywhere() -> None:
    parts = [*stands.git("x"), *stands.hub("x"), *stands.caller("x", "http://y", {"a": 1})]
    assert {part["kind"] for part in parts} == {"ConfigMap", "Pod", "Service"}
    for pod in (part["spec"] for part in parts if part["kind"] == "Pod"):
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]


def asked(url: str, body: Any = None) -> tuple[int, Any]:
    """The answer to a call; a body is sent in chunks, as `kubectl create --raw` sends one."""
    sent = None if body is None else iter([json.dumps(body).encode()])
    try:
        with urllib.request.urlopen(urllib.request.Request(url, sent), timeout=5) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_in_githubs_place_a_word_is_refused_while_github_is_away_and_then_taken() -> None:
    server = hub.serve("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    word = {"event_type": "verified", "client_payload": {"environment": "production"}}
    try:
        assert asked(f"{here}/app/installations/1/access_tokens", {})[0] == 201
        assert asked(f"{here}/api/v3/repos/acme/my-model/deployments?ref=x") == (200, [])
        assert asked(f"{here}/away", True) == (200, {"away": True})
        assert asked(f"{here}/refused") == (200, 0)
        assert asked(f"{here}/app/installations/1/access_tokens", {})[0] == 502  # so that no word comes
        assert asked(f"{here}/refused") == (200, 1)
        assert asked(f"{here}/api/v3/repos/acme/my-model/dispatches", word)[0] == 502
        assert asked(f"{here}/api/v3/repos/acme/my-model/deployments", {})[0] == 502
        assert asked(f"{here}/away", False) == (200, {"away": False})
        assert asked(f"{here}/api/v3/repos/acme/my-model/dispatches", word) == (204, None)
        told = [(one["repository"], one["event"], one["taken"]) for one in asked(f"{here}/words")[1]]
        assert told == [("acme/my-model", "verified", False), ("acme/my-model", "verified", True)]
    finally:
        server.shutdown()
        server.server_close()


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = body["jsonData"][0].get("refused")
        sent = json.dumps({"meta": {"puid": "another" if body["jsonData"][0].get("other") else body["meta"]["puid"]}})
        self.send_response(503 if refused else 200)
        self.end_headers()
        self.wfile.write(sent.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_call_counts_as_answered_only_by_its_own_answer() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    rows: list[dict[str, object]] = [{"x": 1}, {"refused": True}, {"other": True}]
    try:
        assert [caller.call(here, row, "one") for row in rows] == [200, 503, 0]
    finally:
        server.shutdown()
        server.server_close()
    assert caller.call(here, {"x": 1}, "one") == 0


class Grafana(FakeCluster):
    """Answers as Grafana's HTTP API does: /dashboards/uid, /datasources and /ds/query."""

    grafana = True

    def __init__(self, board: dict[str, Any], sources: list[Any], empty: str = "") -> None:
        super().__init__()
        self.answers, self.empty = {"dashboards/uid/models": {"dashboard": board}, "datasources": sources}, empty

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        path = arguments[arguments.index(dashboard.ASK) + 1]
        if path != "ds/query":
            return json.dumps(self.answers[path])
        assert given is not None
        (query,) = json.loads(given)["queries"]
        values = [[], []] if self.empty and self.empty in query["expr"] else [[1], [2]]
        assert query["datasource"] == {"uid": "p"}
        assert "$namespace" not in query["expr"]
        return json.dumps({"results": {"A": {"frames": [{"data": {"values": values}}]}}})


BOARD = json.loads(dashboard.FILE.read_text())
SOURCES = [{"type": "alertmanager", "uid": "a"}, {"type": "prometheus", "uid": "p"}]


@pytest.mark.parametrize(
    ("board", "sources", "empty", "said"),
    [
        (BOARD, SOURCES, "", []),
        (BOARD, SOURCES, "model_refusals_total", []),
        (BOARD, SOURCES, "model_log_free_bytes", ["The panel 'Free space for the prediction log' has no data."]),
        (BOARD, SOURCES[:1], "", ["Grafana has no Prometheus to ask."]),
        ({"panels": []}, SOURCES, "", ["Grafana has another dashboard than manifests/monitoring/models.json."]),
        ({}, SOURCES, "", ["Grafana cannot be asked: KeyError('panels')"]),
    ],
)
def test_grafana_has_the_dashboard_and_data_in_it(board: Any, sources: Any, empty: str, said: list[str]) -> None:
    seen = dashboard.seen(Grafana(board, sources, empty))
    assert (list(seen.wrong), seen.untried) == (said, "")
    assert page.document([GOOD], {}, seen)["good"] == (not said)


def test_panels_that_may_be_empty_are_panels() -> None:
    titles = {panel["title"] for panel in dashboard.serving(BOARD["panels"])}
    assert set(dashboard.EMPTY) < titles
    assert len(titles) == 9


def test_a_cluster_without_grafana_is_not_red() -> None:
    seen = dashboard.seen(FakeCluster())
    assert (seen.untried, seen.wrong) == ("The cluster has no Grafana.", ())


@pytest.mark.parametrize(("least", "settled"), [(1, True), (2, False)])
def test_production_has_settled_when_it_has_as_many_pods_as_it_asks_for(
    least: int, settled: bool, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stage.cluster.found
    scaled = {"items": [{"spec": {"minReplicas": least}}]}
    monkeypatch.setattr(stage.cluster, "found", lambda *asked: scaled if asked[0] == "hpa" else found(*asked))
    if settled:
        stage.settles()
    else:
        with pytest.raises(Failed, match="Synced Healthy"):
            stage.settles()
