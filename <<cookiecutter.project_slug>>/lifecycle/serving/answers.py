"""Writes the answers to rows as JSON, once for the caller and the log."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import orjson

from lifecycle.artifact.predictor import Predictions


class Form:
    """The JSON of an answer to one row: the prediction and, of a model with classes, the probability of each."""

    def __init__(self, classes: Sequence[str]) -> None:
        names = [orjson.dumps(name).replace(b"%", b"%%") for name in classes]
        shares = b",".join(name + b":%b" for name in names)
        self._forms = [b'{"prediction":' + name + b',"probabilities":{' + shares + b"}}" for name in names]

    def rows(self, found: Predictions) -> list[bytes]:
        """The answers in their order."""
        if found.probabilities is None:
            values = orjson.dumps(found.labels, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
            return [b'{"prediction":%b}' % value for value in values]
        table = orjson.dumps(np.ascontiguousarray(found.probabilities), option=orjson.OPT_SERIALIZE_NUMPY)
        rows = table[2:-2].split(b"],[")
        forms = self._forms
        return [forms[code] % tuple(row.split(b",")) for code, row in zip(found.labels.tolist(), rows, strict=True)]


class Answered:
    """The predictions of one request, and the JSON of each, made when it is first needed."""

    def __init__(self, predictions: Predictions, form: Form) -> None:
        self.predictions, self._form = predictions, form

    @cached_property
    def rows(self) -> list[bytes]:
        return self._form.rows(self.predictions)
