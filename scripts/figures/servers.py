"""The compared servers, each started as in its documentation, with one worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import PROJECT, environments, sample

RIVALS = Path(__file__).parent / "rivals"
OURS = ("-m", "lifecycle")


@dataclass(frozen=True)
class Server:
    """How to start a server on `{port}` and query it; `answers` reads probabilities from a reply."""

    name: str
    place: Path
    command: list[str]
    path: str
    body: Callable[[sample.Sample], object]
    answers: Callable[[Any], list[float]]
    environment: dict[str, str] = field(default_factory=dict)


def _second(table: list[list[float]]) -> list[float]:
    return [row[1] for row in table]


def _ndarray(answer: Any) -> list[float]:
    return _second(answer["data"]["ndarray"])


def ours(name: str, place: str, configuration: str, folder: Path, program: Sequence[str] = OURS) -> Server:
    """Our service, or a program that starts it in another way."""
    step = ["python", *program, "--config", f"{folder}/{configuration}.yaml", "serve"]
    step += ["--model", f"{folder}/build/model", "--predictions", "predictions"]
    own = {"PYTHONPATH": str(PROJECT), "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "{port}"}
    return Server(name, environments.own(place), step, "/api/v1.0/predictions", sample.seldon, _ndarray, own)


def _stock(name: str, place: str, user: str, model: Path) -> Server:
    command = ["seldon-core-microservice", user, "--service-type", "MODEL", "--http-port", "{port}"]
    command += ["--grpc-port", "{second}", "--metrics-port", "{third}"]
    own = {"PYTHONPATH": str(RIVALS), "MODEL": str(model)}
    return Server(name, environments.rival(place), command, "/api/v1.0/predictions", sample.seldon, _ndarray, own)


def servers(folder: Path) -> dict[str, Server]:
    """All servers, for the models that `sample.make` wrote to `folder`."""
    onnx, pickled = folder / "build/model/model.onnx", folder / "model.joblib"
    mlflow = ["mlflow", "models", "serve", "--model-uri", f"{folder}/mlflow"]
    ports = {"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{second}", "MLSERVER_METRICS_PORT": "{third}"}
    return {
        "off": ours("ours, without its log", "serve", "off", folder),
        "on": ours("ours", "serve", "on", folder),
        "empty": ours("an empty application on our server", "serve", "off", folder, [str(RIVALS / "empty.py")]),
        "two": ours("ours with two workers, without its log", "serve", "two", folder),
        "tuned": ours("ours in Seldon's wrapper, without its log", "seldon", "seldon", folder),
        "stock": _stock("Seldon's wrapper, ONNX", "seldon-onnx", "stock_onnx.StockOnnx", onnx),
        "sklearn": _stock("Seldon's wrapper, scikit-learn", "seldon-sklearn", "stock_sklearn.StockSklearn", pickled),
        "mlserver": Server(
            "MLServer, scikit-learn",
            environments.rival("mlserver"),
            ["mlserver", "start", f"{folder}/mlserver"],
            "/v2/models/model/infer",
            sample.tensors,
            lambda answer: list(answer["outputs"][0]["data"][1::2]),
            {"MLSERVER_HOST": "127.0.0.1", "MLSERVER_DEBUG": "false", **ports},
        ),
        "mlflow": Server(
            "`mlflow models serve`",
            environments.rival("mlflow"),
            [*mlflow, "--env-manager", "local", "--workers", "1", "--port", "{port}"],
            "/invocations",
            sample.split,
            lambda answer: _second(answer["predictions"]),
        ),
        "fastapi": Server(
            "FastAPI, pydantic, ONNX",
            environments.rival("fastapi"),
            ["uvicorn", "fast:app", "--no-access-log", "--port", "{port}"],
            "/predict",
            sample.objects,
            lambda answer: _second(answer["probabilities"]),
            {"PYTHONPATH": str(RIVALS), "MODEL": str(onnx)},
        ),
    }
