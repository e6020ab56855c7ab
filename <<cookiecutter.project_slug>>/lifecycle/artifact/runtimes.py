"""Runs a model file: ONNX, or skops if the ONNX conversion would answer differently."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle import InputError
from lifecycle.tasks import Task

type Array = np.ndarray[Any, Any]
type Runtime = Callable[[Mapping[str, Array]], Array]

# Types that a model.skops may hold beyond skops' own list. Loading a type runs code: read it before you add it.
TRUSTED = (
    "functools.partial",
    "numpy.dtype",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)


def _onnx(path: Path, names: list[str], task: Task) -> Runtime:
    """A model.onnx, run in one thread because its inputs are too small for more."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it would print, its exceptions say
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    wanted = [output.name for output in session.get_outputs()]

    if found := {column.name for column in session.get_inputs()} ^ set(names):
        raise InputError(f"{path} and its signature do not both have {', '.join(sorted(found))}; train it again.")

    def run(columns: Mapping[str, Array]) -> Array:
        outputs = session.run(wanted, {name: columns[name] for name in names})
        return outputs[0] if task == "regression" else np.array(outputs, dtype="float64").T

    return run


def _skops(path: Path, names: list[str], task: Task) -> Runtime:
    """The scikit-learn estimator of a model.skops; raises InputError when it holds a type outside TRUSTED."""
    import pandas as pd
    import skops.io

    found = set(skops.io.get_untrusted_types(file=path))
    if own := sorted(name for name in found if name.startswith("model.")):
        raise InputError(
            f"{path} holds {', '.join(own)}, which is code of this repository that no image has; use parts of "
            "scikit-learn, or put the code into a package of locks/skops.txt."
        )
    untrusted = sorted(found - set(TRUSTED))
    if untrusted:
        raise InputError(
            f"{path} holds {', '.join(untrusted)}, which lifecycle/artifact/runtimes.py does not trust; "
            "use another estimator, or read what the type does when it is loaded and add it to TRUSTED."
        )
    fitted = skops.io.load(path, trusted=list(TRUSTED))
    predict = fitted.predict if task == "regression" else fitted.predict_proba

    def run(columns: Mapping[str, Array]) -> Array:
        answers: Array = predict(pd.DataFrame({name: columns[name] for name in names}))
        return answers

    return run


RUNTIMES: dict[str, Callable[[Path, list[str], Task], Runtime]] = {"onnx": _onnx, "skops": _skops}


def load(name: str, folder: Path, names: list[str], task: Task) -> Runtime:
    """A function from columns of shape (n,) to values (n,) or probabilities (n, classes).

    Raises InputError when a package is missing, or the file is damaged or untrusted.
    """
    path = folder / f"model.{name}"
    try:
        return RUNTIMES[name](path, names, task)
    except ImportError as error:
        raise InputError(f"{path} needs {error.name}, which is not installed; install locks/{name}.txt.") from error
    except InputError:
        raise
    except Exception as error:  # onnxruntime and skops have a different exception for each kind of damage
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded ({reason}); copy it or train it again.") from error
