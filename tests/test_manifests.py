"""A baked repository's rendered manifests, before and after a release."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, digests, render, run, unrendered
from pods import containers
from releases import ENVIRONMENTS, IMAGES, STORE, shared, switched_on, written

LOGGED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from lifecycle.serving import log
folder, now = Path(sys.argv[1]), datetime(2020, 1, 1, 23, 30, tzinfo=UTC)
for one in (log.predictions(folder, SimpleNamespace(version="2020.01.01-aaaaaaa"), 1), log.labels(folder, 1)):
    one.append(b"{}\\n", now)
    one.close()
"""


CONSTANTS = "from lifecycle.documents.log import POSITIONS; from lifecycle.serving.retention import SHIPPED; "


def constants() -> list[str]:
    """Where the service looks for what is shipped, and the variable that lets it."""
    python = str(unrendered("serve") / ".venv/serve/bin/python")
    return run([python, "-c", f"{CONSTANTS}print(POSITIONS, SHIPPED)"], ROOT / PROJECT).split()


@pytest.fixture
def repository(baked: Callable[[str], Path], tmp_path: Path) -> Path:
    shutil.copytree(baked("binary_classification"), tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def production(repository: Path) -> Path:
    """Production runs a release, written by the repository's own code."""
    (repository / "manifests/overlays/production/release/kustomization.yaml").write_text(written())
    return repository


@pytest.fixture
def shipped(production: Path) -> Path:
    return switched_on(production, "shipping")


def documents(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {document["kind"]: document for document in yaml.safe_load_all(text)}
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_before_its_first_release_an_overlay_holds_no_workload(environment: str, repository: Path) -> None:
    found = documents(render(repository, environment))
    assert set(found) == {"NetworkPolicy", "PersistentVolumeClaim"}
    assert found["NetworkPolicy"]["metadata"]["namespace"] == f"my-model-{environment}"


def test_the_prediction_log_is_kept_and_waits_for_its_first_pod(repository: Path) -> None:
    annotations = documents(render(repository, "production"))["PersistentVolumeClaim"]["metadata"]["annotations"]
    assert annotations == {
        "argocd.argoproj.io/sync-options": "Prune=false",
        "argocd.argoproj.io/ignore-healthcheck": "true",
    }


def test_a_release_runs_both_images_by_digest(production: Path) -> None:
    text = render(production, "production")
    assert set(digests(text)) == set(IMAGES.values())
    found = documents(text)
    kinds = {
        "BackendTrafficPolicy",
        "CronJob",
        "HTTPRoute",
        "HTTPRouteFilter",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "SeldonDeployment",
        "ServiceAccount",
    }
    assert set(found) == kinds
    predictor = found["SeldonDeployment"]["spec"]["predictors"][0]
    assert predictor["graph"]["name"] == predictor["componentSpecs"][0]["spec"]["containers"][0]["name"]
    assert predictor["labels"] == {"app.kubernetes.io/component": "serve"}
    assert found["SeldonDeployment"]["metadata"]["labels"] == {"app.kubernetes.io/version": "2020.01.01-aaaaaaa"}
    assert found["SeldonDeployment"]["metadata"]["name"] == "my-model"


def test_a_release_reaches_one_environment_only(production: Path) -> None:
    assert digests(render(production, "staging")) == []


def test_a_promotion_is_a_copy_that_renders_alike(production: Path) -> None:
    overlays = production / "manifests/overlays"
    shutil.rmtree(overlays / "staging/release")
    shutil.copytree(overlays / "production/release", overlays / "staging/release")
    assert digests(render(production, "staging")) == digests(render(production, "production"))


def test_overlays_are_short() -> None:
    """Without the files that machines write."""
    for environment in ENVIRONMENTS:
        files = (ROOT / PROJECT / "manifests/overlays" / environment).glob("*.yaml")
        assert sum(len(path.read_text().splitlines()) for path in files) <= 20


def test_the_platform_lets_models_come_from_one_organisation_only() -> None:
    found = documents(run(["kubectl", "kustomize", "manifests/models"], ROOT))
    template = found["ApplicationSet"]["spec"]["template"]["spec"]
    assert template["project"] == found["AppProject"]["metadata"]["name"] == "repositories"
    assert found["AppProject"]["spec"]["sourceRepos"] == [template["source"]["repoURL"]]
    assert found["ApplicationSet"]["spec"]["generators"][0]["scmProvider"]["github"]["organization"] == "acme"
    assert found["ApplicationSet"]["spec"]["goTemplateOptions"] == ["missingkey=error"]


def pod(document: dict[str, Any]) -> Any:
    """The pod specification of a SeldonDeployment, a Deployment or a CronJob."""
    if document["kind"] != "SeldonDeployment":
        return document["spec"].get("jobTemplate", document)["spec"]["template"]["spec"]
    return document["spec"]["predictors"][0]["componentSpecs"][0]["spec"]


def shipping(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shipper's container, and its configuration from the mounted ConfigMap."""
    by_name = {document["metadata"]["name"]: document for document in yaml.safe_load_all(text)}
    spec = pod(documents(text)["Deployment"])
    (container,) = spec["containers"]
    path = container["args"][container["args"].index("--config") + 1]
    folder, _, name = path.rpartition("/")
    mounted = next(mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == folder)
    volume = next(volume for volume in spec["volumes"] if volume["name"] == mounted)
    assert re.fullmatch(r"shipping-[0-9a-z]{10}", volume["configMap"]["name"])
    return container, yaml.safe_load(by_name[volume["configMap"]["name"]]["data"][name])


def expanded(text: str, pattern: str) -> str:
    """A text with its variables replaced by the overlay's values."""
    return re.sub(pattern, lambda match: STORE[match[1]], text)


def test_without_the_component_nothing_is_shipped(production: Path) -> None:
    text = render(production, "production")
    assert not re.search("ship|vector|s3|store", text.replace("- shipper\n", ""))  # the pods name it as a neighbour
    assert [container["name"] for container in pod(documents(text)["SeldonDeployment"])["containers"]] == ["model"]
    assert "args" not in pod(documents(text)["CronJob"])["initContainers"][0]


def test_an_overlay_ships_its_log_by_one_line_and_one_config_map(shipped: Path) -> None:
    before = set(documents(render(shipped, "staging"))) | set(documents(render(shipped, "dev")))
    found = documents(render(shipped, "production"))
    assert "Deployment" not in before
    assert found["Deployment"]["spec"]["replicas"] == 1  # a second shipper would ship every line again
    assert found["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert {"name": "predictions", "persistentVolumeClaim": {"claimName": "predictions"}} in pod(found["Deployment"])[
        "volumes"
    ]


def test_the_service_only_learns_that_its_log_is_shipped(production: Path) -> None:
    before = documents(render(production, "production"))["SeldonDeployment"]
    text = render(switched_on(production, "shipping"), "production")
    after, data = documents(text)["SeldonDeployment"], {}
    for document in yaml.safe_load_all(text):
        data[document["metadata"]["name"]] = document.get("data")
    for predictor in after["spec"]["predictors"]:
        told = predictor["componentSpecs"][0]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]
        assert data[told["name"]] == {constants()[1]: "yes"}
        told["name"] = "log"
    assert after == before


def test_a_candidate_learns_that_its_log_is_shipped_too(released: Path) -> None:
    shared(released)
    text = render(switched_on(released, "shipping"), "production")
    names = [
        predictor["componentSpecs"][0]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        for predictor in documents(text)["SeldonDeployment"]["spec"]["predictors"]
    ]
    assert len(names) == 2
    assert len(set(names)) == 1
    assert re.fullmatch(r"log-[0-9a-z]{10}", names[0])


def test_an_overlay_that_ships_renders_before_its_first_release(shipped: Path) -> None:
    shutil.copy(
        shipped / "manifests/overlays/staging/release/kustomization.yaml",
        shipped / "manifests/overlays/production/release/kustomization.yaml",
    )
    kinds = {"NetworkPolicy", "PersistentVolumeClaim", "ServiceAccount", "ConfigMap", "Deployment"}
    assert set(documents(render(shipped, "production"))) == kinds


def test_shipper_and_monitor_are_told_of_the_same_store(shipped: Path) -> None:
    text = render(shipped, "production")
    data = {document["metadata"]["name"]: document.get("data") for document in yaml.safe_load_all(text)}
    for kind in ("Deployment", "CronJob"):
        spec = pod(documents(text)[kind])
        first, second = containers(spec)[0]["envFrom"]
        assert re.fullmatch(r"store-[0-9a-z]{10}", first["configMapRef"]["name"])
        assert data[first["configMapRef"]["name"]] == STORE
        assert second == {"secretRef": {"name": "store", "optional": True}}
        assert spec["serviceAccountName"] == documents(text)["ServiceAccount"]["metadata"]["name"]
    assert "Secret" not in documents(text)


def test_the_monitor_reads_what_was_shipped(shipped: Path) -> None:
    text = render(shipped, "production")
    arguments = [expanded(one, r"\$\((\w+)\)") for one in pod(documents(text)["CronJob"])["initContainers"][0]["args"]]
    assert arguments == ["--predictions", "s3://acme-predictions/my-model/production"]
    monitor = (shipped / "Dockerfile").read_text().rpartition("AS monitor")[2]
    assert '"--predictions", "/predictions"]' in monitor  # the arguments are appended to it
    assert "CMD" not in monitor


def test_what_is_shipped_lies_in_the_folders_of_the_log(shipped: Path, tmp_path: Path) -> None:
    _, vector = shipping(render(shipped, "production"))
    python = str(unrendered("serve") / ".venv/serve/bin/python")
    run([python, "-c", LOGGED, str(tmp_path / "log")], shipped)
    written = sorted(tmp_path.glob("log/**/*.jsonl"))
    patterns = [pattern.removeprefix("/predictions/") for pattern in vector["sources"]["shipping"]["include"]]
    assert sorted(path for pattern in patterns for path in (tmp_path / "log").glob(pattern)) == written
    assert len(written) == 2
    (regex,) = re.findall(r"r'(.+?)'", vector["transforms"]["placed"]["source"])
    for sink in vector["sinks"].values():
        for path in written:
            relative = path.relative_to(tmp_path / "log")
            folder = re.search(regex, f"/predictions/{relative}")
            assert folder
            key = expanded(sink["key_prefix"], r"\$\{(\w+)\}").replace("{{ folder }}", folder["folder"])
            assert key == f"my-model/production/{relative.parent}/"
        assert expanded(sink["bucket"], r"\$\{(\w+)\}") == "acme-predictions"
        assert (sink["filename_extension"], sink["compression"]) == ("jsonl.gz", "gzip")
        assert (sink["encoding"], sink["framing"]) == ({"codec": "text"}, {"method": "newline_delimited"})
        assert sink["filename_append_uuid"] is True


def test_each_line_of_the_log_goes_to_one_sink(shipped: Path) -> None:
    _, vector = shipping(render(shipped, "production"))
    assert vector["transforms"]["placed"]["inputs"] == list(vector["sources"])
    assert vector["transforms"]["age"]["inputs"] == ["placed"]
    outputs = [f"age.{name}" for name in (*vector["transforms"]["age"]["route"], "_unmatched")]
    assert [name for sink in vector["sinks"].values() for name in sink["inputs"]] == outputs


def test_a_line_is_not_forgotten_before_the_store_has_it(shipped: Path) -> None:
    container, vector = shipping(render(shipped, "production"))
    source = vector["sources"]["shipping"]
    served = yaml.safe_load((shipped / "config.yaml").read_text())["serve"]
    assert vector["acknowledgements"] == {"enabled": True}
    assert {"name": "predictions", "mountPath": vector["data_dir"]} in container["volumeMounts"]
    assert "remove_after_secs" not in source  # the service deletes, by the positions of what the store has
    (name,) = vector["sources"]
    assert f"{name}/checkpoints.json" == constants()[0]
    assert source["max_line_bytes"] > served["bytes"]
    assert source["fingerprint"] == {"strategy": "checksum"}
    assert source["read_from"] == "beginning"
    assert not {"ignore_older_secs", "ignore_checkpoints"} & set(source)  # either would skip lines
    for sink in vector["sinks"].values():
        assert sink["retry_strategy"] == {"type": "all"}
        assert "buffer" not in sink


def test_the_shipper_fills_in_no_variable_but_those_of_the_store(shipped: Path) -> None:
    container, vector = shipping(render(shipped, "production"))
    assert "--dangerously-allow-env-var-interpolation" in container["args"]
    assert set(re.findall(r"\$\{?(\w*)", json.dumps(vector))) == set(STORE)


def test_no_policy_keeps_the_shipper_from_the_store(shipped: Path) -> None:
    policies = [one for one in yaml.safe_load_all(render(shipped, "production")) if one["kind"] == "NetworkPolicy"]
    (store,) = [one["spec"] for one in policies if one["metadata"]["name"] == "allow-store"]
    assert store["podSelector"]["matchExpressions"][0]["values"] == ["shipper", "monitor"]
    assert {port["port"] for port in store["egress"][0]["ports"]} == {443, 53}


def test_shipping_does_not_change_what_it_does_not_know(shipped: Path) -> None:
    path, old = shipped / "manifests/base/monitor.yaml", "image: monitor"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, f"{old}\n              args: [--labels, /labels]"))
    with pytest.raises(AssertionError, match="test"):
        render(shipped, "production")
