"""An ordinary class for Seldon's wrapper, with the ONNX file."""

import os
from typing import Any

import numpy as np


class StockOnnx:
    def load(self) -> None:
        import onnxruntime  # imported before the wrapper forks, it would hang at the end

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self.types = {column.name: column.type for column in self.session.get_inputs()}

    def predict(self, rows: Any, names: list[str], meta: object = None) -> Any:
        feed = {}
        for index, name in enumerate(names):
            kind = "object" if self.types[name] == "tensor(string)" else "float32"
            feed[name] = rows[:, index].astype(kind)
        return np.array(self.session.run(None, feed)).T
