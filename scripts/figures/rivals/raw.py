"""Prints the CPU microseconds of a call of onnxruntime with its inputs ready, by the number of rows."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from spent import microseconds  # type: ignore[import-not-found]


def main(model: str, sample: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    types = {column.name: column.type for column in session.get_inputs()}
    told = json.loads(Path(sample).read_text())
    outputs, found = [output.name for output in session.get_outputs()], dict[str, float]()
    for count in (1, 100):
        columns = zip(told["names"], zip(*told["rows"][:count], strict=True), strict=True)
        feed = {
            name: np.array(values, "object" if types[name] == "tensor(string)" else "float32")
            for name, values in columns
        }
        found[str(count)] = microseconds(lambda feed=feed: session.run(outputs, feed), 100)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
