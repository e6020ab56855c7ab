"""Runs a model file: ONNX, or skops if the ONNX conversion would answer differently."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle import InputError
from lifecycle.artifact import code, matrix
from lifecycle.tasks import Task

type Array = np.ndarray[Any, Any]
type Inputs = Mapping[str, Array] | Array  # columns (n,) by name, or the matrix of lifecycle.artifact.matrix
type Runtime = Callable[[Inputs], Array]

# Types that a model.skops may hold beyond skops' own list. Loading a type runs code: read it before you add it. Those
# of a team's packages stand in its config.yaml; those of its package `model` are trusted, as they come with the model.
TRUSTED = (
    "collections.OrderedDict",
    "functools.partial",
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.interpolate._bsplines._BSpline",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)


def untrusted(found: Collection[str], trusted: Collection[str]) -> list[str]:
    """The types among those found that neither this module nor `train.trusted` of config.yaml names."""
    return sorted(name for name in {*found} - {*TRUSTED, *trusted} if not code.ours(name))


def _session(path: Path) -> Any:
    """A graph that is run in one thread, as its inputs are too small for more."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it would print, its exceptions say
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _matrix(path: Path, _: Sequence[str], task: Task, __: Collection[str]) -> Runtime:
    """The graph that reads a matrix; a single row goes through memory that is bound once, which halves the call."""
    session, wanted = _session(path), [matrix.OUTPUT]
    bound = _Bound(session)

    def run(inputs: Inputs) -> Array:
        answers: Array = bound.run(inputs) if len(inputs) == 1 else session.run(wanted, {matrix.INPUT: inputs})[0]
        return answers[:, 0] if task == "regression" else answers

    return run


class _Bound(threading.local):
    """One row's input and answer in each thread."""

    def __init__(self, session: Any) -> None:
        import onnxruntime

        width = session.get_inputs()[0].shape[1]
        self._session, self._input = session, np.zeros((1, width), "float32")
        answer = session.run([matrix.OUTPUT], {matrix.INPUT: self._input})[0]
        self._answer = onnxruntime.OrtValue.ortvalue_from_numpy(answer)
        self._binding = session.io_binding()
        self._binding.bind_cpu_input(matrix.INPUT, self._input)
        self._binding.bind_ortvalue_output(matrix.OUTPUT, self._answer)

    def run(self, inputs: Inputs) -> Array:
        self._input[:] = inputs
        self._session.run_with_iobinding(self._binding)
        answers: Array = self._answer.numpy()  # a copy
        return answers


def _onnx(path: Path, names: Sequence[str], task: Task, _: Collection[str]) -> Runtime:
    """The graph with named columns."""
    session = _session(path)
    wanted = [output.name for output in session.get_outputs()]
    if found := {column.name for column in session.get_inputs()} ^ set(names):
        raise InputError(f"{path} and its signature do not both have {', '.join(sorted(found))}; train it again.")

    def run(inputs: Inputs) -> Array:
        outputs = session.run(wanted, {name: inputs[name] for name in names})
        return outputs[0] if task == "regression" else np.array(outputs, dtype="float64").T

    return run


def _skops(path: Path, names: Sequence[str], task: Task, trusted: Collection[str]) -> Runtime:
    """The estimator of a model.skops; raises InputError when it holds a type that is not trusted."""
    import pandas as pd
    import skops.io

    found = skops.io.get_untrusted_types(file=path)
    if unknown := untrusted(found, trusted):
        raise InputError(
            f"{path} holds {', '.join(unknown)}, which train.trusted in config.yaml does not name; read what the type "
            "does when it is loaded, then add it there, or use another estimator."
        )
    with code.carried(path.parent):
        fitted = skops.io.load(path, trusted=found)
    predict = fitted.predict if task == "regression" else fitted.predict_proba

    def run(inputs: Inputs) -> Array:
        answers: Array = predict(pd.DataFrame({name: inputs[name] for name in names}))
        return answers

    return run


RUNTIMES: dict[str, Callable[[Path, Sequence[str], Task, Collection[str]], Runtime]] = {"onnx": _onnx, "skops": _skops}


def load(name: str, folder: Path, names: Sequence[str], task: Task, trusted: Collection[str]) -> Runtime:
    """A function from columns of shape (n,) to values (n,) or probabilities (n, classes).

    Raises InputError when a package is missing, or the file is damaged or untrusted.
    """
    path, open_ = folder / f"model.{name}", RUNTIMES[name]
    if name == "onnx" and (folder / matrix.GRAPH).exists():
        path, open_ = folder / matrix.GRAPH, _matrix
    try:
        return open_(path, names, task, trusted)
    except ImportError as error:
        locks = "locks/skops.txt and locks/model.txt" if name == "skops" else "locks/serve.txt"
        raise InputError(f"{path} needs {error.name}, which is not installed; install {locks}.") from error
    except InputError:
        raise
    except Exception as error:  # onnxruntime and skops have a different exception for each kind of damage
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded ({reason}); copy it or train it again.") from error
