"""An ordinary class for Seldon's wrapper, with the scikit-learn pipeline."""

import os
from typing import Any

import joblib
import pandas as pd


class StockSklearn:
    def load(self) -> None:
        self.pipeline = joblib.load(os.environ["MODEL"])
        self.numbers = self.pipeline["encode"].transformers_[0][2]

    def predict(self, rows: Any, names: list[str], meta: object = None) -> Any:
        frame = pd.DataFrame(rows, columns=names)
        return self.pipeline.predict_proba(frame.astype(dict.fromkeys(self.numbers, "float32")))
