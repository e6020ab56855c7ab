"""The team's `model/features.py`: one code makes the features in training and in serving."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
from conftest import forget
from served import client
from tiny import LOCK, Trained

from lifecycle import InputError, files
from lifecycle.artifact.predictor import Predictor
from lifecycle.artifact.requests import RequestError
from lifecycle.config import Config
from lifecycle.documents import record
from lifecycle.evaluation import evaluate, gate
from lifecycle.rows import data
from lifecycle.training import train

CODE = '''"""Features of orders."""

import numpy as np
import pandas as pd

from model.prices import REFERENCE


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": np.log1p(frame["price"] / REFERENCE),
            "hour": frame["ordered_at"].dt.hour,
            "colour": frame["label"].str.lower().str.strip(),
        }
    )
'''
LOAD = """

def load(path):
    return pd.read_csv(path, sep=";", parse_dates=["ordered_at", "moment"])
"""
RAW = {
    "price": {"type": "number", "missing": True},
    "ordered_at": {"type": "time"},
    "label": {"type": "category"},
}


@pytest.fixture
def team(package: Path) -> Path:
    """A package with features and the module that they need."""
    (package / "prices.py").write_text("REFERENCE = 3.0\n")
    (package / "features.py").write_text(CODE)
    (package / "estimator.py").write_text("from lifecycle.adopting.example import estimator\n")
    return package


def orders() -> pd.DataFrame:
    frame, generator = tiny.rows(), np.random.default_rng(1)
    return pd.DataFrame(
        {
            "moment": frame["moment"],
            "price": np.exp(frame["number"].astype("float64")),
            "ordered_at": frame["moment"].dt.tz_localize(None)
            - pd.to_timedelta(generator.integers(99, size=len(frame)), "h"),
            "label": frame["colour"].str.upper() + " ",
            "outcome": frame["outcome"],
        }
    )


def configured(folder: Path, frame: pd.DataFrame | None = None, **changes: Any) -> Config:
    path = folder / "orders.parquet"
    document = tiny.document("binary_classification", path, tiny.save(orders() if frame is None else frame, path))
    document["data"]["features"] = {
        "number": {"type": "number", "missing": True},
        "hour": {"type": "number", "min": 0, "max": 23},
        "colour": {"type": "category"},
    }
    document["data"]["raw"] = RAW
    document["data"] |= changes
    return tiny.settings(document)


@pytest.fixture
def built(team: Path, tmp_path: Path) -> tuple[Config, Path]:
    """A trained model that makes its features."""
    settings, build = configured(tmp_path), tmp_path / "build"
    data.run(settings, build, ["colour"])
    train.run(settings, build, LOCK)
    return settings, build


ROW = {"price": 2.5, "ordered_at": "2020-01-05T13:30:00+02:00", "label": " Red "}


def test_serving_makes_the_features_of_training_bit_for_bit(built: tuple[Config, Path]) -> None:
    settings, build = built
    test, _ = data.read(build / "data/test.parquet", settings)
    golden = json.loads((build / "model/golden.json").read_text())
    predictor = Predictor(build / "model")
    predictor.check()
    assert set(golden["rows"][0]) == set(RAW)
    served = predictor.inputs({name: [row[name] for row in golden["rows"]] for name in RAW})
    place = [row["ordered_at"] for row in golden["rows"]].index(golden["rows"][0]["ordered_at"])
    assert served["number"].dtype == np.float32
    assert served["number"][place].tobytes() == test["number"].to_numpy("float32")[0].tobytes()
    assert golden["features"] == {name: golden["features"][name] for name in ("number", "hour", "colour")}
    request = predictor.inputs({name: [value] for name, value in ROW.items()})
    assert isinstance(request, dict)  # as features are made of its columns
    assert {name: values.tolist() for name, values in request.items()} == {
        "number": [pytest.approx(np.log1p(2.5 / 3), rel=1e-6)],
        "hour": [11.0],
        "colour": ["red"],
    }


def test_a_service_that_would_make_other_features_is_not_ready(built: tuple[Config, Path]) -> None:
    _, build = built
    (build / "model/code/model/prices.py").write_text("REFERENCE = 3.0000001\n")
    files.seal(build / "model")
    with pytest.raises(InputError, match=r"makes number of its golden rows as .* not .* as training did"):
        Predictor(build / "model").check()


def test_requests_hold_raw_columns_and_the_log_the_features(built: tuple[Config, Path], tmp_path: Path) -> None:
    settings, build = built
    trained = Trained.__new__(Trained)
    trained.build, trained.settings, trained.task = build, settings, "binary_classification"
    service = client(trained, tmp_path / "log")
    answer = service.post("/api/v1.0/predictions", json={"jsonData": [ROW, ROW | {"price": None}]})
    assert answer.status_code == 200, answer.text
    logged = [
        json.loads(line) for path in (tmp_path / "log").rglob("*.jsonl") for line in path.read_text().splitlines()
    ]
    assert logged[0]["features"] == {"number": pytest.approx(0.606, abs=1e-3), "hour": 11.0, "colour": "red"}
    assert logged[1]["features"]["number"] is None
    inputs = [
        {"name": name, "shape": [1], "datatype": "FP64" if name == "price" else "BYTES", "data": [value]}
        for name, value in ROW.items()
    ]
    told = service.post("/v2/models/tiny/infer", json={"inputs": inputs}).json()
    assert told["outputs"][0]["data"] == [answer.json()["jsonData"][0]["prediction"]]
    assert [column["name"] for column in service.get("/v2/models/tiny").json()["inputs"]] == sorted(RAW)
    row = service.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert row["properties"]["ordered_at"] == {"type": "string", "format": "date-time"}
    assert row["required"] == ["label", "ordered_at"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ROW | {"ordered_at": "noon"}, 'Row 0 has "noon" in the column ordered_at; give it an ISO 8601 time.'),
        (ROW | {"ordered_at": None}, "Row 0 lacks the column ordered_at"),
        (ROW | {"hour": 3}, "unknown column hour"),
        (
            ROW | {"price": -3.0},
            "No features can be made of these rows",
        ),
    ],
)
def test_a_raw_row_that_does_not_fit_is_refused_with_a_sentence(
    row: dict[str, Any], sentence: str, built: tuple[Config, Path]
) -> None:
    predictor = Predictor(built[1] / "model")
    with pytest.raises(RequestError, match=sentence):
        predictor.inputs({name: [value] for name, value in row.items()})


def test_an_unseen_category_is_told_after_the_features_are_made(built: tuple[Config, Path]) -> None:
    with pytest.raises(RequestError, match='"mauve" in the column colour, which was not seen in training'):
        Predictor(built[1] / "model", unknown_categories=False).inputs(
            {name: [value] for name, value in (ROW | {"label": "MAUVE"}).items()}
        )


WRONG = {
    "drops": ("return frame[['price']].dropna()", r"returns \d+ rows for 4000"),
    "duplicates": ("return pd.concat([frame, frame])", "returns 8000 rows for 4000"),
    "reorders": ("return made(frame).sort_values('number')", "returns the rows in another order"),
    "reorders and hides it": (
        "return made(frame).sort_values('number').reset_index(drop=True)",
        "gives a row another .*number.* when it is asked alone or in another order; let each row's features",
    ),
    "learns from the rows": (
        "found = made(frame); found['number'] -= found['number'].mean(); return found",
        "gives a row another number when",
    ),
    "reads the target": (
        "frame['outcome']",
        r"fails \(KeyError: 'outcome' in line 5 of model/features.py\); read only the",
    ),
    "no frame": ("return 3", "returns int, no DataFrame"),
    "no column": ("return made(frame)[['number']]", "returns no column colour, hour, which data.features"),
    "no numbers": (
        "return made(frame).assign(hour='noon')",
        "hour of model/features.py holds object, no numbers",
    ),
    "empty": (
        "return made(frame).assign(hour=np.nan)",
        "hour of model/features.py is missing in 4000 rows, which data.f",
    ),
    "out of bounds": (
        "return made(frame).assign(hour=99)",
        "column hour of model/features.py leaves 0.0 to 23.0 in 4000",
    ),
    "fails": ("raise ValueError('no')", r"fails \(ValueError: no in line 5 of model/features.py\); correct it"),
}


@pytest.mark.parametrize(("line", "sentence"), WRONG.values(), ids=WRONG)
def test_code_that_serving_could_not_repeat_is_refused(line: str, sentence: str, team: Path, tmp_path: Path) -> None:
    (team / "features.py").write_text(
        f"import pandas as pd; import numpy as np\nfrom model.rest import made\n\ndef features(frame):\n    {line}\n"
    )
    (team / "rest.py").write_text(CODE.replace("def features", "def made"))
    with pytest.raises(InputError, match=sentence):
        data.run(configured(tmp_path), tmp_path / "build")


def test_the_code_and_the_columns_that_it_gets_come_together(team: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config.yaml does not say of which columns; name them under data"):
        data.run(configured(tmp_path, raw={}), tmp_path / "build")
    (team / "features.py").unlink()
    forget()
    with pytest.raises(InputError, match=r"data\.raw is set, but there is no features\(\) in model/features.py"):
        data.run(configured(tmp_path), tmp_path / "build")
    with pytest.raises(ValueError, match="the target cannot be a raw column"):
        configured(tmp_path, raw=RAW | {"outcome": {"type": "number"}})


def test_the_teams_code_may_read_the_files(team: Path, tmp_path: Path) -> None:
    (team / "features.py").write_text(CODE + LOAD)
    settings = configured(tmp_path)
    path = tmp_path / "orders.csv"
    orders().to_csv(path, sep=";", index=False)
    section = settings.data.model_copy(update={"path": str(path), "sha256": files.sha256(path.read_bytes())})
    read = settings.model_copy(update={"data": section})
    assert "rows to train on" in data.run(read, tmp_path / "build")
    (team / "features.py").write_text(CODE + "\n\ndef load(path):\n    return 3\n")
    forget()
    with pytest.raises(InputError, match="returns int; let it return a DataFrame"):
        data.run(read, tmp_path / "build")


def test_a_champion_answers_with_its_own_features(built: tuple[Config, Path], team: Path, tmp_path: Path) -> None:
    """The candidate's code and configuration have changed; the difference is measured on the same raw rows."""
    settings, build = built
    (team / "features.py").write_text(CODE.replace("np.log1p(frame", "-np.log1p(frame"))
    forget()
    other = tmp_path / "other"
    data.run(settings, other)
    train.run(settings, other, LOCK)
    evaluate.run(settings, other, build / "model")
    found = record.evaluation(other / "evaluation.json")
    assert found.champion
    assert not found.champion.unanswered
    assert abs(found.champion.differences["roc_auc"].value) < 0.02
    assert gate.decide(settings, found).gates[0].outcome == "pass"


def test_a_repository_that_starts_to_make_features_is_compared_with_one_that_did_not(
    binary: Trained, team: Path, tmp_path: Path
) -> None:
    frame = tiny.rows()
    both = orders().assign(number=frame["number"], colour=frame["colour"])
    settings, build = configured(tmp_path, both), tmp_path / "build"
    data.run(settings, build)
    train.run(settings, build, LOCK)
    evaluate.run(settings, build, binary.build / "model")
    found = record.evaluation(build / "evaluation.json")
    assert found.champion
    assert found.champion.metrics["roc_auc"] == record.evaluation(binary.build / "evaluation.json").metrics["roc_auc"]
    assert "number is gone" in " ".join(found.champion.requests.breaks)


def test_without_such_code_nothing_changes(binary: Trained) -> None:
    assert not (binary.build / "model/code").exists()
    assert not (binary.build / "data/raw.parquet").exists()
    assert Predictor(binary.build / "model").derived is None
