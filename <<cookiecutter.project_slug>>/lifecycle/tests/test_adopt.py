"""Tables that are not ours, taken as they are: after `adopt`, the steps pass without an edit."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Git
from served import client
from sklearn import datasets
from steps import pipeline
from tiny import Trained

from lifecycle import InputError, config
from lifecycle.adopting import adopt, columns, example, gates, source, target
from lifecycle.monitoring import monitor

NAMES = {"TARGET": "", "TIME": "", "KEY": "", "POSITIVE": ""}
Table = Callable[[], pd.DataFrame]
RNG = np.random.default_rng(7)


def packaged(load: Callable[..., Any]) -> Table:
    """A data set of scikit-learn with its classes by name."""

    def table() -> pd.DataFrame:
        found = load(as_frame=True)
        frame: pd.DataFrame = found.frame
        if load is not datasets.load_diabetes:
            frame = frame.assign(target=frame["target"].map(dict(enumerate(found.target_names))))
        return frame

    return table


def penguins() -> pd.DataFrame:
    """Three classes of text, categories and gaps."""
    species = RNG.choice(["Adelie", "Chinstrap", "Gentoo"], 344, p=[0.44, 0.2, 0.36])
    bill = pd.Series(species).map({"Adelie": 39.0, "Chinstrap": 49.0, "Gentoo": 47.5}) + RNG.normal(scale=3, size=344)
    mass = pd.Series(species).map({"Adelie": 3700, "Chinstrap": 3730, "Gentoo": 5080}) + RNG.normal(scale=400, size=344)
    sex = pd.Series(RNG.choice(["female", "male"], 344)).where(RNG.random(344) > 0.03)
    return pd.DataFrame(
        {
            "island": RNG.choice(["Biscoe", "Dream"], 344),
            "bill mm": bill,
            "mass_g": mass.round(-1),
            "sex": sex,
            "target": species,
        }
    )


def timed() -> pd.DataFrame:
    """50,000 rows in no order, with a time, a key, a category, gaps, and rows without a target."""
    count = 50_000
    use = RNG.normal(size=count)
    plan = RNG.choice(["free", "paid", "trial"], count)
    churned = pd.Series(np.where(use + (plan == "trial") + RNG.normal(size=count) > 1.5, "yes", "no"))
    frame = pd.DataFrame(
        {
            "at": pd.date_range("2023-01-01", periods=count, freq="11min"),
            "id": np.arange(count),
            "use": np.where(RNG.random(count) < 0.1, np.nan, use),
            "plan": pd.Series(plan).where(RNG.random(count) > 0.05),
            "target": churned.where(RNG.random(count) > 0.01),
        }
    )
    return frame.sample(frac=1, random_state=0)


def rare() -> pd.DataFrame:
    """One positive in a thousand rows."""
    sign = RNG.normal(size=60_000)
    return pd.DataFrame({"sign": sign, "target": (sign + RNG.normal(scale=0.5, size=60_000) > 3.45).astype(int)})


def many() -> pd.DataFrame:
    """7,000 categories in a column."""
    city = RNG.integers(7000, size=25_000)
    up = RNG.normal(size=7000)[city] + RNG.normal(size=25_000) > 0
    return pd.DataFrame(
        {"city": [f"c{n}" for n in city], "size": RNG.normal(size=25_000), "target": np.where(up, "up", "down")}
    )


def odd() -> pd.DataFrame:
    """Names that no identifier has, or that the steps reserve."""
    names = [
        "größe (cm)",
        "a/b",
        'it\'s "q"',
        "1st",
        "x.y-z",
        "time",
        "Time",
        "label",
        "probability_x",
        "变量",
        "variable",
    ]
    frame = pd.DataFrame({name: RNG.normal(size=900) for name in names})
    frame["a/b"] = RNG.choice(["ja", "nein"], 900)
    return frame.assign(target=np.where(frame["größe (cm)"] + frame["Time"] > 0, "größer", "kleiner"))


def kinds() -> pd.DataFrame:
    """Booleans, nullable integers, integer categories, dates, free text, constants, lists and an empty column."""
    count = 1500
    flag, kind = RNG.random(count) < 0.4, RNG.integers(1, 4, count)
    words = np.array(["good", "bad", "slow", "fast", "odd", "fine"])
    return pd.DataFrame(
        {
            "flag": flag,
            "maybe": pd.Series(flag, dtype="boolean").mask(RNG.random(count) < 0.2),
            "count": pd.Series(RNG.integers(50, size=count), dtype="Int64").mask(RNG.random(count) < 0.2),
            "kind": kind,
            "joined": pd.date_range("2020-01-01", periods=count, freq="h").strftime("%Y-%m-%dT%H:%M:%S"),
            "notes": [" ".join([*RNG.choice(words, 6), str(row)]) for row in range(count)],
            "always": "same",
            "parts": [[1, 2]] * count,
            "empty": None,
            "number": np.arange(count) + 7,
            "target": flag * 2 + kind + RNG.normal(size=count) > 3,
        }
    )


TABLES: dict[str, tuple[Table, dict[str, str]]] = {
    "breast cancer": (packaged(datasets.load_breast_cancer), {}),
    "wine": (packaged(datasets.load_wine), {}),
    "iris": (packaged(datasets.load_iris), {}),
    "diabetes": (packaged(datasets.load_diabetes), {}),
    "penguins": (penguins, {}),
    "timed": (timed, {"TIME": "at", "KEY": "id"}),
    "rare": (rare, {}),
    "many": (many, {}),
    "odd": (odd, {}),
    "kinds": (kinds, {}),
}


@pytest.fixture
def repository(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with a configuration of another table, as the present folder."""
    monkeypatch.chdir(tmp_path)
    # Trees on few rows may answer otherwise in float32; in which format they are served is another test's.
    document = binary.document | {"train": binary.document["train"] | {"parity": 0.5}}
    Path("config.yaml").write_text("# Ours.\n" + yaml.safe_dump(document, sort_keys=False))
    git = Git()
    git("init", "--quiet")
    for name in ("name", "email"):
        git("config", f"user.{name}", "tester@example.org")
    git.commit("Start")
    return git


