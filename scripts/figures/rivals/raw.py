"""Prints the CPU microseconds of a call of onnxruntime with its inputs ready, by the number of rows."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

SECONDS = 0.5


def microseconds(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> float:
    outputs, calls = [output.name for output in session.get_outputs()], 0
    begin = time.process_time()
    while (spent := time.process_time() - begin) < SECONDS:
        for _ in range(100):
            session.run(outputs, feed)
        calls += 100
    return spent / calls * 1e6


def main(model: str, sample: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    types = {column.name: column.type for column in session.get_inputs()}
    told = json.loads(Path(sample).read_text())
    found = {}
    for count in (1, 100):
        columns = zip(told["names"], zip(*told["rows"][:count], strict=True), strict=True)
        feed = {
            name: np.array(values, "object" if types[name] == "tensor(string)" else "float32")
            for name, values in columns
        }
        found[str(count)] = microseconds(session, feed)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
