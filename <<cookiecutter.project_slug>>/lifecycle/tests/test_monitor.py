import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from served import client
from tiny import TASKS, Trained, rows

from lifecycle import InputError, files
from lifecycle import __main__ as command
from lifecycle.artifact.predictor import Predictor
from lifecycle.config import AlertRule
from lifecycle.documents import limits
from lifecycle.documents.summary import Summary, Window
from lifecycle.estimation import target
from lifecycle.monitoring import monitor, nannyml, reader, slices
from lifecycle.reporting import findings, watch
from lifecycle.serving import log

SCHEMA = Path(__file__).parents[1] / "schemas" / "monitor-1.json"
RECORDS = Path(__file__).parent / "records"
NOW = datetime.now(UTC)
Quiet = Callable[[Trained], tuple[Summary, Path]]


def answered(trained: Trained, frame: pd.DataFrame, folder: Path) -> None:
    """Send the rows of a frame through the service, and write what came true of each."""
    service = client(trained, folder / "predictions")
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
    service.service.close()
    files.write(folder / "labels" / "one.jsonl", "\n".join(lines) + "\n")


def traffic(telling: bool = True) -> pd.DataFrame:
    """The last 1,000 rows, on which the model was not tested; or inputs that no longer tell what will come."""
    frame = rows().tail(1000)
    return frame if telling else frame.assign(number=0.0, colour="blue")


def watched(trained: Trained, folder: Path, build: Path, labels: bool = True, **changes: Any) -> Summary:
    """What the monitor says; `changes` are other values of `config.yaml: monitor`."""
    own = trained.settings.monitor.model_copy(update=changes)
    settings = trained.settings.model_copy(update={"monitor": own})
    truth = str(folder / "labels") if labels else None
    watch.run(settings, build, trained.build / "model", [str(folder / "predictions")], truth, NOW)
    return Summary.model_validate_json((build / "monitor" / "summary.json").read_text())


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Quiet:
    """What the monitor says of quiet traffic with labels, and its build folder; asked once of each task's model."""
    made: dict[str, tuple[Summary, Path]] = {}

    def make(trained: Trained) -> tuple[Summary, Path]:
        if trained.task not in made:
            folder = tmp_path_factory.mktemp("quiet")
            answered(trained, traffic(), folder)
            made[trained.task] = watched(trained, folder, folder / "build"), folder / "build"
        return made[trained.task]

    return make


def test_performance_is_estimated_and_realised_in_whole_windows(trained: Trained, quiet: Quiet) -> None:
    found, _ = quiet(trained)
    metric = trained.settings.monitor.metrics[0]
    assert (found.log.rows, found.log.labelled) == (1000, 1000)
    for kind in ("estimated", "realised"):
        own = [w for w in found.windows if (w.kind, w.metric) == (kind, metric)]
        assert len([w for w in own if not w.reference]) == 10
        assert len([w for w in own if w.reference]) == 9
        assert all(w.rows == 100 for w in own)
        assert own[-1].begin < own[-1].end
        assert own[-1].end.startswith("2020-02-11")
    assert "fewer than 10" in found.warnings[0]
    assert not found.alert


