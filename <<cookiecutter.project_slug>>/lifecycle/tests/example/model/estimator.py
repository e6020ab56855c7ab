"""Gradient boosting on numbers and encoded categories."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from lifecycle.config import Config


def estimator(settings: Config) -> Pipeline:
    features = settings.data.features
    numbers = [name for name, feature in features.items() if feature.type == "number"]
    categories = [name for name, feature in features.items() if feature.type == "category"]
    many = [name for name in categories if features[name].encoding == "target"]
    few = [name for name in categories if name not in many]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    boosting = HistGradientBoostingRegressor if settings.task == "regression" else HistGradientBoostingClassifier
    encoders = [("numbers", "passthrough", numbers), ("categories", one_hot, few)]
    if many:
        encoders.append(("many", TargetEncoder(random_state=0), many))
    return Pipeline(
        [
            ("encode", ColumnTransformer(encoders)),
            ("boost", boosting(random_state=settings.train.seed).set_params(**settings.train.parameters)),
        ]
    )
