import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROWS, TASKS, Trained, rows
from starlette.testclient import TestClient

from model import InputError, config, directory, files, monitor, predictions, serve
from model.predictor import Predictor
from model.windows import Window

RULE = config.Alert(metrics=("f1",), windows=2, of=3)


def window(alert: bool, kind: Any = "estimated", metric: str = "f1", reference: bool = False) -> Window:
    return Window(kind, metric, reference, "2020-01-01", "2020-01-02", 100, 0.5, 0.6, 0.9, alert)


@pytest.mark.parametrize(
    ("pattern", "raised"),
    [
        ("", None),
        ("x", False),
        ("xx", True),
        ("xx.", True),
        ("x.x", True),
        ("xx..", False),
        ("xxx.x", True),
        ("...", False),
    ],
)
def test_an_alert_needs_so_many_of_the_last_windows(pattern: str, raised: bool | None) -> None:
    found = [window(sign == "x") for sign in pattern]
    told = monitor.alerts(found, RULE)
    assert [entry["raised"] for entry in told] == ([] if raised is None else [raised])


def test_reference_windows_and_other_metrics_raise_no_alert() -> None:
    found = [window(True, reference=True), window(True, reference=True), window(True, metric="roc_auc"), window(False)]
    assert [entry["raised"] for entry in monitor.alerts(found, RULE)] == [False]


def test_estimated_and_realised_performance_are_judged_apart() -> None:
    found = [window(True), window(True, kind="realised"), window(False), window(False, kind="realised")]
    told = {entry["kind"]: entry["raised"] for entry in monitor.alerts(found, RULE)}
    assert told == {"estimated": False, "realised": False}


def answered(trained: Trained, frame: pd.DataFrame, folder: Path) -> None:
    """Send the rows of a frame through the service, and write what came true of each."""
    log = predictions.Log(folder / "predictions")
    service = TestClient(
        serve.Service(Predictor(trained.build / "model"), log, trained.settings.serve, {}).application()
    )
    target, lines = trained.settings.data.target, []
    classes = target.classes
    codes = pd.cut(frame["outcome"], [-1e9, *target.cuts, 1e9], labels=False) if target.cuts else None
    for start in range(0, len(frame), 100):
        part = frame.iloc[start : start + 100]
        moments = part["moment"].map(pd.Timestamp.isoformat)
        sent = [
            {"moment": moment, "number": None if pd.isna(number) else float(number), "colour": colour}
            for moment, number, colour in zip(moments, part["number"], part["colour"], strict=True)
        ]
        body = service.post("/predict", json={"jsonData": sent}).json()
        for row, index in enumerate(part.index):
            truth = float(frame["outcome"][index]) if codes is None else classes[codes[index]]
            lines.append(json.dumps({"request": body["meta"]["puid"], "row": row, "label": truth}))
    files.write(folder / "labels" / "one.jsonl", "\n".join(lines) + "\n")


def traffic(telling: bool = True) -> pd.DataFrame:
    """The last 1,000 rows, on which the model was not tested; or inputs that no longer tell what will come."""
    frame = rows().tail(1000)
    return frame if telling else frame.assign(number=0.0, colour="blue")


def watched(trained: Trained, folder: Path, build: Path, labels: bool = True) -> dict[str, Any]:
    truth = folder / "labels" if labels else None
    monitor.run(trained.settings, build, trained.build / "model", folder / "predictions", truth)
    found: dict[str, Any] = json.loads((build / "monitor" / "summary.json").read_text())
    return found


def test_performance_is_estimated_and_realised_in_whole_windows(trained: Trained, tmp_path: Path) -> None:
    answered(trained, traffic(), tmp_path)
    found = watched(trained, tmp_path, tmp_path / "build")
    metric = trained.settings.monitor.metrics[0]
    assert (found["rows"], found["labelled"]) == (1000, 1000)
    for kind in ("estimated", "realised"):
        own = [w for w in found["windows"] if (w["kind"], w["metric"]) == (kind, metric)]
        assert len([w for w in own if not w["reference"]]) == 10
        assert len([w for w in own if w["reference"]]) == 9
        assert all(w["rows"] == 100 for w in own)
    begin, end = found["windows"][-1]["begin"], found["windows"][-1]["end"]
    assert begin < end
    assert end.startswith("2020-02-11")
    assert "fewer than 10" in found["warnings"][0]
    assert (tmp_path / "build/monitor/report.md").read_text().startswith("## ")
    assert 'model_performance{kind="estimated"' in (tmp_path / "build/monitor/metrics.prom").read_text()


