"""The example's estimator for tables in which a category has many values: each becomes the mean of its target."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from lifecycle.config import Config


def estimator(settings: Config) -> Pipeline:
    """Gradient boosting on the numbers as they are and the categories as their `encoding` in `config.yaml` says.

    Numbers are not scaled: in float32, as ONNX computes, a scaler moves rows across the trees' thresholds.
    """
    features = settings.data.features
    numbers = [name for name, feature in features.items() if feature.type == "number"]
    categories = [name for name, feature in features.items() if feature.type == "category"]
    many = [name for name in categories if features[name].encoding == "target"]
    few = [name for name in categories if name not in many]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    means = TargetEncoder(random_state=settings.train.seed)
    boosting = HistGradientBoostingRegressor if settings.task == "regression" else HistGradientBoostingClassifier
    return Pipeline(
        [
            (
                "encode",
                ColumnTransformer([("numbers", "passthrough", numbers), ("few", one_hot, few), ("many", means, many)]),
            ),
            ("boost", boosting(random_state=settings.train.seed).set_params(**settings.train.parameters)),
        ]
    )