@pytest.mark.parametrize("estimator", ["nannyml", "own"])
def test_a_log_that_is_measured_in_pieces_has_the_same_windows(
    estimator: str, binary: Trained, quiet: Quiet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order of time in each series, which the alerts go by."""
    _, build = quiet(binary)
    found = []
    for most in (1_000_000, 250):  # ten windows of 100 rows
        monkeypatch.setattr(reader, "PIECE", most)
        told = watched(binary, build.parent, tmp_path, estimator=estimator)
        assert not [one for one in told.warnings if "could not be measured" in one]
        series: dict[Any, list[Window]] = {}
        every = [("", "", told.windows), *((one.slice, one.part, one.windows) for one in told.slices)]
        for name, part, windows in every:
            for one in windows:
                series.setdefault((name, part, one.kind, one.metric, one.column), []).append(one)
        found.append((told.alerts, told.rule, series))
    assert found[0] == found[1]


def test_the_templates_own_estimator_finds_the_same_without_nannyml(
    trained: Trained, quiet: Quiet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, build = quiet(trained)
    monkeypatch.setitem(sys.modules, "nannyml", None)  # whose import then fails
    found = watched(trained, build.parent, tmp_path, estimator="own")
    assert (before.estimator, found.estimator) == ("nannyml", "own")
    assert "own estimator made these" in (tmp_path / "monitor/report.md").read_text()
    for ours, theirs in zip(found.windows, before.windows, strict=True):
        assert ours.model_copy(update={"value": theirs.value, "low": theirs.low, "high": theirs.high}) == theirs
        if (trained.task, ours.kind) != ("regression", "estimated"):  # another regressor learns the errors
            assert ours.value == pytest.approx(theirs.value, abs=1e-6)
        assert ours.high == pytest.approx(theirs.high, abs=1e-6)


def test_a_target_sets_the_bounds_and_the_summary_has_the_rule_that_was_chosen(
    binary: Trained, quiet: Quiet, tmp_path: Path
) -> None:
    before, build = quiet(binary)
    rule = AlertRule(metrics=("f1",), quality=0.05, quiet=1, cooldown=3)
    found = watched(binary, build.parent, tmp_path, alert=rule)
    assert (found.rule.windows, found.rule.of) in target.CHOICES
    assert found.alert is False
    lows = {(one.kind, one.low) for one in found.windows if one.metric == "f1"}
    assert len(lows) == 2, "one for each kind"
    assert lows.isdisjoint((one.kind, one.low) for one in before.windows)
    assert (
        f"when {found.rule.windows} of the last {found.rule.of} windows" in (tmp_path / "monitor/report.md").read_text()
    )


def test_drift_outputs_and_data_quality_are_measured_for_every_column(trained: Trained, quiet: Quiet) -> None:
    found, _ = quiet(trained)
    outputs = {f"probability_{name}" for name in trained.settings.data.target.classes} or {"prediction"}
    columns = {kind: {w.column for w in found.windows if w.kind == kind} for kind in ("drift", "output", "quality")}
    assert columns == {
        "drift": {"number", "colour", None} | outputs,
        "output": outputs,
        "quality": {"number", "colour"},
    }
    measures = {(w.column, w.metric) for w in found.windows if w.kind == "quality"}
    assert measures == {("number", "missing"), ("number", "out_of_range"), ("colour", "missing"), ("colour", "unseen")}


def test_realised_performance_is_what_scikit_learn_says(models: Any, quiet: Quiet) -> None:
    from sklearn.metrics import mean_absolute_error

    trained = models("regression")
    frame = traffic()
    found, _ = quiet(trained)
    first = next(w for w in found.windows if w.kind == "realised" and not w.reference)
    predictor = Predictor(trained.build / "model")
    part = frame.head(100).assign(number=frame["number"].astype("float32"))
    answers = predictor.predict({"number": part["number"].to_numpy(), "colour": part["colour"].to_numpy()}).labels
    assert first.value == pytest.approx(mean_absolute_error(part["outcome"], answers))


def test_a_fall_raises_an_alert_and_quiet_traffic_none(models: Any, quiet: Quiet, tmp_path: Path) -> None:
    trained = models("binary_classification")
    answered(trained, traffic(telling=False), tmp_path / "fallen")
    before, _ = quiet(trained)
    assert (before.alert, before.raised) == (False, None)
    fallen = watched(trained, tmp_path / "fallen", tmp_path / "b", labels=False)
    assert fallen.alert
    assert fallen.raised is not None
    assert fallen.log.labelled == 0
    assert not any(window.kind == "realised" for window in fallen.windows)
    assert (tmp_path / "b/monitor/report.md").read_text().startswith("## 🔔 Alert: tiny")
    assert (
        f'model_alert{{model="tiny",version="{fallen.version}"}} 1.0'
        in (tmp_path / "b/monitor/metrics.prom").read_text()
    )


def test_a_slice_that_falls_alone_is_named_wherever_the_alert_is_told(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 20)
    frame = traffic()
    blue = frame["colour"] == "blue"
    answered(binary, frame.assign(outcome=np.where(blue, -frame["outcome"], frame["outcome"])), tmp_path)
    found = watched(binary, tmp_path, tmp_path / "build", estimator="own")
    held = [one for one in found.alerts if one.holds]
    assert [(one.kind, one.slice, one.part) for one in held if one.slice] == [("realised", "colour", "blue")]
    rows = [window.rows for one in found.slices for window in one.windows if one.part == "blue"]
    assert max(rows) < 60
    text, page = ((tmp_path / "build/monitor" / name).read_text() for name in ("report.md", "report.html"))
    assert "| 🔔 alert | realised | F1 of colour blue | 3 of 3 |" in text
    assert "realised F1 of colour blue" in text.split("Out of bounds: ")[1].splitlines()[0]
    assert "| colour | blue | realised F1 |" in text.split("### Slices")[1].split("###")[0]
    assert "<td>F1 of colour blue</td>" in page
    assert r"realised F1,\u003cbr\u003ecolour blue" in page.split('<h2 id="Slices">')[1], "its plot"


def test_what_the_estimate_cannot_see_is_seen_when_labels_come(binary: Trained, tmp_path: Path) -> None:
    """Concept drift: the inputs are as ever, and mean the opposite."""
    frame = traffic()
    answered(binary, frame.assign(outcome=-frame["outcome"]), tmp_path)
    assert not watched(binary, tmp_path, tmp_path / "blind", labels=False).alert
    found = watched(binary, tmp_path, tmp_path / "seeing")
    assert [entry.kind for entry in found.alerts if entry.holds] == ["realised"]
    assert "(concept drift)" in (tmp_path / "seeing/monitor/report.md").read_text()


@pytest.mark.parametrize("chosen", [True, False])
def test_labels_that_come_for_some_rows_rather_than_others_are_marked(
    chosen: bool, binary: Trained, tmp_path: Path
) -> None:
    frame = traffic()
    answered(binary, frame, tmp_path)
    path = tmp_path / "labels/one.jsonl"
    lines, half = path.read_text().splitlines(keepends=True), np.random.default_rng(0).random(len(frame)) < 0.5
    kept = frame["number"].to_numpy() > 0 if chosen else half
    path.write_text("".join(line for line, keep in zip(lines, kept, strict=True) if keep))
    found = watched(binary, tmp_path, tmp_path / "build", estimator="own")
    realised = [one for one in found.windows if one.kind == "realised" and not one.reference]
    assert len(realised) >= 4
    assert all(0.3 < (one.labelled or 0) < 0.7 for one in realised)
    assert {"number" in one.unlike for one in realised} == {chosen}
    text, page = ((tmp_path / "build/monitor" / name).read_text() for name in ("report.md", "report.html"))
    assert "% of its rows have labels" in text
    told = ("Labels of the latest window do not look like its rows: number", "labels unlike the rows")
    assert [told[0] in text, told[0] in page, told[1] in page] == [chosen] * 3
    assert any("the labels do not look like the windows' rows" in one for one in found.warnings) == chosen
    assert found.track is not None
    assert bool(found.track.since) != chosen, "nor do they judge the estimate"


def test_bad_data_raise_an_alert_and_say_which_column(binary: Trained, tmp_path: Path) -> None:
    frame = traffic()
    frame.loc[frame.index[::4], "colour"] = "purple"
    frame.loc[frame.index[1::4], "number"] = 99.0
    answered(binary, frame, tmp_path)
    held = {
        (e.column, e.metric)
        for e in watched(binary, tmp_path, tmp_path / "build").alerts
        if e.holds and e.kind == "quality"
    }
    assert held == {("colour", "unseen"), ("number", "out_of_range")}


def test_a_reference_without_a_whole_window_is_said_and_nothing_is_estimated(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    found = watched(binary, tmp_path, tmp_path / "build", window="week")
    assert found.windows == ()
    assert "The reference has 0 windows of a week" in " ".join(found.warnings)


@pytest.mark.parametrize(("window", "windows"), [(300, 3), (900, 1)])
def test_a_reference_of_a_few_windows_has_no_bounds_and_raises_no_alert(
    window: int, windows: int, binary: Trained, tmp_path: Path
) -> None:
    """Three standard deviations of one window are nothing: every other window would be outside."""
    answered(binary, traffic(telling=False), tmp_path)
    found = watched(binary, tmp_path, tmp_path / "build", window=window)
    assert f"The reference has {windows} windows of {window} rows, fewer than 5" in " ".join(found.warnings)
    performance = [one for one in found.windows if one.kind in ("estimated", "realised")]
    assert performance
    assert {(one.low, one.high, one.outside) for one in performance} == {(None, None, False)}
    assert not found.alert


def test_features_may_have_the_names_that_nannyml_uses_itself() -> None:
    names = ["Time", "Chunk", "period", "key", "y_pred", "index", "NO", "no "]
    frames = []
    for seed in range(2):
        generator = np.random.default_rng(seed)
        frame = pd.DataFrame({name: generator.normal(size=1000) for name in names})
        times = pd.date_range("2020-01-01", periods=1000, freq="h", tz="UTC")
        frames.append(
            frame.assign(chunk=np.arange(1000) // 100, time=times, prediction=frame["Time"], label=frame["Chunk"])
        )
    drifted = nannyml.drift(frames[0], names, ["prediction"])(frames[1])
    assert {one.column for one in drifted} == {*names, "prediction", None}
    assert nannyml.estimated(frames[0], "regression", (), ["mae"], names)(frames[1])


def test_large_windows_are_sampled_and_it_is_said(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    found = watched(binary, tmp_path, tmp_path / "a", window=300, sample=150)
    assert found.sampled == 150
    assert {w.rows for w in found.windows} == {150}
    assert "sampled to 150 rows" in (tmp_path / "a/monitor/report.md").read_text()
    again = watched(binary, tmp_path, tmp_path / "b", window=300, sample=150)
    assert again.windows == found.windows


def test_a_job_without_traffic_says_so_and_does_not_fail(binary: Trained, tmp_path: Path) -> None:
    nothing = watched(binary, tmp_path, tmp_path / "build", labels=False)
    assert (nothing.alert, nothing.log.rows, nothing.windows) == (False, 0, ())
    assert nothing.warnings[0].startswith(f"No prediction of {nothing.version} was logged in")
    answered(binary, traffic().head(99), tmp_path)
    few = watched(binary, tmp_path, tmp_path / "build", labels=False)
    assert "99 predictions" in few.warnings[0]
    assert "do not fill a window of 100 rows yet" in few.warnings[0]


def test_another_version_in_the_log_is_named(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic().head(100), tmp_path)
    (own,) = (tmp_path / "predictions").glob("version=*")
    own.rename(own.with_name("version=2019.01.01-ccccccc"))
    found = watched(binary, tmp_path, tmp_path / "build", labels=False)
    assert found.log.versions == ("2019.01.01-ccccccc",)
    assert "The log holds 2019.01.01-ccccccc instead" in found.warnings[1]


def test_rows_from_the_future_are_left_out_and_counted(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    (path,) = (tmp_path / "predictions").glob("version=*/hour=*/*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines[:50]:
        line["logged"] = (NOW + timedelta(days=2)).isoformat()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = watched(binary, tmp_path, tmp_path / "build", labels=False)
    assert (found.log.rows, found.log.future) == (950, 50)
    assert "50 rows have a log time in the future" in " ".join(found.warnings)


@pytest.mark.parametrize("allowed", [0.05, 0.1])
def test_a_log_of_which_too_much_is_set_aside_raises_an_alert_of_its_own(
    allowed: float, binary: Trained, tmp_path: Path
) -> None:
    """It is no alert of the model, since training mends no log."""
    answered(binary, traffic(), tmp_path)
    (path,) = (tmp_path / "predictions").glob("version=*/hour=*/*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-100], *["torn\n"] * 100]))
    rule = binary.settings.monitor.alert.model_copy(update={"aside": allowed})
    found = watched(binary, tmp_path, tmp_path / "build", labels=False, alert=rule)
    assert (found.alert, found.log.aside) == (False, 0.1)
    raised = allowed < 0.1
    assert ("10.0% of the log's rows or labels were set aside" in " ".join(found.warnings)) == raised
    gauges = (tmp_path / "build/monitor/metrics.prom").read_text()
    assert f'model_log_aside{{model="tiny",version="{found.version}"}} {float(raised)}' in gauges


def test_feedback_that_no_answer_of_the_model_has_is_counted(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    own = log.labels(tmp_path / "predictions", 1000)
    own.append(log.truths("foreign", ["yes", "no", "former"], NOW), NOW)
    own.close()
    found = watched(binary, tmp_path, tmp_path / "build")
    assert (found.log.labelled, found.log.unmatched) == (1000, 2)
    assert (found.log.told, found.log.odd, found.log.aside) == (3, 1, 1 / 3)


@pytest.mark.parametrize("change", [{"number": float("nan")}, {"number": 1e30}, {"colour": "red"}])
def test_a_column_that_says_nothing_any_more_is_no_crash(
    change: dict[str, Any], trained: Trained, tmp_path: Path
) -> None:
    answered(trained, traffic().assign(**change), tmp_path)
    found = watched(trained, tmp_path, tmp_path / "build")
    assert found.log.rows == 1000
    if change.get("number") != change.get("number"):
        assert "The drift jensen_shannon of number is undefined in 10 windows" in " ".join(found.warnings)


def test_a_log_of_another_schema_is_told(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    (path,) = (tmp_path / "predictions").glob("version=*/hour=*/*.jsonl")
    path.write_text(path.read_text().replace('"number"', '"figure"'))
    found = watched(binary, tmp_path, tmp_path / "build", labels=False)
    assert "No row has a value in number" in " ".join(found.warnings)
    assert [(entry.column, entry.metric) for entry in found.alerts if entry.holds] == [("number", "missing")]


def test_the_gauges_are_pushed_and_a_push_that_fails_is_told(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    got: list[tuple[str, bytes]] = []

    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    def watch(address: str) -> int:
        """As the job does it: by the command line, told by its environment where to push."""
        monkeypatch.setenv("PUSHGATEWAY", address)
        own = ["--config", str(tmp_path / "config.yaml"), "--build", str(tmp_path / "build")]
        log = ["--predictions", str(tmp_path / "predictions"), "--model", str(binary.build / "model")]
        return command.main([*own, "monitor", *log])

    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))
    answered(binary, traffic(), tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert watch(address) == 0
        server.shutdown()
    (told,) = got
    assert told[0] == "/metrics/job/monitor/model/tiny"
    assert b'model_window{column="",kind="estimated",metric="F1",' in told[1]
    assert told[1] == (tmp_path / "build/monitor/metrics.prom").read_bytes()
    assert watch(address) == 1
    assert "could not be pushed to http://127.0.0.1:" in capsys.readouterr().err


def test_labels_of_one_class_leave_undefined_what_needs_two(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic().assign(outcome=1.0), tmp_path)
    found = watched(binary, tmp_path, tmp_path / "build", metrics=("f1", "roc_auc"))
    assert "The realised ROC AUC is undefined in 10 windows" in " ".join(found.warnings)


def test_a_measure_that_fails_leaves_the_others(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("cannot be fitted")

    answered(binary, traffic(), tmp_path)
    monkeypatch.setattr(nannyml, "drift", fail)
    monkeypatch.setattr(nannyml, "estimated", fail)
    found = watched(binary, tmp_path, tmp_path / "build")
    assert {one.kind for one in found.windows} == {"realised", "output", "quality"}
    text = (tmp_path / "build/monitor/report.md").read_text()
    assert "Estimated performance could not be measured on these rows (ValueError: cannot be fitted)" in text
    assert "Drift could not be measured" in text


def test_a_model_of_another_task_is_refused(models: Any, tmp_path: Path) -> None:
    binary, other = models(TASKS[0]), models(TASKS[2])
    with pytest.raises(InputError, match=r"regression, but config\.yaml says binary_classification"):
        watch.run(binary.settings, tmp_path / "build", other.build / "model", [str(tmp_path)], None, NOW)


def test_a_job_that_fails_keeps_the_report_before(binary: Trained, tmp_path: Path) -> None:
    answered(binary, traffic(), tmp_path)
    watched(binary, tmp_path, tmp_path / "build")
    before = (tmp_path / "build/monitor/summary.json").read_bytes()
    (tmp_path / "labels/one.jsonl").write_text("broken\n")
    with pytest.raises(InputError, match="have 1 lines that are not JSON objects"):
        watched(binary, tmp_path, tmp_path / "build")
    assert (tmp_path / "build/monitor/summary.json").read_bytes() == before


@pytest.mark.parametrize("text", [None, "broken\n", '{"request": "a", "row": 0, "label": "former"}\n'])
def test_labels_that_cannot_be_read_do_not_end_the_nightly_run(
    text: str | None, binary: Trained, tmp_path: Path
) -> None:
    """A person is there when it is run by hand, and corrects them."""
    answered(binary, traffic().head(100), tmp_path)
    (tmp_path / "labels/one.jsonl").unlink()
    if text is not None:
        (tmp_path / "labels/one.jsonl").write_text(text)
    given = (binary.settings, binary.build / "model", [str(tmp_path / "predictions")], str(tmp_path / "labels"), NOW)
    found = monitor.run(*given, alone=True)
    assert (found.log.rows, found.log.labelled) == (100, 0)
    assert f"The labels in {tmp_path / 'labels'} were left out. " in " ".join(found.warnings)
    with pytest.raises(InputError):
        monitor.run(*given)


def test_the_summary_keeps_its_published_schema(trained: Trained, quiet: Quiet, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--refresh"):
        SCHEMA.write_text(json.dumps(Summary.model_json_schema(), indent=1) + "\n")
    schema = json.loads(SCHEMA.read_text())
    assert schema == Summary.model_json_schema()
    _, build = quiet(trained)
    document = json.loads((build / "monitor/summary.json").read_text())
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "another": 1}, schema)


def test_the_report_is_the_golden_one(trained: Trained, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """`make test TESTS=lifecycle/tests PYTEST=--refresh` writes each task's summary and report again: read the diff."""
    path, golden = (RECORDS / f"monitor_{trained.task}.{ending}" for ending in ("json", "md"))
    if request.config.getoption("--refresh"):
        answered(trained, traffic(telling=False), tmp_path)
        found = watched(trained, tmp_path, tmp_path / "build")
        found = found.model_copy(update={"version": "2020.02.01-aaaaaaa"})
        path.write_text(found.model_dump_json(indent=1) + "\n")
        golden.write_text(findings.markdown(found))
    assert findings.markdown(Summary.model_validate_json(path.read_text())) == golden.read_text()


def test_the_report_fits_an_issue_and_has_every_section(trained: Trained, tmp_path: Path) -> None:
    answered(trained, traffic(telling=False), tmp_path)
    found = watched(trained, tmp_path, tmp_path / "build")
    text = (tmp_path / "build/monitor/report.md").read_text()
    assert len(text) <= limits.BODY
    titles = [section.title for section in findings.sections(found)]
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == titles
    assert text.count("```mermaid") == 2
    page = (tmp_path / "build/monitor/report.html").read_text()
    assert all(f'<h2 id="{title}">' in page for title in titles)


def test_names_from_data_cannot_break_the_report(binary: Trained, quiet: Quiet) -> None:
    found, _ = quiet(binary)
    hostile = "a|b\n<script>x</script>@all"
    windows = tuple(w.model_copy(update={"column": hostile}) if w.column == "number" else w for w in found.windows)
    changed = found.model_copy(update={"windows": windows, "warnings": (hostile,)})
    text, page = findings.markdown(changed), findings.page(changed)
    assert "<script>x" not in text + page
    assert "@all" not in text.replace("`@all`", "")


def test_nannyml_reads_no_env_file_and_reports_no_use(tmp_path: Path) -> None:
    """A file .env beside the job must not reach it; and its use is told to no one."""
    (tmp_path / ".env").write_text("LEAKED=1\n")
    code = (
        "import os, lifecycle.monitoring.nannyml, nannyml\n"
        "from nannyml.usage_logging import UsageEvent, get_logger\n"
        "type(get_logger())._log = lambda *_: print('told')\n"
        "get_logger().log(UsageEvent.CLI_RUN)\n"
        "print(os.environ.get('LEAKED', 'kept'))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    root = str(Path(monitor.__file__).parents[2])
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=True)
    assert done.stdout == "kept\n"


def test_one_module_knows_nannyml() -> None:
    """It may be replaced one day."""
    sources = Path(monitor.__file__).parent.glob("*.py")
    assert [path.name for path in sources if "import nannyml\n" in path.read_text()] == ["nannyml.py"]
