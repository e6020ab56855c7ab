"""The model for all servers, and the rows to send, in each server's own format."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from figures import PROJECT, environments
from figures.command import seconds

COPIES = Path(__file__).parent / "rivals/copies.py"


@dataclass(frozen=True)
class Sample:
    """Rows of the columns `names`, the numeric ones in `numbers`, and scikit-learn's probability for each row."""

    names: list[str]
    numbers: list[str]
    rows: list[list[Any]]
    expected: list[float]

    def repeated(self, count: int) -> "Sample":
        times = -(-count // len(self.rows))
        return Sample(self.names, self.numbers, self.rows * times, self.expected * times).head(count)

    def head(self, count: int) -> "Sample":
        return Sample(self.names, self.numbers, self.rows[:count], self.expected[:count])


def make(folder: Path) -> Sample:
    """Train the example's model below `folder` with the model repository's steps, and copy it for each server."""
    train, build = environments.own("train"), folder / "build"
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    seconds(["make", "--silent", "-C", str(PROJECT), "data", "train", f"BUILD={build}"], own)
    seconds([f"{train}/bin/python", str(COPIES), str(PROJECT / "config.yaml"), str(build), str(folder)], own, folder)
    kinds = (("on", True), ("durable", True), ("off", False), ("two", False), ("seldon", False))
    for name, logged in kinds:
        document = yaml.safe_load((PROJECT / "config.yaml").read_text())
        document["serve"]["server"] = "seldon-core" if name == "seldon" else "asgi"
        document["serve"]["workers"] = 2 if name == "two" else 1
        document["serve"]["log"] |= {"enabled": logged, "durable": name == "durable"}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    # MLServer needs its own folder.
    (folder / "mlserver").mkdir()
    implementation = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
    settings = implementation | {"parameters": {"uri": str(folder / "model.joblib")}}
    (folder / "mlserver/model-settings.json").write_text(json.dumps(settings))
    return Sample(**json.loads((folder / "sample.json").read_text()))


def seldon(sample: Sample) -> object:
    return {"data": {"names": sample.names, "ndarray": sample.rows}}


def objects(sample: Sample) -> object:
    return {"rows": [dict(zip(sample.names, row, strict=True)) for row in sample.rows]}


def split(sample: Sample) -> object:
    """MLflow's format."""
    return {"dataframe_split": {"columns": sample.names, "data": sample.rows}}


def tensors(sample: Sample) -> object:
    """The Open Inference Protocol's format, which MLServer reads into a data frame."""
    columns = []
    for index, name in enumerate(sample.names):
        kind = {"datatype": "FP64"} if name in sample.numbers else {"datatype": "BYTES"}
        content = {} if name in sample.numbers else {"parameters": {"content_type": "str"}}
        values = [row[index] for row in sample.rows]
        columns.append({"name": name, "shape": [len(values), 1], "data": values} | kind | content)
    return {"parameters": {"content_type": "pd"}, "inputs": columns, "outputs": [{"name": "predict_proba"}]}
