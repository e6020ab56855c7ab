"""The model that is trained: yours to change, as long as it is a scikit-learn estimator."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from model.config import Config


def estimator(settings: Config) -> Pipeline:
    """Gradient boosting on the numbers as they are and the categories encoded as `encoding` in `config.yaml` says.

    Numbers are not scaled: in float32, as ONNX computes, a scaler moves rows across the trees' thresholds.
    """
    features = settings.data.features
    numbers = [name for name, feature in features.items() if feature.type == "number"]
    few, many = (
        [name for name, feature in features.items() if feature.type == "category" and feature.encoding == encoding]
        for encoding in ("one-hot", "target")
    )
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    boosting = HistGradientBoostingRegressor if settings.task == "regression" else HistGradientBoostingClassifier
    encoders = [("numbers", "passthrough", numbers), ("categories", one_hot, few)]
    if many:
        encoders.append(("many", TargetEncoder(random_state=settings.train.seed), many))
    return Pipeline(
        [
            ("encode", ColumnTransformer(encoders)),
            ("boost", boosting(random_state=settings.train.seed).set_params(**settings.train.parameters)),
        ]
    )
