"""The model that is trained: yours to change, as long as it is a scikit-learn estimator."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from model.config import Config


def estimator(settings: Config) -> Pipeline:
    """Gradient boosting on the numbers as they are and the categories one-hot encoded.

    Numbers are not scaled: in float32, as ONNX computes, a scaler moves rows across the trees' thresholds.
    """
    features = settings.data.features
    numbers = [name for name, feature in features.items() if feature.type == "number"]
    categories = [name for name, feature in features.items() if feature.type == "category"]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    boosting = HistGradientBoostingRegressor if settings.task == "regression" else HistGradientBoostingClassifier
    return Pipeline(
        [
            ("encode", ColumnTransformer([("numbers", "passthrough", numbers), ("categories", one_hot, categories)])),
            ("boost", boosting(random_state=settings.train.seed).set_params(**settings.train.parameters)),
        ]
    )
