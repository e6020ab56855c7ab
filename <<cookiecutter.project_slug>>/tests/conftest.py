"""What your tests share: the configuration, and the rows that it makes of your data."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lifecycle import config
from lifecycle.artifact import frames
from lifecycle.config import Config
from lifecycle.rows import data


@pytest.fixture(scope="session")
def settings() -> Config:
    """`config.yaml`, which is refused here if it has a mistake."""
    return config.load(Path("config.yaml"))


@pytest.fixture(scope="session")
def parts(settings: Config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The rows of `train` and `test` with all columns of the data file and their label, as `make data` splits them."""
    build = tmp_path_factory.mktemp("build")
    data.run(settings, build)
    return {name: data.read(build / "data" / f"{name}.parquet", settings)[0] for name in ("train", "test")}


@pytest.fixture(scope="session")
def few(settings: Config, parts: dict[str, Any]) -> Any:
    """At most 500 of the rows to train on, with every class among them."""
    train = parts["train"]
    if settings.task == "regression":
        return train.sample(min(500, len(train)), random_state=0)
    each = 500 // len(settings.data.target.classes)
    return pd.concat([rows.sample(min(each, len(rows)), random_state=0) for _, rows in train.groupby(frames.LABEL)])
