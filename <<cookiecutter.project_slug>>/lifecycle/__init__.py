"""The life of a model service, from its data to its monitor: every step reads files and writes files."""

import os

# ONNX Runtime, MLflow and NannyML would tell their makers of each use, the first by way of a file in the home folder.
os.environ.update(ORT_DISABLE_TELEMETRY="1", MLFLOW_DISABLE_TELEMETRY="true", NML_DISABLE_USAGE_LOGGING="1")


class InputError(Exception):
    """What a person has to put right, as one sentence: what was found, where, and what to do.

    `parts` are its single findings, each with a title and the line of `file` where it stands, or 0.
    """

    def __init__(self, sentence: str, file: str = "", parts: tuple[tuple[str, str, int], ...] = ()) -> None:
        super().__init__(sentence)
        self.file, self.parts = file, parts
