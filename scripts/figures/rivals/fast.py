"""FastAPI with pydantic and the ONNX file, as in its tutorial."""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel


class Flight(BaseModel):  # type: ignore[misc]
    departure_delay: float
    scheduled_departure: float
    scheduled_arrival: float
    distance: float
    aircraft_age: float | None
    seats: float | None
    temperature: float | None
    humidity: float | None
    wind_direction: float | None
    wind_speed: float | None
    precipitation: float | None
    pressure: float | None
    visibility: float | None
    carrier: str
    origin: str
    destination: str
    weekday: str
    manufacturer: str


class Request(BaseModel):  # type: ignore[misc]
    rows: list[Flight]


class Answer(BaseModel):  # type: ignore[misc]
    probabilities: list[list[float]]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
types = {column.name: "object" if column.type == "tensor(string)" else "float32" for column in session.get_inputs()}
app = FastAPI()


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict(request: Request) -> Answer:
    feed = {name: np.array([getattr(row, name) for row in request.rows], kind) for name, kind in types.items()}
    return Answer(probabilities=np.array(session.run(None, feed)).T.tolist())
