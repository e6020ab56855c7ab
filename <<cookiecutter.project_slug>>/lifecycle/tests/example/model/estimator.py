"""Gradient boosting on numbers and one-hot encoded categories."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from lifecycle.config import Config


def estimator(settings: Config) -> Pipeline:
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