def test_realised_performance_is_what_scikit_learn_says(models: Any, tmp_path: Path) -> None:
    from sklearn.metrics import mean_absolute_error

    trained = models("regression")
    frame = traffic()
    answered(trained, frame, tmp_path)
    found = watched(trained, tmp_path, tmp_path / "build")
    first = next(w for w in found["windows"] if w["kind"] == "realised" and not w["reference"])
    predictor = Predictor(trained.build / "model")
    part = frame.head(100).assign(number=frame["number"].astype("float32"))
    answers = predictor.predict({"number": part["number"].to_numpy(), "colour": part["colour"].to_numpy()}).labels
    assert first["value"] == pytest.approx(mean_absolute_error(part["outcome"], answers))


def test_a_fall_raises_an_alert_and_quiet_traffic_none(models: Any, tmp_path: Path) -> None:
    trained = models("binary_classification")
    for name, telling in (("quiet", True), ("fallen", False)):
        answered(trained, traffic(telling), tmp_path / name)
    assert not watched(trained, tmp_path / "quiet", tmp_path / "a")["alert"]
    estimated = watched(trained, tmp_path / "fallen", tmp_path / "b", labels=False)
    assert estimated["alert"]
    assert estimated["labelled"] == 0
    assert {w["kind"] for w in estimated["windows"]} == {"estimated"}
    assert (tmp_path / "b/monitor/report.md").read_text().startswith("## 🔔 Alert")
    assert "model_alert{" in (tmp_path / "b/monitor/metrics.prom").read_text()


def test_without_predictions_or_with_too_few_the_job_says_so_and_keeps_its_report(
    binary: Trained, tmp_path: Path
) -> None:
    build = tmp_path / "build"
    answered(binary, traffic(), tmp_path)
    watched(binary, tmp_path, build)
    before = (build / "monitor/summary.json").read_bytes()
    with pytest.raises(InputError, match="holds 0 predictions of .*; wait for more traffic"):
        watched(binary, tmp_path / "nothing", build, labels=False)
    answered(binary, traffic().head(99), tmp_path / "few")
    with pytest.raises(InputError, match="holds 99 predictions of .*, but one window needs 100"):
        watched(binary, tmp_path / "few", build, labels=False)
    assert (build / "monitor/summary.json").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"request": "a", "row": 0}', "lack label"),
        ("not json", "are not JSON lines"),
        (None, "holds no"),
    ],
)
def test_labels_that_cannot_be_read_are_refused(line: str | None, sentence: str, tmp_path: Path) -> None:
    if line is not None:
        (tmp_path / "one.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=sentence):
        monitor.labels(tmp_path)


def test_the_last_word_on_a_label_counts(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"request": "007", "row": 0, "label": "no"}\n')
    (tmp_path / "2.jsonl").write_text('{"request": "007", "row": 0, "label": "yes"}\n')
    found = monitor.labels(tmp_path)
    assert found[["request", "row", "label"]].to_numpy().tolist() == [["007", 0, "yes"]]


def test_an_unknown_label_is_refused(binary: Trained) -> None:
    with pytest.raises(InputError, match="hold maybe; allowed are no, yes"):
        monitor.coded(pd.Series(["yes", "maybe"]), directory.load(binary.build / "model"))


def test_a_model_of_another_task_is_refused(models: Any, tmp_path: Path) -> None:
    binary, other = models(TASKS[0]), models(TASKS[2])
    answered(other, traffic(), tmp_path)
    with pytest.raises(InputError, match=r"regression, but config\.yaml says binary_classification"):
        monitor.run(binary.settings, tmp_path / "build", other.build / "model", tmp_path / "predictions", None)


def test_rows_are_ordered_by_their_own_time(binary: Trained, tmp_path: Path) -> None:
    frame = traffic()
    answered(binary, frame.iloc[::-1], tmp_path)
    model = directory.load(binary.build / "model")
    found = monitor.frame(predictions.read(tmp_path / "predictions", model.version), model)
    assert found["time"].is_monotonic_increasing
    assert found["time"].tolist() == frame["moment"].tolist()
    assert len(found) == ROWS // 4
