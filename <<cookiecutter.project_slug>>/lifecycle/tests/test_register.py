import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from conftest import store
from steps import pipeline
from tiny import LOCK, Trained

from lifecycle import InputError, config, policy
from lifecycle.artifact.predictor import Predictor
from lifecycle.documents import record
from lifecycle.training import register


def named(trained: Trained, name: str) -> config.Config:
    """The settings under another name, so that experiment and registry are a test's own."""
    return trained.settings.model_copy(update={"name": name})


def check(decision: record.Decision, build: Path) -> None:
    """What MLflow has to hold of an accepted decision."""
    evaluation, origin = decision.evaluation, decision.evaluation.origin
    run = mlflow.get_run(origin.run)
    assert run.data.params == {name: str(value) for name, value in origin.parameters.items()}
    for name, measure in evaluation.metrics.items():
        assert run.data.metrics[name] == pytest.approx(measure.value)
        assert run.data.metrics[f"{name}/low"] == pytest.approx(measure.low)
        assert f"baseline/{name}" in run.data.metrics
    assert (run.data.tags["verdict"], run.data.tags["policy"]) == ("accepted", decision.policy)
    assert run.inputs
    rows = {given.dataset.name: given.dataset for given in run.inputs.dataset_inputs}
    assert set(rows) == {"train", "test"}
    assert all(row.digest == origin.data[:36] for row in rows.values())

    client = mlflow.MlflowClient()
    (version,) = client.search_model_versions(f"name='{evaluation.name}'")
    assert version.run_id == origin.run
    assert version.tags["model"] == origin.model
    assert version.tags["data"] == origin.data
    metric = next(iter(evaluation.metrics))
    assert float(version.tags[metric]) == pytest.approx(evaluation.metrics[metric].value, rel=1e-3)

    uri = f"models:/{evaluation.name}/{version.version}"
    loaded = mlflow.pyfunc.load_model(uri)
    assert loaded.metadata.saved_input_example_info
    assert loaded.metadata.signature.inputs.input_names() == list(origin.features)
    fetched = Path(mlflow.artifacts.download_artifacts(uri))
    assert Predictor(fetched).model.sha256 == origin.model
    reference = pd.read_parquet(build / "model" / "reference.parquet")
    assert len(loaded.predict(reference[list(origin.features)].head(3))) == 3
    kept = Path(mlflow.artifacts.download_artifacts(run_id=origin.run, artifact_path="decision"))
    for name in ("decision.json", "report.md", "report.html"):
        assert (kept / name).read_bytes() == (build / name).read_bytes()


@pytest.fixture(autouse=True)
def _back() -> Iterator[None]:
    """MLflow remembers the last address that it was given."""
    before = os.environ["MLFLOW_TRACKING_URI"]
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def server(models: Any, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server with a store of its own."""
    folder = tmp_path_factory.mktemp("server")
    models("binary_classification")
    store(shared, folder / "mlflow.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    # Six more processes, which run jobs that no one asks for, take half a minute to start.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        ) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("where", ["embedded", "server"])
def test_an_accepted_model_is_registered_with_its_decision(
    where: str, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """In the SQLite file under `build` that is the default, and in an MLflow server."""
    if where == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("server"))
    else:
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
    build = tmp_path / "build"
    decision = pipeline(named(binary, f"kept-{where}"), build)
    said = register.run(build)
    assert said == f"{decision.evaluation.origin.version} is version 1 of kept-{where} in the registry"
    check(decision, build)
    assert register.run(build) == said
    check(decision, build)


def test_a_refused_model_is_logged_and_not_registered(binary: Trained, tmp_path: Path) -> None:
    from lifecycle.evaluation import evaluate, gate
    from lifecycle.reporting import report
    from lifecycle.rows import data
    from lifecycle.training import train

    strict = (policy.BoundGate(kind="floor", metric="roc_auc", bound=0.999),)
    settings = named(binary, "refused").model_copy(update={"gates": strict})
    build = tmp_path / "build"
    data.run(settings, build)
    train.run(settings, build, LOCK)
    evaluate.run(settings, build, None)
    with pytest.raises(InputError, match="is refused"):
        gate.run(settings, build)
    report.run(build)
    assert register.run(build).endswith("is not registered, because it was refused")
    decision = record.decision(build / "decision.json")
    run = mlflow.get_run(decision.evaluation.origin.run)
    assert run.data.tags["verdict"] == "refused"
    assert run.data.metrics["roc_auc"] == pytest.approx(decision.evaluation.metrics["roc_auc"].value)
    assert mlflow.MlflowClient().search_model_versions("name='refused'") == []


def test_a_champion_is_logged_beside_the_candidate(binary: Trained, tmp_path: Path) -> None:
    decision = pipeline(named(binary, "compared"), tmp_path / "build", binary.build / "model")
    register.run(tmp_path / "build")
    found = mlflow.get_run(decision.evaluation.origin.run).data.metrics
    assert decision.evaluation.champion
    assert found["champion/roc_auc"] == pytest.approx(decision.evaluation.champion.metrics["roc_auc"].value)
    assert found["difference/roc_auc"] == 0


def test_what_was_trained_away_from_mlflow_gets_a_run_of_its_own_and_only_one(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    text = (build / "decision.json").read_text()
    decision = record.decision(build / "decision.json")
    other = json.loads(text)
    other["evaluation"]["origin"]["run"], other["evaluation"]["name"] = "0" * 32, "away"
    (build / "decision.json").write_text(json.dumps(other))
    said = register.run(build)
    assert said.endswith("version 1 of away in the registry") is decision.passed
    experiment = mlflow.get_experiment_by_name("away")
    assert experiment
    (run,) = mlflow.MlflowClient().search_runs([experiment.experiment_id])
    assert run.data.tags["trained as"] == "0" * 32
    origin = decision.evaluation.origin
    assert run.data.params == {name: str(value) for name, value in origin.parameters.items()}
    kept = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="model")
    assert Predictor(Path(kept)).model.sha256 == origin.model
    assert register.run(build) == said
    assert len(mlflow.MlflowClient().search_runs([experiment.experiment_id])) == 1
    other["evaluation"]["origin"]["model"] = "0" * 64
    (build / "decision.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"is not the model of .*decision\.json; run `make pipeline`"):
        register.run(build)


def test_a_report_that_is_not_there_is_named(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    (build / "report.md").unlink()
    with pytest.raises(InputError, match=r"report\.md does not exist; run `make report` first"):
        register.run(build)


def test_a_server_that_does_not_answer_is_named_soon(binary: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    waits = list[float]()
    monkeypatch.setattr(time, "sleep", waits.append)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"MLflow at http://127\.0\.0\.1:9 cannot be used"):
        register.run(binary.build)
    assert len(waits) > 1  # it waits with what is replaced here
    assert sum(waits) + time.monotonic() - began < 60