def adopted(frame: pd.DataFrame, **words: str) -> config.Config:
    """Adopt a table, and load what was written."""
    frame.to_parquet("table.parquet")
    adopt.run(Path("config.yaml"), Path("build"), "table.parquet", NAMES | {"TARGET": "target"} | words)
    return config.load(Path("config.yaml"))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_becomes_a_model_without_an_edit(name: str, repository: Git) -> None:
    table, words = TABLES[name]
    settings = adopted(table(), **words)
    decision = pipeline(settings, Path("build"))
    assert decision.passed, [one for one in decision.gates if one.outcome == "fail"]
    assert (Path("build") / "report.html").is_file()
    found = yaml.safe_load(Path("build/model/MLmodel").read_text())["metadata"]
    assert found["runtime"] == "onnx"


def test_numbers_with_a_decimal_comma_are_numbers_and_dates_with_points_begin_with_the_day(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("price;day;odd\n'1.234,5';01.02.2023;a\n'-2,25';13.02.2023;'1,5'\n;02.03.2023;\n".replace("'", '"'))
    frame = source.read(str(path))
    assert frame["price"].tolist()[:2] == [1234.5, -2.25]
    assert frame["odd"].tolist()[:2] == ["a", "1,5"]
    found = columns.moments(frame["day"])
    assert found is not None
    assert [f"{day:%Y-%m-%d}" for day in found] == ["2023-02-01", "2023-02-13", "2023-03-02"]
    assert columns.moments(pd.Series(["01/02/2023", "03/04/2023"])) is None, "either may be the day"
    assert columns.moments(pd.Series(["01/22/2023", "03/04/2023"])) is not None


def test_without_a_key_the_draw_goes_by_the_column_that_tells_rows_apart(
    repository: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of other columns is then tested on the same rows, and compared with the champion."""
    table = kinds().assign(customer=[f"c{number}" for number in range(len(kinds()))])
    settings = adopted(table)
    assert settings.data.key == ("number",)
    assert "number: tells rows apart, so the draw goes by it" in capsys.readouterr().out


def test_a_champion_gate_warns_only_where_the_test_rows_are_too_few() -> None:
    said: list[str] = []
    assert gates._champion("roc_auc", 0.001, 0.9, 1.96, 3000, said) == {
        "kind": "champion",
        "metric": "roc_auc",
        "margin": 0.0037,
    }
    few = gates._champion("mae", 0.1, 2.0, 1.96, 300, said)
    assert few == {"kind": "champion", "metric": "mae", "margin": 0.1, "undecided": "warn"}
    assert said == [
        "gates: ROC AUC at most 0.0037 below the champion's: with 3,000 test rows an equal model passes in 96% of "
        "cases, at a third of that margin in 23%",
        "gates: MAE at most 0.1 above the champion's: with 300 test rows an equal model passes in 17% of cases, with "
        "3,900 in 95%; until there are that many, a difference that the rows cannot tell from none only warns "
        "(`undecided: warn`)",
    ]


def test_what_each_column_is_good_for_is_said_and_written(repository: Git, capsys: pytest.CaptureFixture[str]) -> None:
    settings = adopted(kinds())
    said = capsys.readouterr().out
    assert list(settings.data.features) == ["flag", "maybe", "count", "kind"]
    assert [name for name, one in settings.data.features.items() if one.missing] == ["maybe", "count"]
    for sentence in (
        "target: two classes; true is positive, by its name",
        "joined: left out: a moment",
        "notes: left out: free text",
        "always: left out: 'same' in every row",
        "parts: left out: lists",
        "empty: left out: empty in every row",
        "number: left out: a whole number that no two rows share",
        "only warns (`undecided: warn`)",
        "with fewer than 5 it shows estimates and is off as an alarm",
        "+  path: data/table.parquet",
    ):
        assert sentence in said, sentence
    assert settings.data.target.positive == "true"
    page = Path("build/adopted.html").read_text()
    assert page.count('class="plotly-graph-div"') == 5
    assert "no two rows share" in page


def test_a_boolean_is_sent_as_true_or_false_and_logged_and_watched_as_such(repository: Git, tmp_path: Path) -> None:
    settings, build = adopted(kinds()), tmp_path / "build"
    pipeline(settings, Path("build"))
    service = client(Trained("binary_classification", tmp_path).but(build=build, settings=settings), tmp_path / "p")
    sent: list[dict[str, Any]] = [
        {"flag": bool(row % 3), "maybe": [True, False, None][row % 3], "count": row, "kind": 1 + row % 3}
        for row in range(100)
    ]
    answers = service.post("/predict", json={"jsonData": sent}).json()["jsonData"]
    numbers = [{name: None if value is None else float(value) for name, value in row.items()} for row in sent]
    assert service.post("/predict", json={"jsonData": numbers}).json()["jsonData"] == answers
    inputs = [
        {"name": "flag", "datatype": "BOOL", "shape": [2], "data": [True, False]},
        {"name": "kind", "datatype": "FP32", "shape": [2], "data": [1, 2]},
        {"name": "maybe", "datatype": "BOOL", "shape": [2], "data": [None, True]},
    ]
    assert service.post("/v2/models/tiny/infer", json={"inputs": inputs}).status_code == 200
    told = {one["name"]: one["datatype"] for one in service.get("/v2/models/tiny").json()["inputs"]}
    assert told == {"flag": "BOOL", "maybe": "BOOL", "count": "FP32", "kind": "FP32"}
    for change, reason in (
        ({"flag": "yes"}, "true or false"),
        ({"kind": True}, "a finite number"),
        ({"flag": None}, "true or false"),
    ):
        refused = service.post("/predict", json={"jsonData": [sent[0] | change]})
        assert refused.status_code == 400
        assert f"give it {reason}" in refused.text
    service.service.close()
    found = monitor.run(settings, build / "model", [str(tmp_path / "p")], None, datetime.now(UTC))
    assert found.log.rows == 202
    shares = {one.column: one.value for one in found.windows if one.kind == "quality" and one.metric == "missing"}
    assert (shares["flag"], shares["count"]) == (0, 0)
    assert shares["maybe"] == pytest.approx(0.33, abs=0.02)


def test_classes_that_differ_in_case_only_are_told_apart_by_the_monitor(repository: Git, tmp_path: Path) -> None:
    frame = kinds()
    settings = adopted(frame.assign(target=frame["target"].map({True: "No", False: "no"})))
    pipeline(settings, Path("build"))
    trained = Trained("binary_classification", tmp_path).but(build=tmp_path / "build", settings=settings)
    service = client(trained, tmp_path / "p")
    rows = [{"flag": bool(row % 2), "maybe": None, "count": None, "kind": 1 + row % 3} for row in range(100)]
    answers = service.post("/predict", json={"jsonData": rows}).json()["jsonData"]
    service.service.close()
    found = monitor.run(settings, tmp_path / "build/model", [str(tmp_path / "p")], None, datetime.now(UTC))
    means = {one.column: one.value for one in found.windows if one.kind == "output" and not one.reference}
    assert means["probability_no"] == pytest.approx(np.mean([one["probabilities"]["no"] for one in answers]))
    assert means["probability_No"] == pytest.approx(np.mean([one["probabilities"]["No"] for one in answers]))
    assert means["probability_no"] != means["probability_No"]


def test_a_feature_may_be_called_as_the_monitor_calls_its_own(repository: Git, tmp_path: Path) -> None:
    frame = packaged(datasets.load_iris)()
    settings = adopted(
        frame.rename(columns=dict(zip(frame.columns, ["Time", "Chunk", "period", "Label"], strict=False)))
    )
    pipeline(settings, Path("build"))
    trained = Trained("multiclass_classification", tmp_path).but(build=tmp_path / "build", settings=settings)
    service = client(trained, tmp_path / "p")
    rows = [{"Time": 5.0 + row % 3, "Chunk": 3.0, "period": 1.5, "Label": 0.2} for row in range(100)]
    for _ in range(2):
        body = {"jsonData": rows, "meta": {"puid": "checkout-service"}}
        assert service.post("/predict", json=body).status_code == 200
    service.service.close()
    changed = settings.monitor.model_copy(update={"window": 100})
    given = settings.model_copy(update={"monitor": changed})
    found = monitor.run(given, tmp_path / "build/model", [str(tmp_path / "p")], None, datetime.now(UTC))
    assert found.log.rows == 200
    assert "100 rows came under the request id of earlier ones" in " ".join(found.warnings)


def test_more_categories_than_columns_can_hold_are_encoded_by_their_target(repository: Git) -> None:
    assert adopted(many()).data.features["city"].encoding == "target"


def test_the_examples_estimator_learns_to_encode_them_and_a_teams_own_is_left_alone(
    repository: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("model").mkdir()
    for text, told in (("# The example.\n", ""), ("# Ours.\n", "model/estimator.py is yours: let it use")):
        Path("model/estimator.py").write_text(text)
        repository.commit("Estimator")
        if not told:
            repository("branch", "template")
            adopted(many())
            assert "encodes by the target" in capsys.readouterr().out
            assert Path("model/estimator.py").read_text() == adopt.EXAMPLE.read_text()
            repository("checkout", "--quiet", ".")
        else:
            with pytest.raises(InputError, match=told):
                adopted(many())
            assert Path("model/estimator.py").read_text() == text
    assert [name for name, _, _ in example.estimator(config.load(Path("config.yaml")))[0].transformers] == [
        *("numbers", "few", "many")
    ]


def test_later_rows_are_tested_on_where_a_time_is_named(repository: Git, capsys: pytest.CaptureFixture[str]) -> None:
    settings = adopted(timed(), TIME="at", KEY="id")
    assert isinstance(settings.split, config.Split)
    assert "rows have no target and are left out" in capsys.readouterr().out
    assert settings.monitor.window == 1450
    rows = pd.read_parquet("data/table.parquet")
    assert rows["at"].is_monotonic_increasing


def test_rows_of_one_key_are_drawn_together(repository: Git) -> None:
    frame = packaged(datasets.load_breast_cancer)().assign(patient=lambda rows: np.arange(len(rows)) // 3)
    settings = adopted(frame, KEY="patient")
    assert isinstance(settings.split, config.Draw)
    assert settings.split.group == "patient"
    assert "patient" not in settings.data.features


@pytest.mark.parametrize(
    ("labels", "positive", "classes"),
    [
        (["no"] * 60 + ["yes"] * 40, "", ("no", "yes")),
        (["yes"] * 40 + ["no"] * 60, "no", ("yes", "no")),
        (["good"] * 70 + ["bad"] * 30, "", ("good", "bad")),
        ([1] * 60 + [0] * 40, "", ("0", "1")),
        ([True] * 60 + [False] * 40, "", ("false", "true")),
        ([1.0] * 60 + [2.0] * 40, "", ("1", "2")),
        (["no"] * 60 + ["No"] * 40, "", ("no", "No")),
    ],
)
def test_the_positive_class_is_named_and_last(labels: list[Any], positive: str, classes: tuple[str, str]) -> None:
    found = target.decide(pd.Series(labels, name="target"), positive)
    assert (found.task, found.classes) == ("binary_classification", classes)
    assert f"{classes[1]} is positive" in found.why


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (range(100), "regression"),
        ([0.5, 1.5] * 50, "regression"),
        ([1, 2, 3] * 30, "multiclass_classification"),
        (["a", "b", "c"] * 30, "multiclass_classification"),
    ],
)
def test_the_task_follows_from_the_target(labels: Any, task: str) -> None:
    assert target.decide(pd.Series(list(labels), name="target"), "").task == task


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"TARGET": ""}, "needs FILE= and TARGET="),
        ({"TARGET": "outcome"}, r"has no column outcome; it has .*target"),
        ({"TIME": "a"}, "TIME a holds .*, no moments"),
        ({"POSITIVE": "perhaps"}, "POSITIVE is perhaps, which TARGET target does not have; it has no, yes"),
        ({"TARGET": "same"}, "has 1 different values, so nothing can be learnt"),
        ({"TARGET": "texts"}, "has 90 different texts, more than 30 classes"),
        ({"TARGET": "a", "POSITIVE": "1"}, "is a number without classes"),
        ({"KEY": "a,texts"}, r"no column that can be a feature \(same: '1' in every row\); add one"),
    ],
)
def test_a_wrong_word_is_told_and_nothing_is_written(words: dict[str, str], told: str, repository: Git) -> None:
    frame = pd.DataFrame(
        {"a": np.arange(90) / 7, "same": 1, "texts": [f"t{n}" for n in range(90)], "target": ["no", "yes"] * 45}
    )
    before = Path("config.yaml").read_bytes()
    with pytest.raises(InputError, match=told):
        adopted(frame, **words)
    assert Path("config.yaml").read_bytes() == before
    assert not Path("data").exists()


def test_a_persons_edit_that_is_not_committed_is_kept(repository: Git) -> None:
    Path("config.yaml").write_text("# Mine.\n" + Path("config.yaml").read_text())
    with pytest.raises(InputError, match="has changes that are not committed; commit them first"):
        adopted(penguins())
    assert Path("config.yaml").read_text().startswith("# Mine.\n# Ours.\n")


def test_all_else_stays_as_it_is_written(repository: Git) -> None:
    text = Path("config.yaml").read_text().replace("serve:\n", "# About serving.\nserve: # here\n")
    Path("config.yaml").write_text(text)
    repository.commit("Ours")
    adopted(penguins())
    after = Path("config.yaml").read_text()
    assert after.startswith("# Ours.\n")
    assert "# About serving.\nserve: # here\n" in after


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "x,target\n1,a\n2,b\n"),
        ("a.CSV", "x;target\n1;a\n2;b\n"),
        ("a.tsv", "x\ttarget\n1\ta\n2\tb\n"),
        ("a.txt", "x target\n1 a\n2 b\n"),
        ("a.csv", ",x,target\n0,1,a\n1,2,b\n"),
        ("a.jsonl", '{"x": 1, "target": "a"}\n{"x": 2, "target": "b"}\n'),
    ],
)
def test_a_table_is_read_by_its_ending(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert source.read(str(tmp_path / name)).to_dict("list") == {"x": [1, 2], "target": ["a", "b"]}


def test_a_compressed_table_in_a_store_is_read() -> None:
    import gzip

    import fsspec

    fsspec.filesystem("memory").pipe_file("/tables/a.csv.gz", gzip.compress(b"x,target\n1,None\n"))
    assert source.read("memory://tables/a.csv.gz").to_dict("list") == {"x": [1], "target": ["None"]}


@pytest.mark.parametrize(
    ("written", "told"), [("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "Windows-1252")]
)
def test_a_table_in_another_encoding_is_read_and_it_is_said(written: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Größe;target\ngroß €;1\n".encode(written))
    found = source.read(str(tmp_path / "a.csv"))
    assert found.to_dict("list") == {"Größe": ["groß €"], "target": [1]}
    assert found.attrs["encoding"] == told


@pytest.mark.parametrize("location", ["{}", "{}/*.parquet", "memory://adopted", "memory://adopted/*.parquet"])
def test_several_files_of_parquet_are_one_table(location: str, tmp_path: Path) -> None:
    import fsspec

    for name, values in (("1", [1, 2]), ("2", [3])):
        pd.DataFrame({"x": values}).to_parquet(tmp_path / f"{name}.parquet")
        fsspec.filesystem("memory").pipe_file(f"/adopted/{name}.parquet", (tmp_path / f"{name}.parquet").read_bytes())
    assert source.read(location.format(tmp_path)).to_dict("list") == {"x": [1, 2, 3]}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.xlsx", b"x", "whose ending says no format; give one that ends in .csv"),
        ("a.parquet", b"x,y\n1,2\n", "a.parquet is not parquet"),
        ("a.csv", b"", "cannot be read as csv"),
        ("a.csv", b"x,y\n", "has 0 rows and 2 columns"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as csv"),
        ("a.jsonl", b"{", "cannot be read as jsonl"),
        ("none.csv", None, "cannot be read as csv .*FileNotFoundError"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(name: str, content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told):
        source.read(str(tmp_path / name))


def test_bounds_leave_room_and_never_cross_zero() -> None:
    feature, _, _ = columns._number(pd.Series([3.0, 97.0]), missing=False)
    assert feature == {"type": "number", "min": 0, "max": 120}
    feature, _, _ = columns._number(pd.Series([-5.0, -1.0]), missing=False)
    assert feature == {"type": "number", "min": -5.8, "max": 0}


def test_every_choice_has_one_sentence() -> None:
    for one in columns.choose(kinds(), {"target"}):
        assert re.fullmatch(r"[^\n]+[^.\n]", one.why)
